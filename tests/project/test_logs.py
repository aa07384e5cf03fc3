"""No secret reaches a log, whether by its name or inside a text."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from balsync_project import logs

SECRET = "s3cr3t-Value_9876543210"


@pytest.mark.parametrize(
    "event",
    [
        {"access_token": SECRET},
        {"refresh_token": SECRET.encode()},
        {"client_secret": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
        {"password": SECRET},
        {"credentials": {"key": {"deep": [SECRET]}}},
        {"headers": {"X-Api-Key": SECRET, "cookie": SECRET}},
        {"headers": [{"signature": SECRET}]},
        {"event": f"GET /pots failed: Authorization: Bearer {SECRET}"},
        {"event": f'body was {{"refresh_token": "{SECRET}", "amount": "5"}}'},
        {"event": f"POST grant_type=refresh_token&client_secret={SECRET}&x=1"},
        {"request": f"GET /oauth/bank/callback?code={SECRET}&state={SECRET}"},
        {"exception": f"KeyError: api_key={SECRET}"},
        {"event": f"Token {SECRET} was refused"},
        {"private-key": SECRET},
    ],
)
def test_secret_is_hidden(event):
    assert SECRET not in json.dumps(logs.redact(None, "info", event), default=str)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "[SWEEP] live balance pot_1 50000 (£500.00), 2 s old"},
        {"account": "pot_1", "minor": "50000", "age": 2, "fallback": False},
        {"error": "token expired"},
        {"token_version": 3},
        {"idempotency_key": "payday-2026-01"},
        {"when": None},
    ],
)
def test_what_is_no_secret_stays(event):
    assert logs.redact(None, "info", event) == event


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.binary()))
def test_redaction_takes_anything_and_settles(event):
    once = logs.redact(None, "info", event)

    assert once.keys() == event.keys()
    assert logs.redact(None, "info", once) == once


# Also letters that `re` takes for others, and texts that hold a secret by chance.
PIECES = [
    "bearer",
    "BAS\u0131C",
    "to\u212aen",
    "\u017fecret",
    "pa\u017fsword",
    "api_",
    "key",
]
PIECES += [
    "authorizat\u0130on",
    "credent\u0131als",
    "s\u0131gnature",
    "?code",
    "&state",
    "=",
    ":",
]
PIECES += [
    "/webhooks/",
    "Private-",
    '"',
    "'",
    " ",
    "a1b2c3d4e5",
    "\u00a312.50",
    "\u00df",
    "&x",
    "/",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
def test_a_text_without_a_telltale_word_is_one_in_which_nothing_is_hidden(text):
    searched = text
    for secret in logs.SECRET_TEXTS:
        searched = secret.sub(rf"\1{logs.HIDDEN}", searched)

    assert logs.redact(None, "info", {"event": text}) == {"event": searched}


@pytest.fixture
def written():
    """Log through the whole chain, and read what was written."""

    def write(form, log):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        made = logs.configure(form, "DEBUG")["formatters"]["structured"]
        factory = made.pop("()")
        handler.setFormatter(factory(**made))
        handler.addFilter(logs.NotHealth())
        logger = logging.getLogger("tests.logs")
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
        try:
            log(structlog.get_logger("tests.logs"), logger)
        finally:
            logger.removeHandler(handler)
        return stream.getvalue()

    return write


def test_production_writes_json(written):
    line = written("json", lambda ours, _: ours.info("synced", account="a", minor="5"))

    told = json.loads(line)
    assert (told["event"], told["account"], told["minor"]) == ("synced", "a", "5")
    assert told["timestamp"].endswith("Z")


def test_people_read_the_event_first(written):
    line = written("text", lambda ours, _: ours.info("synced", account="a"))

    assert line == "info    synced account=a\n"


def test_other_libraries_lines_are_redacted_too(written):
    line = written("json", lambda _, theirs: theirs.warning("token=%s", SECRET))

    assert SECRET not in line


def test_traceback_is_written_without_its_secret(written):
    def fail(ours, _):
        try:
            int(f"Authorization: Bearer {SECRET}")
        except ValueError:
            ours.exception("call_failed")

    line = written("text", fail)

    assert "ValueError" in line
    assert SECRET not in line


def test_a_mapping_that_somebody_else_logs_is_written_with_its_traceback(written):
    def fail(_, theirs):
        try:
            int("x")
        except ValueError:
            theirs.exception({"token": SECRET})

    line = written("text", fail)

    assert line.startswith("error") and "ValueError" in line
    assert SECRET not in line


@pytest.mark.parametrize("whose", [0, 1])
def test_who_asks_for_the_stack_is_told_it(written, whose):
    def tell(*logs):
        logs[whose].warning("Here", stack_info=True)

    assert "in tell" in written("text", tell)


def test_two_handlers_write_the_same_line(written):
    def tell(ours, theirs):
        *_, first = theirs.handlers
        second = logging.StreamHandler(first.stream)
        second.setFormatter(first.formatter)
        theirs.addHandler(second)
        try:
            ours.info("synced", account="a")
        finally:
            theirs.removeHandler(second)

    assert written("text", tell) == 2 * "info    synced account=a\n"


def test_monitors_do_not_fill_the_log(written):
    def ask(ours, theirs):
        ours.info("request_finished", request="GET /health/ready", code=200)
        theirs.error("Service Unavailable: %s", "/health/ready")
        ours.info("request_finished", request="GET /api/v1/accounts/", code=200)

    assert written("text", ask).count("\n") == 1
