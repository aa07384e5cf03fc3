"""Inbound webhooks: a hint is noted once, and the provider is asked what is true."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Func, Value
from django.db.models.functions import Least, Now
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Connection, SyncRun, WebhookInbox
from accounts.models.idempotency import delete_in_batches
from accounts.signals import webhook_fetched
from providers.base import Place, RegistersWebhooks, SendsWebhooks
from providers.errors import ProviderError
from providers.money import Asset

from . import instant
from .adapters import adapter_of
from .calling import call
from .requests import request_sync

log = structlog.get_logger(__name__)
FIRST_TRY = timedelta(seconds=10)  # a fetch that was lost is asked for again
LAST_TRY = timedelta(minutes=10)
DOUBLINGS = 6  # from the first pause to the last; more would overflow an interval
LONGEST_ID = 100
# By the database's clock, which also tells when a sync began. It waits for no lock that a
# sync of the connection holds. What is told otherwise under a known name takes the place
# of what was said before, and is new: else whoever can guess the name of an event, and is
# believed, could keep it from ever being asked about. Whoever asks about another event
# that was told just now finds this one, too.
NOTE = """
INSERT INTO accounts_webhookinbox AS w
  (id, created, connection_id, event_id, tries, next_try_at, body, deliveries)
SELECT t.id, statement_timestamp(), t.connection_id, t.event_id, 0,
       statement_timestamp() + t.first_try, t.body, 1
FROM (VALUES (%s::uuid, %s::uuid, %s::text, %s::interval, %s::bytea))
  AS t(id, connection_id, event_id, first_try, body)
ON CONFLICT (connection_id, event_id) DO UPDATE SET
  deliveries = w.deliveries + 1,
  (id, created, tries, next_try_at, fetched_at, body) = (
    SELECT n.id, n.created, n.tries, n.next_try_at, n.fetched_at, n.body
    FROM (VALUES
      (true, w.id, w.created, w.tries, w.next_try_at, w.fetched_at, w.body),
      (false, EXCLUDED.id, EXCLUDED.created, EXCLUDED.tries, EXCLUDED.next_try_at,
       EXCLUDED.fetched_at, EXCLUDED.body)
    ) AS n(same, id, created, tries, next_try_at, fetched_at, body)
    WHERE n.same = coalesce(w.body = EXCLUDED.body, true))
RETURNING id = %s, NOT EXISTS (
  SELECT FROM accounts_webhookinbox o
  WHERE o.connection_id = w.connection_id AND o.id <> w.id AND o.fetched_at IS NULL
  AND o.next_try_at IS NOT NULL AND o.created > statement_timestamp() - %s)
