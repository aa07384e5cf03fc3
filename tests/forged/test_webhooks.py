"""The short form of `manage.py prove webhooks`, and whether it can fail at all."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from accounts import behind
from accounts.api import webhooks as door
from accounts.models import Connection
from accounts.services import webhooks
from providers import hooks
from providers.sandbox.hooked import Hooked
from tests.forging import believed
from tests.proofs import webhooks as proof

from .callers import everybody
from .findings import VOUCHED
from .storm import DOCUMENTED, opened

SEED = 7
PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
committed = pytest.mark.django_db(transaction=True)
pytestmark = pytest.mark.usefixtures("valkey")


@committed
def test_no_changed_call_is_believed_and_each_true_event_counts_once():
    with opened(SEED) as storm:
        found = storm.blow(600)

    assert found.wrong == []
    assert set(found.events) == {caller.label for caller in storm.callers}
    # That nothing was believed would say nothing of calls that nobody judges.
    for label in {caller.label for caller in storm.callers if caller.proofs}:
        assert found.count(label=label, kind="proof bit") > 5
        assert not found.count(label=label, kind="proof bit", end=VOUCHED)
        assert found.count(label=label, kind="again", end=f"{VOUCHED} and taken")


def half(left: bytes, right: bytes) -> bool:
    return left[: len(right) // 2] == right[: len(right) // 2]


def half_of_a_proof_is_compared(patch):
    patch.setattr(hmac, "compare_digest", half)


def half_of_an_address_is_enough(patch):
    digest = webhooks.digest
    patch.setattr(webhooks, "digest", lambda secret: digest(secret[:20]))


def whoever_shows_anything_is_believed(patch):
    def prove(headers, name, key, *signed):
        if name not in headers:
            raise hooks.AuthenticationFailed

    patch.setattr(hooks, "prove", prove)


def each_delivery_has_a_name_of_its_own(patch):
    patch.setattr(webhooks, "_fitting", lambda name: uuid4().hex)


def what_is_no_text_is_too_much(patch):
    def prove(headers, name, key, *signed):
        right(headers, name, key, *(each.decode().encode() for each in signed))

    right = hooks.prove
    patch.setattr(hooks, "prove", prove)


def there_is_no_limit(patch):
    patch.setattr(door, "LARGEST", 2**30)


def nobody_asks_what_is_true(patch):
    patch.setattr(behind, "leave", lambda work, *args: None)


def refused_calls_are_noted(patch):
    def refused(status, code, detail):
        owner = Connection.objects.first()
        owner.webhook_events.create(event_id=uuid4().hex)
        return problem(status, code, detail)

    problem = door.problem
    patch.setattr(door, "problem", refused)


@committed
@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (half_of_a_proof_is_compared, "a forgery was believed"),
        (half_of_an_address_is_enough, "a forgery was believed"),
        (whoever_shows_anything_is_believed, "a forgery was believed"),
        (each_delivery_has_a_name_of_its_own, "'accepted': 50"),
        (what_is_no_text_is_too_much, "answered 500"),
        (there_is_no_limit, "bytes were read"),
        (nobody_asks_what_is_true, "were owed"),
        (refused_calls_are_noted, "the inbox is not as was answered"),
    ],
)
def test_planted_weakness_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], told: str, monkeypatch
):
    plant(monkeypatch)

    with opened(SEED) as storm:
        found = storm.blow(600, patient=False)

    assert any(told in line for line in found.wrong)


@pytest.mark.django_db
def test_every_provider_that_signs_is_judged_by_a_scheme():
    """A sandbox that is not `Hooked` is one of a provider that proves nothing."""
    unsigned = [c for c in everybody(SEED) if not isinstance(c.bank, Hooked)]

    for caller in unsigned:
        adapter = Connection.objects.get(pk=caller.connection_id).adapter
        assert believed(adapter, {}, b"{}")


def test_statuses_are_those_of_the_page():
    [line] = [line for line in PAGE.read_text().splitlines() if "| answers |" in line]

    assert {int(word) for word in line.replace(",", " ").split() if word.isdigit()} == (
        DOCUMENTED
    )


@committed
def test_command_tells_its_figures_and_how_it_ended(capsys, monkeypatch):
    assert proof.main(["--mutations", "30", "--seed", "1"]) == 0
    assert " 0 answers of 500, 0 violations" in capsys.readouterr().out

    half_of_a_proof_is_compared(monkeypatch)
    assert proof.main(["--mutations", "60", "--seed", "2"]) == 1
    assert "a forgery was believed" in capsys.readouterr().out
