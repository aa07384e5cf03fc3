"""Counts the step boundaries of a worker as it passes them, and strikes at one of them.

It is installed in the worker's process and hooks what every step has to use: statements
and commits of the database, requests to a provider, steps of the machine. A new step is
therefore a new point without anybody writing it down.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from automation import machine
from providers.drivers import policy
from providers.drivers.asking import Asking
from providers.drivers.effects import Failure, Send
from providers.wire import Request, Response

READS = ("SELECT", "WITH", "SAVEPOINT", "RELEASE")
WRITES = re.compile(
    r'(?<!FOR )(?<!KEY )\b(INSERT|UPDATE|DELETE)\b(?: INTO| FROM)?\s+"?(\w+)'
)
TABLE = re.compile(r'(?:INTO|UPDATE|FROM)\s+"?(\w+)"?', re.IGNORECASE)
MOVES = ", which moves money"
# What an address holds between its words differs from run to run.
VARIABLE = re.compile(r"\w*\d\w*")


class Crash(Exception):
    """What nobody expects, thrown where a point is."""


class Tracer:
    """Tells each point; at the place `at` something happens to this process.

    A place is a label and a number among those that bear it: requests that are made
    together come in any order.
    """

    def __init__(self, told: int, at: Sequence | None = None, fault: str = "") -> None:
        self.told, self.at, self.fault = told, at and tuple(at), fault
        self.passed = Counter[str]()
        self.database: BaseDatabaseWrapper = connection  # of the main thread

    def install(self) -> None:
        self.database.execute_wrappers.append(self.statement)
        self._around_commits()
        self._around_steps()
        policy.exchange = self._exchange(policy.exchange)
        self._around_orders()

    # -- points

    def point(self, label: str) -> bool:
        """Tell it, and say whether the fault has struck here and let us go on."""
        place = label, self.passed[label]
        self.passed[label] += 1
        self.tell(f"passed {label}")
        if place != self.at:
            return False
        self.tell(f"struck {label}")
        FAULTS[self.fault](self.database)
        return True

    def after(self, label: str) -> None:
        """Pass the point behind a database operation; its answer may be lost there."""
        if self.point(f"after {label}") and self.fault == "answer lost":
            cut(self.database)
            raise OperationalError("The connection ended before the answer")

    def tell(self, line: str) -> None:
        os.write(self.told, f"{line}\n".encode())

    # -- hooks

    def statement(
        self, execute: Callable, sql: str, params: Any, many: bool, more: Any
    ):
        """Take what only reads for no step of its own: nothing is different after it."""
        written = WRITES.findall(sql)
        reads = sql.lstrip().startswith(READS) and not written
        if reads and " FOR " not in sql:
            return execute(sql, params, many, more)
        verb, table = sql.split(None, 1)[0], TABLE.search(sql)
        told = written or [(verb, table[1] if table else "")]
        label = ", ".join(" ".join(each) for each in told)
        if not self.database.in_atomic_block:
            label += ", committed"
        self.point(f"before {label}")
        result = execute(sql, params, many, more)
        self.after(label)
        return result

    def _around_commits(self) -> None:
        commit, tracer = BaseDatabaseWrapper._commit, self

        def traced(wrapper: BaseDatabaseWrapper) -> None:
            tracer.point("before COMMIT")
            commit(wrapper)
            tracer.after("COMMIT")

        BaseDatabaseWrapper._commit = traced

    def _around_steps(self) -> None:
        step = machine.step

        def traced(state, event, now):
            self.point(f"before the step {type(event).__name__}")
            result = step(state, event, now)
            self.point(f"after the step {type(event).__name__}")
            return result

        machine.step = traced

    def _exchange(self, exchange: Callable) -> Callable:
        """Return `exchange` with a point on both sides of each request it sends."""

        def traced(*asked):
            with closing(exchange(*asked)) as steps:
                effect = next(steps)
                while True:
                    try:
                        result = yield from self._request(effect)
                    except Failure as failure:
                        effect = steps.throw(failure)
                    else:
                        try:
                            effect = steps.send(result)
                        except StopIteration as done:
                            return done.value

        return traced

    def _around_orders(self) -> None:
        """Pass a point on both sides of each order that the loop sends."""
        send, tracer = Asking._send, self

        async def traced(asking: Asking, effect: Send) -> Response:
            if not effect.request.may_move_money:
                return await send(asking, effect)
            label = label_of(effect.request)
            tracer.point(f"before {label}")
            result = await send(asking, effect)
            tracer.point(f"after {label}")
            return result

        Asking._send = traced

    def _request(self, effect):
        if not isinstance(effect, Send):
            return (yield effect)
        asked = effect.request
        here = threading.current_thread() is threading.main_thread()
        if asked.may_move_money and not here:
            return (yield effect)  # the loop sends it, which is a point already
        label = label_of(asked)
        self.point(f"before {label}")
        result = yield effect
        self.point(f"after {label}")
        return result


# -- what happens to the process


def label_of(asked: Request) -> str:
    """Return what a request is called, whoever's it is."""
    label = f"{asked.method} {VARIABLE.sub('…', asked.path)}"
    return label + MOVES if asked.may_move_money else label


def cut(database: BaseDatabaseWrapper) -> None:
    """End the connection to PostgreSQL as a broken network does: both sides see it."""
    if database.connection is None or database.connection.closed:
        return
    with socket.socket(fileno=os.dup(database.connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def throw(_: BaseDatabaseWrapper) -> None:
    raise Crash("thrown at a crash point")


def throw_within(database: BaseDatabaseWrapper) -> None:
    """Throw while an answer is waited for, as a time limit does.

    It is the first one: at the first statement of a block that is the answer to BEGIN.
    """
    database.ensure_connection()
    hidden = database.connection.__dict__

    def wait(asked: Generator, *_: Any, **__: Any) -> None:
        del hidden["wait"]
        next(asked)  # something is on its way
        throw(database)

    hidden["wait"] = wait


def send(number: signal.Signals) -> Callable[[BaseDatabaseWrapper], None]:
    return lambda _: os.kill(os.getpid(), number)


FAULTS: dict[str, Callable[[BaseDatabaseWrapper], None]] = {
    "kill": send(signal.SIGKILL),
    "exception": throw,
    "stop": send(signal.SIGSTOP),
    "cut": cut,
    "answer lost": lambda _: None,  # `after` does it: only the database answers there
    "time limit": throw_within,
}