"""
HEARD = (SyncRun.Status.OK, SyncRun.Status.PARTIAL)


class NoWebhooks(ProviderError):
    """This provider does not call anybody."""

    code = "no_webhooks"


class UnknownWebhook(ProviderError):
    """Nobody listens at this address."""

    code = "unknown_webhook"


@dataclass(frozen=True, slots=True)
class Opened:
    """A new secret address, and where a person has to type it in, if one has to."""

    url: str
    where: str


def listen(connection: Connection) -> Opened:
    """Open a new secret address; older ones are dead.

    A provider that can be told knows it from now on. Raises NoWebhooks, and
    ProviderError where the provider would not be told.
    """
    secret = secrets.token_urlsafe(32)  # 256 bits: nothing else protects the address
    path = reverse("webhook", kwargs={"slug": connection.provider, "secret": secret})
    url = settings.BALSYNC_PUBLIC_URL.rstrip("/") + path
    # Known here before it is known there: no event may find the door closed.
    _keep(connection, digest(secret))
    return Opened(url, _tell(connection, url))


def stop_listening(connection: Connection) -> None:
    """Close the address, and let the provider forget it; raises as `listen` does."""
    _keep(connection, None)
    _tell(connection, None)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _keep(connection: Connection, value: str | None) -> None:
    _listening(connection)
    connection.webhook_digest = value
    connection.save(update_fields=["webhook_digest"])


def _listening(connection: Connection) -> SendsWebhooks:
    provider = adapter_of(connection)
    if not isinstance(provider, SendsWebhooks):
        raise NoWebhooks
    return provider


def hooks(connection: Connection) -> list[str]:
    """Return the addresses that the provider calls, ours with its secret blotted out.

    Raises NoWebhooks where it cannot be asked for them, and ProviderError.
    """
    if not isinstance(_listening(connection), RegistersWebhooks):
        raise NoWebhooks("This provider shows its webhooks in its own pages alone")
    found: dict[str, None] = {}
    for place in _places(connection):
        for url in call(connection, lambda p, place=place: p.hooks(place)):
            found[_blotted(connection, url)] = None
    return list(found)


def _blotted(connection: Connection, url: str) -> str:
    ours = _ours(connection)
    if not url.startswith(ours):
        return url
    secret = url.removeprefix(ours).strip("/")
    known = digest(secret) == connection.webhook_digest
    return f"{ours}… ({'this one' if known else 'an older one'})"


def _ours(connection: Connection) -> str:
    return settings.BALSYNC_PUBLIC_URL.rstrip("/") + f"/webhooks/{connection.provider}/"


def _tell(connection: Connection, url: str | None) -> str:
    """Let the provider know; return where a person must, if it cannot be told."""
    provider = _listening(connection)
    if not isinstance(provider, RegistersWebhooks):
        return provider.webhooks_where
    ours = _ours(connection)
    for place in _places(connection):
        call(connection, lambda p, place=place: p.listen(place, url, ours=ours))
    return ""


def _places(connection: Connection) -> list[Place]:
    rows = connection.accounts.filter(parent=None, closed_at=None, active=True)
    return [
        Place(row.external_id, row.kind, asset=Asset.parse(row.asset)) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Noted:
    """An event that was told, whose it is, and whether it is told like that just now.

    `first`: no other of the connection, told just before, is being asked about.
    """

    connection_id: UUID
    new: bool
    first: bool


def receive(slug: str, secret: str, headers: Mapping[str, str], body: bytes) -> Noted:
    """Note an event once, and wait for nothing else: `follow` asks what is true.

    Raises UnknownWebhook, and what `SendsWebhooks.hint` raises.
    """
    rows = Connection.objects.in_use().filter(provider=slug)
    connection = rows.filter(webhook_digest=digest(secret)).first()
    if connection is None:
        raise UnknownWebhook
    try:
        hint = _listening(connection).hint(headers, body)
    except ProviderError as error:
        log.warning("webhook_refused", connection=str(connection.pk), code=error.code)
        raise
    row, name = uuid4(), _fitting(hint.event_id)
    told = (row, connection.pk, name, FIRST_TRY, body, row, FIRST_TRY)
    with database.cursor() as cursor:
        cursor.execute(NOTE, told)
        new, first = cursor.fetchone()
    log.info("webhook_received", connection=str(connection.pk), new=new)
    return Noted(connection.pk, new, first)


def follow(connection_id: UUID, *, first: bool = True) -> SyncRun | None:
    """Return a sync that will find out what is true; until then nothing kept is fresh.

    The caller publishes `accounts.tasks.run_sync`. None where the sync that asks about
    another event, which was the `first`, will see to this one.
    """
    instant.hint(connection_id)
    if not first:
        return None
    connection = Connection.objects.get(pk=connection_id)
    return request_sync(connection, SyncRun.Kind.WEBHOOK)


def _fitting(event_id: str) -> str:
    if 0 < len(event_id) <= LONGEST_ID and event_id.isprintable():
        return event_id
    # JSON may hold half a character, which has no bytes in UTF-8.
    told = event_id.encode("utf-8", "surrogatepass")
    return "sha256:" + hashlib.sha256(told).hexdigest()


def announce_fetched(run: SyncRun) -> SyncRun | None:
    """Tell of the events that `run` has read about; return a sync for any that came later."""
    return next(iter(announce_all([run])), None)


def announce_all(runs: Iterable[SyncRun]) -> list[SyncRun]:
    """Tell of the events that `runs` have read about, whatever those were made for.

    Returns syncs to be queued for events that came later. What began when is told by
    the database's clock alone.
    """
    heard = {run.connection_id: run for run in runs if run.status in HEARD}
    waiting = WebhookInbox.objects.waiting().filter(connection__in=heard)
    events = list(waiting.order_by("connection_id", "created"))
    for event in events:
        if event.created >= heard[event.connection_id].started:
            continue
        # First the news, then the mark: who dies in between says it twice. What was
        # told otherwise meanwhile has another id, and is not marked.
        webhook_fetched.send(
            sender=WebhookInbox,
            connection_id=event.connection_id,
            event_id=event.event_id,
        )
        WebhookInbox.objects.filter(pk=event.pk).update(fetched_at=Now())
    # Looked at once more: until now, who came relied on those that were waiting.
    late = set(waiting.values_list("connection_id", flat=True)) if events else ()
    return [
        request_sync(run.connection, SyncRun.Kind.WEBHOOK)
        for pk, run in sorted(heard.items())
        if pk in late
    ]


def claim_unfetched() -> list[UUID]:
    """Return syncs to be queued for events whose own sync was lost or failed."""
    _give_up()
    with transaction.atomic():
        late = WebhookInbox.objects.waiting().select_for_update(skip_locked=True)
        late = late.filter(next_try_at__lte=Now(), connection__archived_at=None)
        rows = list(late.select_related("connection")[:500])
        WebhookInbox.objects.filter(pk__in=[row.pk for row in rows]).update(
            tries=F("tries") + 1, next_try_at=Now() + _pause()
        )
        owners = {row.connection_id: row.connection for row in rows}
        # In order of id, as whoever locks many connections takes them.
        ordered = [owners[pk] for pk in sorted(owners)]
        return [request_sync(c, SyncRun.Kind.WEBHOOK).pk for c in ordered]


def _give_up() -> None:
    """Note the events that nobody could read about in a day, so that a person sees them."""
    with transaction.atomic():
        late = WebhookInbox.objects.waiting().select_for_update(skip_locked=True)
        rows = list(late.filter(created__lte=Now() - WebhookInbox.GIVEN_UP)[:500])
        ids = [row.pk for row in rows]
        WebhookInbox.objects.filter(pk__in=ids).update(next_try_at=None)
    for row in rows:
        log.error(
            "webhook_given_up",
            connection=str(row.connection_id),
            event_id=row.event_id,
            tries=row.tries,
        )


def _pause() -> Func:
    """Return, for a query, the pause before the next try: it doubles up to ten minutes."""
    times = Func(2, Least(F("tries"), DOUBLINGS), function="power")
    doubled = ExpressionWrapper(Value(FIRST_TRY) * times, output_field=DurationField())
    return Least(doubled, Value(LAST_TRY))


def forget_old_hints() -> int:
    """Delete the events that are older than 30 days, and return how many.

    Of those that are older than a week, what was said is erased.
    """
    said = WebhookInbox.objects.exclude(body=None)
    said.filter(created__lt=now() - WebhookInbox.BODY_KEPT).update(body=None)
    old = WebhookInbox.objects.filter(created__lt=now() - WebhookInbox.KEPT)
    return delete_in_batches(old)
