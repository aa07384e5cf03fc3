"""A monitor reads true figures, from the rows and from Redis, however many workers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import Balance, Connection, IdempotencyKey, SyncRun
from accounts.services.instant import tally
from accounts.services.instant.cache import LOOKUPS
from automation.models import Transfer
from balsync_project import heartbeats
from providers.breaker import Report
from providers.drivers import gate_for
from tests import fixtures_api
from tests.fixtures_api import cash_slug

pytestmark = pytest.mark.django_db
ONE = "k" * 43
world = fixtures_api.world


def read(answer) -> dict[tuple[str, frozenset], float]:
    """Return each sample of a scrape by its name and labels."""
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    families = list(text_string_to_metric_families(answer.content.decode()))
    samples = [sample for family in families for sample in family.samples]
    found = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
    assert len(found) == len(samples)
    return found


def value(found, name: str, **labels: str) -> float:
    return found[f"balsync_{name}", frozenset(labels.items())]


def sync(row: Connection, status: str, seconds: float, requests: int, ago: int = 5):
    ended = now() - timedelta(minutes=ago)
    run = SyncRun.objects.create(
        connection=row,
        kind="periodic",
        status=status,
        started=ended - timedelta(seconds=seconds),
        finished=ended,
        requests=requests,
    )
    SyncRun.objects.filter(pk=run.pk).update(created=ended)


def test_figures_are_those_of_the_rows(world, client, valkey):
    mine = world.mine
    bank = mine.connection.provider
    SyncRun.objects.update(created=now() - timedelta(hours=2))
    for seconds in range(1, 10):
        sync(mine.connection, "ok", seconds, requests=3)
    sync(world.theirs.connection, "failed", 100, requests=1)
    sync(mine.connection, "ok", 500, requests=500, ago=61)
    Balance.objects.update(fetched_at=now())
    Balance.objects.filter(account=mine.main).update(
        fetched_at=now() - timedelta(hours=3)
    )
    Balance.objects.filter(account=mine.pot).delete()
    Transfer.objects.filter(pk=mine.transfer.pk).update(
        status="unknown",
        settled_at=None,
        needs_person=True,
        next_attempt_at=now() - timedelta(hours=1),
    )
    for replays in (0, 4):
        IdempotencyKey.objects.create(
            caller="x", route="y", key=f"k{replays}", fingerprint="f", replays=replays
        )

    with CaptureQueriesContext(database) as asked:
        found = read(client.get("/metrics"))

    assert len(asked) == 8
    of_bank = {"provider": bank}
    assert value(found, "sync_runs_1h", kind="periodic", status="ok", **of_bank) == 9
    assert value(found, "sync_success_ratio_1h", **of_bank) == 0.9
    quantiles = [
        value(found, "sync_duration_seconds_1h", quantile=q, **of_bank)
        for q in ("0.5", "0.95", "0.99")
    ]
    assert quantiles == pytest.approx([5.5, 59.05, 91.81])
    assert value(found, "provider_requests_1h", **of_bank) == 28
    assert value(found, "balances_stale", **of_bank) == 1
    assert value(found, "balances_unknown", **of_bank) == 1
    assert value(found, "balance_oldest_seconds", **of_bank) == pytest.approx(
        3 * 3600, abs=60
    )
    assert value(found, "transfers", status="unknown") == 1
    assert value(found, "transfers", status="sending") == 0
    assert value(found, "transfers_need_person") == 1
    assert value(found, "runs", status="succeeded") == 2
    assert value(found, "work_waiting", work="transfer") == 1
    assert value(found, "work_waiting_seconds", work="transfer") > 3500
    assert value(found, "work_waiting_seconds", work="delivery") == 0
    assert value(found, "idempotent_answers_1h", answer="repeated") == 4
    names = {sample[0] for sample in found}
    told = {label for sample in found for label in sample[1]}
    for row in (mine.main, mine.connection, mine.workspace, mine.connection.label):
        assert not any(str(getattr(row, "pk", row)) in text for _, text in told)
    assert len(names) > 15


def test_figures_of_redis_are_those_of_every_process(client, valkey):
    slug = cash_slug()
    valkey.rpush("sync", "one", "two")
    heartbeats.write("beat")
    gate_for(slug).breaker.exchange(Report(failed=50))

    found = read(client.get("/metrics"))

    assert value(found, "queue_depth", queue="sync") == 2
    assert value(found, "queue_depth", queue="automation") == 0
    assert value(found, "heartbeat_age_seconds", role="beat") < 60
    assert (
        "balsync_heartbeat_age_seconds",
        frozenset({("role", "worker-sync")}),
    ) not in found
    assert value(found, "breaker_state", provider=slug, state="open") == 1
    assert value(found, "breaker_state", provider=slug, state="closed") == 0
    assert value(found, "source_up", source="broker") == 1


def test_look_ups_of_every_process_are_summed_each_once(client, valkey):
    tally.share()
    valkey.delete(LOOKUPS)
    other = type(tally)()  # another process counts for itself
    for counting, hit in ((other, True), (other, False), (other, True), (tally, True)):
        counting.count(hit)
    other.share()

    for _ in range(2):
        found = read(client.get("/metrics"))

    assert value(found, "instant_lookups", answer="hit") == 3
    assert value(found, "instant_lookups", answer="miss") == 1
    assert value(found, "instant_hit_ratio") == 0.75
    assert value(found, "source_up", source="cache") == 1


def test_what_is_away_is_said_and_the_rest_is_told(client, settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"

    found = read(client.get("/metrics"))

    assert value(found, "source_up", source="broker") == 0
    assert value(found, "source_up", source="database") == 1
    assert value(found, "work_waiting", work="run") == 0
    assert not any("queue_depth" in name for name, _ in found)


def test_nobody_else_reads_them(client, settings):
    def status(**headers: str) -> int:
        return Client().get("/metrics", **headers).status_code

    assert status() == 200
    assert status(REMOTE_ADDR="10.0.0.9") == 403
    assert status(REMOTE_ADDR="") == 403
    assert status(HTTP_X_FORWARDED_FOR="127.0.0.1") == 403
    assert client.post("/metrics").status_code == 405
    settings.METRICS_TOKEN = ONE
    assert status() == 401
    assert status(HTTP_AUTHORIZATION=f"Bearer {ONE}x") == 401
    assert status(HTTP_AUTHORIZATION=f"Basic {ONE}") == 401
    assert status(HTTP_AUTHORIZATION="Bearer é") == 401
    told = {"REMOTE_ADDR": "10.0.0.9", "HTTP_AUTHORIZATION": f"Bearer {ONE}"}
    assert status(**told) == 200
