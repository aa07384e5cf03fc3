"""Whatever goes wrong is told in one shape, with a code that stays."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.api.answers import PROVIDER_STATUS, flatten
from accounts.api.answers import problem as handle
from accounts.sealing import CannotOpen
from providers import errors
from tests.fixtures_api import V1, absent, expect_problem, fields_of


def test_unknown_address_is_a_problem_for_everybody(world):
    for client in world.clients.values():
        expect_problem(client.get("/api/v1/nothing/here/"), 404, "not_found")
        expect_problem(client.post("/api/v9/"), 404, "not_found")


def test_unknown_page_outside_the_api_is_no_problem_document(world):
    answer = world.viewer.get("/no/such/page")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_malformed_id_answers_like_an_absent_one(world):
    malformed = world.viewer.get(f"{V1}/accounts/not-an-id/")
    absent_one = world.viewer.get(f"{V1}/accounts/{absent()}/")

    expect_problem(malformed, 404, "not_found")
    assert malformed.content == absent_one.content


def test_no_credentials_are_401_and_say_how_to_sign_in(world):
    answer = world.clients["anonymous"].get(f"{V1}/accounts/")

    expect_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_bad_token_is_401(world):
    client = world.clients["anonymous"]
    client.credentials(HTTP_AUTHORIZATION="Token nonsense")

    expect_problem(client.get(f"{V1}/accounts/"), 401, "authentication_failed")


def test_wrong_method_is_405(world):
    expect_problem(world.admin.delete(f"{V1}/accounts/"), 405, "method_not_allowed")
    expect_problem(world.admin.options(f"{V1}/accounts/"), 405, "method_not_allowed")


def test_form_encoding_is_415(world):
    answer = world.admin.post(
        f"{V1}/connections/", "a=b", content_type="application/x-www-form-urlencoded"
    )

    expect_problem(answer, 415, "unsupported_media_type")


def test_unknown_accept_is_406(world):
    expect_problem(
        world.viewer.get(f"{V1}/accounts/", headers={"Accept": "image/png"}),
        406,
        "not_acceptable",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"\\u0000": 1}',
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_unreadable_json_is_a_parse_error(world, body):
    answer = world.admin.post(
        f"{V1}/connections/", body, content_type="application/json"
    )

    expect_problem(answer, 400, "parse_error")


def test_body_over_one_megabyte_is_413(world):
    body = b'{"label": "' + b"x" * 1_000_000 + b'"}'

    answer = world.admin.post(
        f"{V1}/connections/", body, content_type="application/json"
    )

    expect_problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
@pytest.mark.parametrize("route", ["connections", "rules"])
def test_body_that_is_no_object_is_400(world, route, body):
    expect_problem(
        world.admin.post(f"{V1}/{route}/", body, content_type="application/json"), 400
    )


def test_unknown_fields_are_named(world):
    answer = world.admin.patch(
        f"{V1}/accounts/{world.mine.main.pk}/", {"name": "a", "workspace": "b", "x": 1}
    )

    told = expect_problem(answer, 400, "invalid")
    assert fields_of(told) == {"workspace": "unknown_field", "x": "unknown_field"}


def test_uncaught_error_is_a_500_that_says_nothing(world, monkeypatch):
    def burst(*_args, **_kwargs):
        raise ZeroDivisionError("CANARY-SECRET")

    monkeypatch.setattr("accounts.api.accounts.AccountList.get_queryset", burst)

    answer = world.viewer.get(f"{V1}/accounts/")

    expect_problem(answer, 500, "internal_error")
    assert b"CANARY" not in answer.content


@pytest.mark.parametrize(
    "kind", [k for k in vars(errors).values() if isinstance(k, type)]
)
def test_every_failure_of_a_provider_has_a_status_and_its_own_code(kind):
    if not issubclass(kind, errors.ProviderError):
        return
    answer = handle(kind("it said no"), {})

    assert answer.status_code in PROVIDER_STATUS.values()
    assert answer.data["code"] == kind.code
    assert answer.data["detail"] == "it said no"


def test_provider_that_asks_for_time_is_passed_on_as_retry_after():
    answer = handle(errors.RateLimited(retry_after=7.0), {})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_unreadable_credentials_are_503():
    answer = handle(CannotOpen(), {})

    assert (answer.status_code, answer.data["code"]) == (503, "credentials_unreadable")


def test_unknown_exceptions_are_left_to_surface():
    assert handle(KeyError("x"), {}) is None


def test_nested_errors_become_dotted_paths():
    details = ValidationError(
        {
            "legs": [{}, {"share": [ErrorDetail("no", "share")]}],
            "non_field_errors": [ErrorDetail("all of it", "odd")],
        }
    ).get_full_details()

    assert list(flatten(details)) == [
        {"field": "legs.1.share", "code": "share", "detail": "no"},
        {"field": "", "code": "odd", "detail": "all of it"},
    ]
