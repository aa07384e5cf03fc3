"""What is in a provider's folder, and that its recorded exchanges are understood."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

import providers
from providers import errors, sandbox
from providers.base import Block, MovesMoney, Place, Provider
from providers.money import Asset
from providers.streaming import Streams
from providers.wire import Response, drive

from .parties import ALONE, EVERYBODY, FOLDER, SAMPLES

# -- the folder


@pytest.mark.parametrize("slug", EVERYBODY)
def test_folder_is_complete(slug):
    adapter = providers.load(slug)

    assert (FOLDER / slug / "client.py").exists()
    assert [*(FOLDER / slug).glob("tests.py"), *(FOLDER / slug).glob("tests/test_*.py")]
    assert slug in sandbox.slugs()
    assert any(path.parts[-3] == slug for path in SAMPLES)
    assert adapter.name
    assert set(sandbox.load(slug).mounts) == set(adapter.hosts)
    assert all(url.startswith(("https://", "wss://")) for url in adapter.hosts.values())


@pytest.mark.parametrize("slug", providers.slugs())
def test_call_ends_before_whoever_waits_for_it(slug):
    adapter = providers.load(slug)

    assert adapter.deadline <= (15 if issubclass(adapter, MovesMoney) else 60)


@pytest.mark.parametrize("slug", providers.slugs())
def test_streams_lead_to_no_address_that_a_person_typed(slug):
    # What opens them judges no address, as the drivers do for requests.
    adapter = providers.load(slug)

    assert not issubclass(adapter, Streams) or adapter.anybodys is Provider.anybodys


@pytest.mark.parametrize("slug", ALONE)
def test_provider_without_an_institution_asks_nobody(slug):
    def refuse(request):
        raise AssertionError(request)

    assert not drive(providers.load(slug)({}).observe(), refuse).complete


@pytest.mark.parametrize("slug", EVERYBODY)
def test_credentials_of_the_sandbox_are_the_fields_a_person_fills_in(slug, bank):
    fields = {field.name for field in providers.load(slug).fields}

    assert set(bank.credentials()) == fields


# -- recorded exchanges


def revive(arguments):
    """Return the arguments of a sample as what the ports take."""
    found = {}
    for name, value in arguments.items():
        if isinstance(value, dict):
            held = {"asset": Asset.parse(value["asset"])} if "asset" in value else {}
            value = Place(**{**value, **held})
        elif name == "known":
            value = [Place(**{**v, "block": Block(**v["block"])}) for v in value]
        elif name in ("now", "since"):
            value = datetime.fromisoformat(value)
        found[name] = value
    return found


def plain(value):
    """Return a result of the ports in JSON's words."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        if set(value) == {"code", "decimals"}:
            return f"{value['code']}/{value['decimals']}"
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def body_of(exchange):
    if "raw" in exchange:
        return exchange["raw"].encode()
    return json.dumps(exchange["body"]).encode()


def asked_for(request):
    kind = request.headers.get("Content-Type")
    if request.body and kind == "application/json":
        sent = json.loads(request.body)
    else:
        sent = {k: v[0] for k, v in parse_qs(request.body.decode()).items()}
    found = {
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "params": dict(request.params),
        "sent": sent,
        "authorized": "Authorization" in request.headers,
    }
    return {k: v for k, v in found.items() if v or k == "authorized"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_sample_is_asked_and_understood_as_recorded(path):
    sample = json.loads(path.read_text())
    exchanges = iter(sample["exchanges"])

    def answer(request):
        exchange = next(exchanges)
        assert asked_for(request) == exchange["asked"]
        return Response(exchange["status"], {}, body_of(exchange))

    provider = providers.load(path.parts[-3])(sample["credentials"])
    call = getattr(provider, sample["call"])(**revive(sample.get("arguments", {})))
    try:
        found = plain(asdict(drive(call, answer)))
    except errors.ProviderError as error:
        found = {"error": error.code}

    assert found == sample["expected"]
    assert next(exchanges, None) is None
