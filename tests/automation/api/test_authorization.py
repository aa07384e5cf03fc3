"""Who may call what: every endpoint × method × caller × owner, none left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from accounts.api.filters import IdFilter
from accounts.api.urls import urlpatterns as of_accounts
from automation.api.urls import urlpatterns as of_automation
from tests.fixtures_api import ASSET, V1, Estate, World, absent, bank_slug, cash_slug

RANK = ["viewer", "operator", "admin"]
METHODS = ("get", "post", "put", "patch", "delete")


def no_body(_estate: Estate) -> dict[str, Any]:
    return {}


def new_rule(estate: Estate) -> dict[str, Any]:
    return {
        "name": "Sweep",
        "kind": "sweep",
        "legs": [
            {
                "account": str(estate.main.pk),
                "role": "source",
                "strategy": "above",
                "keep": {"asset": ASSET, "minor": "100"},
            },
            {"account": str(estate.pot.pk), "role": "target", "order": 1},
        ],
    }


def from_template(estate: Estate) -> dict[str, Any]:
    target = {"asset": ASSET, "amount": "800.00"}
    told = {"account": str(estate.main.pk), "pot": str(estate.pot.pk)}
    return {"template": "bills", "answers": told | {"target": target}}


@dataclass(frozen=True)
class Row:
    """What one method of one route needs: a role, an object, a body."""

    least: str
    target: str | None = None  # the attribute of Estate that the id is of
    body: Callable[[Estate], dict[str, Any]] = no_body
    good: tuple[int, ...] = (200,)


def typed(_estate: Estate) -> dict[str, Any]:
    return {"total": {"asset": ASSET, "minor": "1"}}


MATRIX = {
    ("get", "workspaces/"): Row("viewer"),
    ("get", "providers/"): Row("viewer"),
    ("get", "connections/"): Row("viewer"),
    ("post", "connections/"): Row(
        "admin", body=lambda _: {"provider": cash_slug()}, good=(201,)
    ),
    ("get", "connections/<uuid:pk>/"): Row("viewer", "connection"),
    ("patch", "connections/<uuid:pk>/"): Row(
        "admin", "connection", lambda _: {"label": "new"}
    ),
    ("delete", "connections/<uuid:pk>/"): Row("admin", "connection", good=(204,)),
    ("post", "connections/<uuid:pk>/test/"): Row("operator", "connection"),
    ("post", "connections/<uuid:pk>/sync/"): Row("operator", "connection", good=(202,)),
    ("post", "connections/<uuid:pk>/authorize/"): Row("admin", "connection"),
    ("get", "connections/<uuid:pk>/webhook/"): Row("admin", "connection", good=(503,)),
    ("post", "connections/<uuid:pk>/webhook/"): Row("admin", "connection", good=(503,)),
    ("delete", "connections/<uuid:pk>/webhook/"): Row(
        "admin", "connection", good=(503,)
    ),
    ("get", "streams/"): Row("viewer"),
    ("get", "sync-runs/"): Row("viewer"),
    ("get", "sync-runs/<uuid:pk>/"): Row("viewer", "sync"),
    ("get", "sync-runs/<uuid:pk>/report.csv"): Row("viewer", "sync"),
    ("get", "sync-runs/<uuid:pk>/report.json"): Row("viewer", "sync"),
    ("get", "accounts/"): Row("viewer"),
    ("post", "accounts/"): Row(
        "admin",
        body=lambda estate: {
            "connection": str(estate.cash.connection_id),
            "name": "Jar",
            "asset": ASSET,
        },
        good=(201,),
    ),
    ("get", "accounts/<uuid:pk>/"): Row("viewer", "main"),
    ("patch", "accounts/<uuid:pk>/"): Row("admin", "main", lambda _: {"role": "rent"}),
    ("post", "accounts/<uuid:pk>/protect/"): Row("operator", "main"),
    ("post", "accounts/<uuid:pk>/release/"): Row("operator", "main"),
    ("get", "accounts/<uuid:pk>/balance/"): Row("viewer", "main"),
    ("get", "accounts/<uuid:pk>/snapshots/"): Row("viewer", "main"),
    ("post", "accounts/<uuid:pk>/snapshots/"): Row(
        "operator", "cash", typed, good=(201,)
    ),
    ("get", "accounts/<uuid:pk>/snapshots.csv"): Row("viewer", "main"),
    ("get", "accounts/<uuid:pk>/snapshots.json"): Row("viewer", "main"),
    # The body is a file, so this one says that it is none.
    ("post", "accounts/<uuid:pk>/snapshots/import/"): Row("admin", "main", good=(400,)),
    ("get", "accounts/<uuid:pk>/days/"): Row("viewer", "main"),
    ("get", "accounts/<uuid:pk>/trend/"): Row("viewer", "main"),
    ("post", "wallets/<uuid:pk>/sync-balance/"): Row("operator", "main", good=(502,)),
    ("post", "wallets/<uuid:pk>/sync-balance"): Row("operator", "main", good=(502,)),
    ("get", "wallets/<uuid:pk>/balance/"): Row("viewer", "main"),
    ("get", "wallets/<uuid:pk>/balance"): Row("viewer", "main"),
    ("get", "accounts/<uuid:pk>/proof/"): Row("viewer", "main"),
    ("get", "signing-keys/"): Row("admin"),
    ("post", "signing-keys/"): Row(
        "admin", body=lambda _: {"scopes": ["admin"]}, good=(201,)
    ),
    ("get", "signing-keys/<uuid:pk>/"): Row("admin", "signing_key"),
    ("delete", "signing-keys/<uuid:pk>/"): Row("admin", "signing_key", good=(204,)),
    ("get", "portfolio/"): Row("viewer"),
    ("get", "rates/"): Row("viewer"),
    ("post", "rates/"): Row(
        "admin",
        body=lambda _: {"base": "BTC", "quote": "GBP", "value": "50000"},
        good=(201,),
    ),
    ("get", "transactions/"): Row("viewer"),
    ("get", "orders/"): Row("viewer"),
    ("get", "trades/"): Row("viewer"),
    ("get", "positions/"): Row("viewer"),
    ("get", "corrections/"): Row("viewer"),
    ("get", "discrepancies/"): Row("viewer"),
    ("get", "events/"): Row("viewer"),
    ("get", "audit/"): Row("admin"),
    ("get", "checks/"): Row("viewer"),
    ("get", "checks/settings/"): Row("viewer"),
    ("post", "checks/settings/"): Row(
        "admin", body=lambda _: {"rule": "stale", "threshold": "60"}, good=(201,)
    ),
    ("get", "checks/settings/<uuid:pk>/"): Row("viewer", "check_setting"),
    ("patch", "checks/settings/<uuid:pk>/"): Row(
        "admin", "check_setting", lambda _: {"enabled": False}
    ),
    ("delete", "checks/settings/<uuid:pk>/"): Row(
        "admin", "check_setting", good=(204,)
    ),
    ("get", "checks/drift/"): Row("viewer"),
    ("post", "checks/drift/"): Row(
        "admin", body=lambda e: {"account": str(e.main.pk), "least": "5"}, good=(201,)
    ),
    ("get", "checks/drift/<uuid:pk>/"): Row("viewer", "drift_setting"),
    ("patch", "checks/drift/<uuid:pk>/"): Row(
        "admin", "drift_setting", lambda _: {"least": "5"}
    ),
    ("delete", "checks/drift/<uuid:pk>/"): Row("admin", "drift_setting", good=(204,)),
    ("get", "quarantine/"): Row("viewer"),
    ("post", "quarantine/<uuid:pk>/accept/"): Row(
        "operator", "quarantined", lambda _: {"reason": "It is so"}
    ),
    ("post", "discrepancies/<uuid:pk>/accept/"): Row("operator", "discrepancy"),
    ("post", "discrepancies/<uuid:pk>/ignore/"): Row("operator", "discrepancy"),
    ("get", "rules/"): Row("viewer"),
    ("post", "rules/"): Row("admin", body=new_rule, good=(201,)),
    ("get", "rules/<uuid:pk>/"): Row("viewer", "rule"),
    ("put", "rules/<uuid:pk>/"): Row("admin", "rule", new_rule),
    ("patch", "rules/<uuid:pk>/"): Row("admin", "rule", lambda _: {"name": "Other"}),
    ("delete", "rules/<uuid:pk>/"): Row("admin", "rule", good=(204,)),
    ("post", "rules/<uuid:pk>/preview/"): Row(
        "operator", "rule", lambda _: {"refresh": False}
    ),
    ("post", "rules/<uuid:pk>/simulate/"): Row(
        "operator", "rule", lambda _: {"balances": {}}
    ),
    ("post", "rules/<uuid:pk>/replay/"): Row(
        "operator",
        "rule",
        lambda _: {"since": "2026-03-01", "until": "2026-03-31"},
    ),
    ("post", "rules/<uuid:pk>/duplicate/"): Row("admin", "rule", good=(201,)),
    ("get", "rules/<uuid:pk>/runs/"): Row("viewer", "rule"),
    ("post", "rules/<uuid:pk>/runs/"): Row("operator", "rule", good=(202,)),
    ("get", "rule-templates/"): Row("viewer"),
    ("post", "rule-templates/"): Row("admin", body=from_template, good=(201,)),
    ("get", "runs/"): Row("viewer"),
    ("get", "runs/<uuid:pk>/"): Row("viewer", "run"),
    ("post", "runs/<uuid:pk>/approve/"): Row("operator", "run", good=(409,)),
    ("post", "runs/<uuid:pk>/cancel/"): Row("operator", "run", good=(409,)),
    ("post", "runs/<uuid:pk>/resume/"): Row("operator", "run", good=(409,)),
    ("post", "pause/"): Row("operator"),
    ("delete", "pause/"): Row("operator"),
    ("get", "transfers/"): Row("viewer"),
    ("get", "transfers/<uuid:pk>/"): Row("viewer", "transfer"),
    ("get", "transfers/<uuid:pk>/resolutions/"): Row("viewer", "transfer"),
    ("post", "transfers/<uuid:pk>/resolve/"): Row(
        "operator", "transfer", lambda _: {"happened": False}, good=(409,)
    ),
}
# Signing in and out is about the caller, not about a workspace.
OPEN = {
    ("post", "auth/login/"),
    ("post", "auth/logout/"),
    ("post", "auth/logout-all/"),
}
OBJECTS = {key: row for key, row in MATRIX.items() if row.target}
LISTS = {key: row for key, row in MATRIX.items() if not row.target}


def offered() -> set[tuple[str, str]]:
    """Return every method of every route, as the router has them."""
    return {
        (method, str(route.pattern))
        for route in (*of_accounts, *of_automation)
        for method in METHODS
        if hasattr(route.callback.view_class, method)
    }


@pytest.fixture(autouse=True)
def no_provider_answers(settings):
    settings.PROVIDER_URLS = {bank_slug(): "http://127.0.0.1:9"}


def ask(world: World, caller: str, key: tuple[str, str], estate: Estate, pk=None):
    method, route = key
    row = MATRIX[key]
    path = f"{V1}/{route}".replace("<uuid:pk>", str(pk))
    headers = {"Idempotency-Key": f"{caller}-{pk}"} if method == "post" else {}
    body = row.body(estate) if method != "get" else None
    return getattr(world.clients[caller], method)(path, body, headers=headers)


def test_every_method_of_every_route_has_a_row():
    assert offered() == set(MATRIX) | OPEN


@pytest.mark.parametrize("key", MATRIX, ids="-".join)
def test_anonymous_callers_get_nothing(world, key):
    for pk in (world.mine.main.pk, absent()):
        assert ask(world, "anonymous", key, world.mine, pk).status_code == 401


@pytest.mark.parametrize("key", OBJECTS, ids="-".join)
def test_foreign_and_absent_objects_answer_byte_for_byte_alike(world, key):
    theirs = getattr(world.theirs, OBJECTS[key].target).pk
    mine = getattr(world.mine, OBJECTS[key].target).pk
    cases = [("viewer", theirs), ("operator", theirs), ("admin", theirs)]
    cases += [("stranger", mine), ("admin", absent()), ("viewer", absent())]

    answers = [ask(world, who, key, world.mine, pk) for who, pk in cases]

    assert {a.status_code for a in answers} == {404}
    assert len({(a.content, str(sorted(a.headers.items()))) for a in answers}) == 1


@pytest.mark.parametrize("key", OBJECTS, ids="-".join)
@pytest.mark.parametrize("caller", RANK)
def test_own_objects_need_the_role(world, published, key, caller):
    row = OBJECTS[key]
    own = getattr(world.mine, row.target).pk

    answer = ask(world, caller, key, world.mine, own)

    if RANK.index(caller) < RANK.index(row.least):
        assert answer.status_code == 403, answer.content
        assert answer.json()["code"] == "role_needed"
    else:
        assert answer.status_code in row.good, answer.content


@pytest.mark.parametrize("key", LISTS, ids="-".join)
@pytest.mark.parametrize("caller", RANK)
def test_lists_and_creation_need_the_role(world, key, caller):
    row = LISTS[key]

    answer = ask(world, caller, key, world.mine)

    if RANK.index(caller) < RANK.index(row.least):
        assert answer.status_code == 403, answer.content
    else:
        assert answer.status_code in row.good, answer.content


@pytest.mark.parametrize("key", [key for key in LISTS if key[0] == "get"], ids="-".join)
def test_lists_hold_nothing_of_other_workspaces(world, key):
    theirs = [
        value.pk if name != "transaction" else value.external_id
        for name, value in vars(world.theirs).items()
    ]
    own = ask(world, MATRIX[key].least, key, world.mine)
    foreign = ask(world, "stranger", key, world.theirs)

    text = own.content.decode()
    assert not [pk for pk in theirs if str(pk) != "tx" and f'"{pk}"' in text]
    if key[1] == "portfolio/":  # one figure, no list
        assert own.json() != foreign.json()
        assert own.json()["total"]
    elif key[1] != "providers/":
        assert own.json()["results"] != foreign.json()["results"]
        assert own.json()["results"]


def filters_by_id() -> list[tuple[str, str]]:
    """Return every filter of every list that takes an id, as the router has them."""
    return [
        (str(route.pattern), name)
        for route in (*of_accounts, *of_automation)
        if (filters := getattr(route.callback.view_class, "filterset_class", None))
        for name, one in filters.base_filters.items()
        if isinstance(one, IdFilter)
    ]


def test_filters_by_foreign_and_by_absent_ids_answer_byte_for_byte_alike(world):
    named = ("workspace", "connection", "main", "sync", "rule", "run")
    theirs = [getattr(world.theirs, name).pk for name in named]
    assert len(filters_by_id()) > 10
    for route, name in filters_by_id():
        path = f"{V1}/{route}".replace("<uuid:pk>", str(world.mine.rule.pk))
        ids = (*theirs, absent())
        caller = world.clients[MATRIX["get", route].least]
        answers = [caller.get(path, {name: str(pk)}) for pk in ids]

        assert {a.status_code for a in answers} == {200}, route
        assert len({a.content for a in answers}) == 1, (route, name)


@pytest.mark.parametrize(
    "key", [key for key in MATRIX if key[0] != "get"], ids="-".join
)
def test_refused_calls_change_nothing(world, published, key):
    """A viewer's and a stranger's attempts leave every row as it was."""
    before = rows(world.mine)

    pk = getattr(world.mine, MATRIX[key].target).pk if MATRIX[key].target else None
    for caller in ("viewer", "stranger", "anonymous"):
        if pk is None and caller == "stranger":
            continue  # a stranger may create, in their own workspace
        assert ask(world, caller, key, world.mine, pk).status_code in (401, 403, 404)

    assert rows(world.mine) == before
    assert published == []


def rows(estate: Estate) -> list[list[tuple[Any, ...]]]:
    """Return every row of every table that an estate has rows in."""
    models = {type(value) for value in vars(estate).values()}
    return [
        [tuple(map(repr, row)) for row in model.objects.order_by("pk").values_list()]
        for model in sorted(models, key=lambda model: model.__name__)
    ]


@pytest.mark.parametrize("name", ["connection", "rule"])
def test_stranger_cannot_create_in_a_workspace_that_is_not_theirs(world, name):
    body = {
        "connection": {"provider": cash_slug()},
        "rule": new_rule(world.mine),
    }[name]
    foreign = world.stranger.post(
        f"{V1}/{name}s/", body | {"workspace": str(world.mine.workspace.pk)}
    )
    nowhere = world.stranger.post(f"{V1}/{name}s/", body | {"workspace": str(absent())})

    assert foreign.status_code == 400
    assert foreign.content == nowhere.content
    assert foreign.json()["errors"][0]["code"] == "does_not_exist"


def test_rule_over_somebody_elses_account_is_refused_like_an_absent_one(world):
    def write(account) -> Any:
        body = new_rule(world.mine)
        body["legs"][1]["account"] = str(account)
        return world.admin.post(f"{V1}/rules/", body)

    foreign, nowhere = write(world.theirs.pot.pk), write(absent())

    assert foreign.status_code == 400
    assert foreign.content == nowhere.content
    assert foreign.json()["errors"][0]["field"] == "legs.1.account"


def test_archived_membership_ends_access_at_once(world):
    path = f"{V1}/accounts/{world.mine.main.pk}/"
    assert world.viewer.get(path).status_code == 200

    world.viewer.user.memberships.all().delete()

    assert world.viewer.get(path).status_code == 404


@pytest.mark.parametrize("page", ["schema/", "docs/"])
def test_documentation_is_for_members_only(world, page):
    assert world.clients["anonymous"].get(f"{V1}/{page}").status_code == 401
    assert world.viewer.get(f"{V1}/{page}").status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/api/health"])
def test_health_is_open_to_everybody(world, path):
    assert world.clients["anonymous"].get(path).status_code in (200, 503)
