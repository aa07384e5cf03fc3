"""The queue of what waits for a person, over REST."""

from __future__ import annotations

import pytest
from django.utils.timezone import now

from automation.models import Resolution, Transfer
from tests.fixtures_api import V1, expect_problem


@pytest.fixture
def waiting(world) -> Transfer:
    Transfer.objects.filter(pk=world.mine.transfer.pk).update(
        status="unknown", settled_at=None, needs_person=True, may_have_moved=True
    )
    world.mine.transfer.refresh_from_db()
    return world.mine.transfer


def resolve(client, row, body):
    return client.post(f"{V1}/transfers/{row.pk}/resolve/", body)


@pytest.mark.parametrize(
    "query", ["needs_person=true", "status=unknown", "status=unknown&needs_person=true"]
)
def test_the_queue_is_a_filter(world, waiting, query):
    found = world.viewer.get(f"{V1}/transfers/?{query}").json()["results"]

    assert [row["id"] for row in found] == [str(waiting.pk)]


def test_stranded_transfers_are_a_filter_too(world, waiting):
    assert world.viewer.get(f"{V1}/transfers/?status=stranded").json()["results"] == []
    Transfer.objects.filter(pk=waiting.pk).update(status="stranded", settled_at=now())

    found = world.viewer.get(f"{V1}/transfers/?status=stranded").json()["results"]

    assert [row["needs_person"] for row in found] == [True]


def test_it_happened_needs_the_banks_reference(world, waiting, published):
    answer = resolve(world.operator, waiting, {"happened": True})

    expect_problem(answer, 400)
    assert answer.json()["errors"][0]["field"] == "reference"
    assert not Resolution.objects.exists()


def test_an_operators_word_is_kept_with_the_name(world, waiting, published):
    answer = resolve(
        world.operator, waiting, {"happened": True, "reference": "tx_1", "note": "Seen"}
    )

    assert answer.status_code == 200, answer.content
    assert answer.json()["status"] == "done"
    told = Resolution.objects.get()
    assert (told.user, told.reference, told.note) == (
        world.operator.user,
        "tx_1",
        "Seen",
    )


def test_a_second_word_is_409(world, waiting, published):
    resolve(world.operator, waiting, {"happened": False})

    expect_problem(
        resolve(world.operator, waiting, {"happened": True, "reference": "tx_1"}),
        409,
        "not_waiting",
    )


@pytest.mark.parametrize(
    "body", [{}, {"happened": "yes"}, {"happened": False, "amount": "5"}, {"note": 5}]
)
def test_a_body_that_makes_no_sense_is_400(world, waiting, body):
    expect_problem(resolve(world.operator, waiting, body), 400)
    assert not Resolution.objects.exists()


def test_what_people_decided_can_be_read(world, waiting, published):
    where = f"{V1}/transfers/{waiting.pk}/resolutions/"
    assert world.viewer.get(where).json()["results"] == []
    resolve(world.operator, waiting, {"happened": False, "note": "Looked"})

    (told,) = world.viewer.get(where).json()["results"]

    assert told["user"] == "operator"
    assert (told["happened"], told["note"]) == (False, "Looked")
    assert (told["status_before"], told["status_after"]) == ("unknown", "refused")
    assert told["transfer"] == str(waiting.pk)
