"""What a key may be about: every route × method × scope, and one workspace only."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, get_resolver

from accounts.models import Membership, Scope
from balsync_project.scopes import SCOPES, V1
from tests.fixtures_api import absent, bank_slug, expect_problem
from tests.fixtures_signing import pen_for

from .test_authorization import MATRIX, METHODS, OPEN

# DRF's own pages say nothing about rows, and have no line in the matrix of roles.
PAGES = {("get", "schema/"), ("get", "docs/")}


def routes(patterns, before: str = ""):
    """Yield every route of the project with the view behind it."""
    for pattern in patterns:
        place = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield place, getattr(pattern.callback, "view_class", None)
        else:
            yield from routes(pattern.url_patterns, place)


def offered() -> set[tuple[str, str]]:
    """Return each method of each route of the API that knows who asks."""
    return {
        (method.upper(), place)
        for place, view in routes(get_resolver().url_patterns)
        if place.startswith("api/") and hasattr(view, "authentication_classes")
        for method in METHODS
        if hasattr(view, method)
    }


@pytest.fixture(autouse=True)
def no_provider_answers(settings):
    settings.PROVIDER_URLS = {bank_slug(): "http://127.0.0.1:9"}


@pytest.fixture
def pens(world):
    """One key per scope, all of somebody who is an admin of both workspaces."""
    user = world.admin.user
    Membership.objects.create(workspace=world.theirs.workspace, user=user, role="admin")
    return {s: pen_for(world.mine.workspace, user, [s], label=s) for s in Scope.values}


def ask(pen, key, estate, pk=None):
    method, route = key
    path = f"/{V1}{route}".replace("<uuid:pk>", str(pk))
    body = MATRIX[key].body(estate) if method != "get" else None
    headers = {"Idempotency-Key": f"{pen.id}-{pk}"} if method == "post" else {}
    return pen.ask(method.upper(), path, body, headers=headers)


def scope_of(key) -> str:
    return SCOPES[key[0].upper(), V1 + key[1]]


def test_every_method_of_every_route_has_a_scope():
    open_ones = {(method.upper(), V1 + route) for method, route in OPEN}

    assert offered() - open_ones == set(SCOPES)
    assert set(SCOPES.values()) == set(Scope.values)


@pytest.mark.parametrize("key", sorted(MATRIX), ids="-".join)
def test_each_method_opens_to_its_scope_alone(world, pens, published, key):
    row = MATRIX[key]
    pk = getattr(world.mine, row.target).pk if row.target else None
    mine = scope_of(key)
    for scope in Scope.values:
        if scope != mine:
            answer = ask(pens[scope], key, world.mine, pk)
            assert expect_problem(answer, 403, "scope_needed")["detail"].endswith(
                f"{mine}."
            )
    assert published == []

    assert ask(pens[mine], key, world.mine, pk).status_code in row.good


@pytest.mark.parametrize(
    "key", sorted(key for key in MATRIX if MATRIX[key].target), ids="-".join
)
def test_key_does_not_know_its_users_other_workspaces(world, pens, published, key):
    """Its user is an admin there too, and the key answers as if nothing were there."""
    pen = pens[scope_of(key)]
    theirs = getattr(world.theirs, MATRIX[key].target).pk

    foreign, nowhere = (ask(pen, key, world.theirs, pk) for pk in (theirs, absent()))

    assert foreign.status_code == 404, foreign.content
    assert foreign.content == nowhere.content


@pytest.mark.parametrize(
    "key",
    sorted(k for k in MATRIX if k[0] == "get" and not MATRIX[k].target),
    ids="-".join,
)
def test_lists_hold_nothing_of_its_users_other_workspaces(world, pens, key):
    answer = ask(pens[scope_of(key)], key, world.mine)

    assert answer.status_code == 200
    names = {
        str(value.pk)
        for name, value in vars(world.theirs).items()
        if name != "transaction"
    }
    assert not [name for name in names if f'"{name}"' in answer.content.decode()]


def test_key_creates_in_its_own_workspace_only(world, pens):
    told = {"scopes": ["admin"], "workspace": str(world.theirs.workspace.pk)}

    foreign = pens["admin"].ask("POST", f"/{V1}signing-keys/", told)
    here = pens["admin"].ask("POST", f"/{V1}signing-keys/", {"scopes": ["admin"]})

    assert foreign.status_code == 400
    assert foreign.json()["errors"][0]["code"] == "does_not_exist"
    assert here.json()["workspace"] == str(world.mine.workspace.pk)


def test_answer_to_another_workspaces_key_is_not_repeated_to_this_one(world, pens):
    user = world.admin.user
    there = pen_for(world.theirs.workspace, user, ["run"])
    same = {"Idempotency-Key": "the-same"}

    answers = [
        pen.ask("POST", f"/{V1}pause/", {}, headers=same)
        for pen in (pens["run"], there, pens["run"])
    ]

    workspaces = [answer.json()["workspace"] for answer in answers]
    assert workspaces == [
        str(estate.workspace.pk) for estate in (world.mine, world.theirs, world.mine)
    ]
    assert [a.headers.get("Idempotent-Replayed") for a in answers] == [
        *(None, None, "true")
    ]


def test_route_that_nobody_listed_is_refused(world, pens, settings):
    settings.API_SCOPES = {}

    for pen in pens.values():
        expect_problem(pen.ask("GET", f"/{V1}accounts/"), 403, "scope_needed")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "TRACE"])
def test_other_methods_open_nothing(world, pens, method):
    path = f"/{V1}accounts/{world.mine.main.pk}/"

    codes = {scope: pen.ask(method, path).status_code for scope, pen in pens.items()}

    allowed = {"read"} if method == "HEAD" else set()
    assert {scope for scope, code in codes.items() if code == 200} == allowed
    assert set(codes.values()) <= {200, 403}


def test_documentation_needs_the_scope_to_read(pens):
    for page in ("schema/", "docs/"):
        path = f"/{V1}{page}"
        assert pens["read"].ask("GET", path).status_code == 200
        assert pens["run"].ask("GET", path).status_code == 403


def test_key_signs_nobody_in_or_out(world, pens):
    for name in ("logout", "logout-all"):
        assert pens["admin"].ask("POST", f"/{V1}auth/{name}/").status_code == 401
