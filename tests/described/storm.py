"""What schemathesis makes up, sent to the real application, and what came back."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import schemathesis
from django.core.signals import (
    got_request_exception,
    request_finished,
    request_started,
)
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from knox.models import AuthToken
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation.feedback import NO_FEEDBACK

from tests.automation.api.test_authorization import MATRIX
from tests.fixtures_api import V1, Estate, World

PROMISES = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Who calls is said by the storm; a made-up signature would be all that is looked at.
CONFIG = {"generation": {"with-security-parameters": False}}
CALLERS = ("admin", "admin", "admin", "operator", "viewer", "stranger", "anonymous")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass
class Report:
    """How much was asked, what was answered, and what was not as described."""

    requests: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    well: set[str] = field(default_factory=set)  # operations that were carried out
    broken: dict[tuple[str, str], str] = field(default_factory=dict)


class Storm:
    """All operations that the schema describes, and who asks for them."""

    def __init__(self, world: World) -> None:
        with connection.cursor() as cursor:
            # The schema is read, and requests are made up, within a transaction, for as
            # long as that takes.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        load_all_checks()
        self.checks = [CHECKS.get_one(name) for name in PROMISES]
        self.report = Report()
        self.estate = world.mine
        self.ids = ids_of(world.mine)
        self.headers: dict[str, dict[str, str]] = {
            name: {"Authorization": f"Token {AuthToken.objects.create(client.user)[1]}"}
            for name, client in world.clients.items()
            if name != "anonymous"
        } | {"anonymous": {}}
        with one_connection():
            self.schema = schemathesis.openapi.from_wsgi(
                f"{V1}/schema/?format=json",
                get_wsgi_application(),
                config=schemathesis.Config.from_dict(CONFIG),
                headers=self.headers["viewer"],
            )

    def blow(self, examples: int, *, seeded: int, only: str = "") -> Report:
        """Ask `examples` times for each operation whose label begins as `only`."""
        for found in self.schema.get_all_operations():
            operation = found.ok()
            if re.match(only, operation.label):
                self.operation(operation, examples, seeded)
        return self.report

    def operation(self, operation: Any, examples: int, seeded: int) -> None:
        cases = st.one_of(
            operation.as_strategy(GenerationMode.POSITIVE, feedback=NO_FEEDBACK),
            operation.as_strategy(GenerationMode.NEGATIVE, feedback=NO_FEEDBACK),
        )

        @seed(seeded)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases, st.sampled_from(CALLERS), st.data())
        def ask(case: Case, caller: str, data: st.DataObject) -> None:
            self.steer(case, data)
            self.ask(case, caller)

        ask()

    def steer(self, case: Case, data: st.DataObject) -> None:
        """Lead most requests to what is there: made-up ids answer 404 and no more."""
        route = case.path.removeprefix(f"{V1}/").replace("{id}", "<uuid:pk>")
        row = MATRIX.get((case.method.lower(), route))
        known = st.sampled_from(self.ids)

        def swap(text: str) -> str:
            return data.draw(known) if data.draw(st.integers(0, 3)) else text

        if row and row.target and data.draw(st.integers(0, 7)):
            case.path_parameters["id"] = str(getattr(self.estate, row.target).pk)
        if isinstance(case.body, dict) and row and data.draw(st.booleans()):
            good = row.body(self.estate)
            share = data.draw(
                st.integers(0, 2)
            )  # of what was made up: none, some, most
            made_up = {
                k: v
                for k, v in case.body.items()
                if data.draw(st.integers(0, 2)) < share
            }
            case.body = good | made_up
        if isinstance(case.body, dict | list):
            case.body = swapped(case.body, swap)
        if data.draw(st.integers(0, 3)):
            case.query.pop("cursor", None)  # a made-up one is refused before all else
        case.query = swapped(case.query, swap)

    def ask(self, case: Case, caller: str) -> None:
        """Send one request, undo what it did, and judge the answer."""
        with one_connection(), undone(), exceptions() as raised:
            answer = case.call(headers=self.headers[caller])
            self.report.requests += 1
            self.report.operations[case.operation.label] += 1
            self.report.statuses[answer.status_code] += 1
            if answer.status_code < 300:
                self.report.well.add(case.operation.label)
        for failure in self.failures(case, answer):
            self.note(case, caller, answer, failure, raised)

    def failures(self, case: Case, answer: Response) -> Iterator[Failure]:
        try:
            case.validate_response(answer, checks=self.checks)
        except FailureGroup as found:
            yield from found.exceptions

    def note(self, case, caller, answer, failure, raised) -> None:
        told = [failure.message, f"as {caller}: {case.as_curl_command()}"]
        told += [f"HTTP {answer.status_code}: {answer.text[:600]}", *raised]
        kind = f"{failure.title}: {answer.status_code}"
        self.report.broken.setdefault((case.operation.label, kind), "\n".join(told))


def ids_of(estate: Estate) -> list[str]:
    """Return the ids of everything in an estate."""
    return [str(getattr(estate, f.name).pk) for f in fields(estate)]


def swapped(told: Any, swap: Callable[[str], str]) -> Any:
    """Return a body in which `swap` was asked about every id."""
    if isinstance(told, dict):
        return {name: swapped(value, swap) for name, value in told.items()}
    if isinstance(told, list):
        return [swapped(value, swap) for value in told]
    return swap(told) if isinstance(told, str) and UUID.fullmatch(told) else told


@contextmanager
def undone() -> Iterator[None]:
    """Let nothing that happens here stay in the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def one_connection() -> Iterator[None]:
    """Let requests share this thread's connection, as Django's own test client does."""
    signals = request_started, request_finished
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


@contextmanager
def exceptions() -> Iterator[list[str]]:
    """Tell what no view caught: an answer of 500 does not."""
    told: list[str] = []

    def hear(sender: object, **_: object) -> None:
        told.append(traceback.format_exc())

    got_request_exception.connect(hear)
    try:
        yield told
    finally:
        got_request_exception.disconnect(hear)
