"""Who takes part: the providers by what they can do, and the ends of a transfer."""

from __future__ import annotations

from pathlib import Path

import pytest

import providers
from providers import sandbox
from providers.base import ListsMovements, Place
from providers.money import Asset

FOLDER = Path(providers.__file__).parent
SAMPLES = sorted(FOLDER.glob("*/samples/*.json"))
# Those with an institution on the other side; the rest has nobody to speak with.
EVERYBODY = [slug for slug in providers.slugs() if providers.load(slug).hosts]
ALONE = [slug for slug in providers.slugs() if slug not in EVERYBODY]


def can(slug, *abilities):
    """Say whether a provider can do all of this."""
    return all(issubclass(providers.load(slug), ability) for ability in abilities)


def able(*abilities):
    """Parametrise over the providers that can do all of this."""
    found = [s for s in EVERYBODY if can(s, *abilities)]
    return pytest.mark.parametrize("slug", found)


def telling(what):
    """Parametrise over the providers whose movements tell this."""
    listing = [s for s in EVERYBODY if can(s, ListsMovements)]
    found = [s for s in listing if what in sandbox.load(s).tells]
    return pytest.mark.parametrize("slug", found)


def place(holding):
    asset = Asset.parse(holding.asset)
    return Place(holding.external_id, holding.kind, holding.parent, asset)
