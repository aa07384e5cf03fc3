"""Asks many connections at once and writes down what has come, while the rest is awaited."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

from django.conf import settings

from accounts.models import Connection, SyncRun
from accounts.verdicts import Verdict
from providers.base import ListsMovements, RenewsTokens, TakesTypedBalances
from providers.drivers.fleet import fleet
from providers.errors import AuthenticationFailed, ProviderError

from . import knowledge, tokens
from .adapters import adapter_of
from .entries import Entry
from .knowledge import Knowledge
from .reading import Before, Clock, Visit
from .recording import Also, record
from .trading import being_read, is_due

TOGETHER = 500  # connections written in one transaction
BLANK = tuple(column.get_default() for column in SyncRun._meta.concrete_fields)
BY_ITSELF = frozenset({SyncRun.Kind.PERIODIC, SyncRun.Kind.START_UP})
USUAL = 15.0  # seconds for all answers, unless a provider may take longer
LINGER = 1.0  # seconds for which an answer may wait for others before it is written


def sync(
    connections: Iterable[Connection],
    kind: str,
    *,
    seconds: float = USUAL,
    runs: Mapping[UUID, SyncRun] | None = None,
    full: bool = False,
    also: Also | None = None,
) -> list[SyncRun]:
    """Read every account of `connections` and record what was heard, or why nothing was.

    Answers are written as they come; none waits for the slowest. With fewer `seconds`
    than usual a provider that may take longer is not waited for. `runs` are rows that
    were requested before, by connection; `full` reads all movements again. `also` is
    called in the transaction that writes what was heard, before it is committed, if there
    is one for all connections; what it does counts for nothing where that is not. Returns
    one run per connection, in order.
    """
    entries, clock = _entered(connections, kind, runs or {}, full=full)
    for _ in _carry_out(entries, kind, clock, seconds, also):
        pass
    return [entry.run for entry in entries]


def sync_each(connections: Iterable[Connection], kind: str) -> Iterator[list[SyncRun]]:
    """Do what `sync` does, and yield runs as soon as what was heard is recorded.

    While the caller is busy with some, the rest is awaited. Each connection that is in
    use is yielded once.
    """
    entries, clock = _entered(connections, kind, {})
    for written in _carry_out(entries, kind, clock, USUAL):
        yield [entry.run for entry in written]


def _entered(
    connections: Iterable[Connection],
    kind: str,
    runs: Mapping[UUID, SyncRun],
    *,
    full: bool = False,
) -> tuple[list[Entry], Clock]:
    """Return an entry for each connection in use, and the database's time."""
    wanted = {c.pk: c for c in connections if c.archived_at is None}
    clock, known = _look(() if full else wanted.values())
    entries = [
        _enter(connection, runs.get(pk), kind, clock, known.get(pk))
        for pk, connection in wanted.items()
    ]
    return entries, clock


def _carry_out(
    entries: Sequence[Entry],
    kind: str,
    clock: Clock,
    seconds: float,
    also: Also | None = None,
) -> Iterator[list[Entry]]:
    """Ask for all `entries`, and yield them as they are written."""

    def write(some: Sequence[Entry]) -> None:
        record(some, also if len(some) == len(entries) else None)

    _spare([e for e in entries if e.trades and kind in BY_ITSELF], kind)
    _renew([e for e in entries if _expires(e, clock)])
    rejected = yield from _ask([e for e in entries if _open(e)], seconds, write)
    _renew(rejected)
    yield from _ask([e for e in rejected if _open(e)], seconds, write, final=True)
    if rest := [e for e in entries if e.verdict is None]:
        write(rest)
        yield rest


def _spare(entries: Sequence[Entry], kind: str) -> None:
    """Leave orders and trades to who reads them already; what a person wants is read."""
    busy = being_read([e.connection_id for e in entries], kind) if entries else ()
    for entry in entries:
        entry.trades = entry.connection_id not in busy


def _look(
    connections: Iterable[Connection],
) -> tuple[Clock, dict[UUID, Knowledge]]:
    """Return the database's time, and what is known of the accounts."""
    now, known = knowledge.read([c.pk for c in connections])
    return Clock(now, monotonic()), known


def _enter(
    connection: Connection,
    run: SyncRun | None,
    kind: str,
    clock: Clock,
    known: Knowledge | None,
) -> Entry:
    run = run or new_run(connection, kind)
    run.started = clock.moment
    since = clock.moment - timedelta(days=settings.TRANSACTION_DAYS)
    try:
        provider = adapter_of(connection)
    except ProviderError as error:
        return Entry(run, error=error)
    if isinstance(provider, TakesTypedBalances):
        return Entry(run, settled=Verdict())  # there is nobody to ask
    listing = known is not None and (
        isinstance(provider, ListsMovements) or known.chained
    )
    before = known.before() if listing else {}
    if kind == SyncRun.Kind.EMERGENCY:
        since = clock.moment - timedelta(days=settings.RECOVERY_DAYS)
        before = {name: anew(one) for name, one in before.items()}
    visit = Visit(connection, provider, kind, clock, since, before)
    trades = is_due(connection, provider, kind, clock.moment)
    return Entry(run, visit, knowledge=known, trades=trades)


def anew(before: Before) -> Before:
    """Return what is known, without what says how far movements were read."""
    return replace(before, cursor="", read_at=None)


def new_run(connection: Connection, kind: str) -> SyncRun:
    """Return a sync run that nobody has written down yet."""
    # By name, and with a row to check, the constructor takes three times as long.
    run = SyncRun(*BLANK)
    run.pk, run.connection_id, run.kind, run.results = uuid4(), connection.pk, kind, []
    SyncRun.connection.field.set_cached_value(run, connection)
    return run


def _open(entry: Entry) -> bool:
    return entry.visit is not None and entry.error is None


def _expires(entry: Entry, clock: Clock) -> bool:
    visit = entry.visit
    return _open(entry) and tokens.expires_soon(
        visit.connection, visit.provider, clock.moment
    )


def _ask(
    entries: Sequence[Entry],
    seconds: float,
    write: Callable[[Sequence[Entry]], None],
    *,
    final: bool = False,
) -> Generator[list[Entry], None, list[Entry]]:
    """Visit all `entries`, write each and yield it; return those that need a new token."""
    rejected: list[Entry] = []
    jobs = [(entry.visit.provider, entry.visit.call()) for entry in entries]
    longest = seconds
    if seconds >= USUAL:  # nobody is in a hurry: who is known to be slow is waited for
        longest = max([seconds, *(provider.deadline for provider, _ in jobs)])
    answers = fleet().run_each(
        jobs, seconds=longest, least=seconds, chunk=TOGETHER, linger=LINGER
    )
    for chunk in answers if jobs else ():
        ready = []
        for index, answer in chunk:
            entry = entries[index]
            entry.error = answer if isinstance(answer, ProviderError) else None
            (rejected if not final and _renewable(entry) else ready).append(entry)
        if ready:
            write(ready)
            yield ready
    return rejected


def _renewable(entry: Entry) -> bool:
    return isinstance(entry.error, AuthenticationFailed) and isinstance(
        entry.visit.provider, RenewsTokens
    )


def _renew(entries: Sequence[Entry]) -> None:
    """Give `entries` new tokens to go on with; who cannot have one keeps the reason."""
    if not entries:
        return
    failed = tokens.refresh_all([entry.visit.connection for entry in entries])
    for entry in entries:
        visit = entry.visit
        entry.error = failed.get(visit.connection.pk)
        if entry.error is None:
            visit.provider = adapter_of(visit.connection)
