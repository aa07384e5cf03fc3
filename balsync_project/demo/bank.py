"""Where the demo's person banks: whichever sandbox moves money and has enough pots."""

from __future__ import annotations

import os

import providers
from providers.base import MovesMoney
from providers.sandbox import Customer, Remote, slugs

POTS_NEEDED = 4  # without a goal; those with one are welcome


class NoBank(RuntimeError):
    """No sandbox moves money between an account and enough pots."""


def sandbox_url() -> str:
    """Return where the sandboxes of this demo answer."""
    return os.environ["BALSYNC_SANDBOX_URL"]


def find_bank() -> tuple[Remote, Customer]:
    """Return the sandbox bank and its customer; raises NoBank."""
    for slug in slugs():
        if not issubclass(providers.load(slug), MovesMoney):
            continue
        bank = Remote(sandbox_url(), slug)
        customer = bank.demo_world()
        if len([pot for pot in customer.pots if pot.goal is None]) >= POTS_NEEDED:
            return bank, customer
    raise NoBank("No sandbox has an account with pots that money can move between")
