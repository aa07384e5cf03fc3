"""Whether balsync lives, and whether it can do its work: for monitors, open to all."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from . import heartbeats, jobs

OK = "ok"


@never_cache
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """Answer 200: this process answers."""
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when everything works, else 503 with what is silent and why."""
    checks = looked()
    failed = {name: said for name, said in checks.items() if said != OK}
    body = {"status": "unready" if failed else OK, "checks": checks}
    if failed:
        body["reason"] = "; ".join(f"{name}: {said}" for name, said in failed.items())
    return JsonResponse(body, status=503 if failed else 200)


def looked() -> dict[str, str]:
    """Return `ok`, or what is wrong, for each part."""
    checks = {"database": database(), **broker_and_heartbeats()}
    if checks["database"] == checks["broker"] == OK:
        checks["jobs"] = jobs_in_time()
    return checks


def jobs_in_time() -> str:
    """Return `ok` unless a job that keeps the others going is late."""
    try:
        late = [job for job in jobs.known() if job.late and job.is_vital]
    except (redis.RedisError, DatabaseError) as error:
        return _first_line(error)
    return f"{len(late)} of beat's jobs late" if late else OK


def database() -> str:
    """Return `ok`, or why the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return _first_line(error)
    return OK


def broker_and_heartbeats() -> dict[str, str]:
    """Return `ok`, or what is wrong, for the broker and for each role."""
    try:
        with heartbeats.store() as client:
            ages = heartbeats.ages(client)
    except redis.RedisError as error:
        return {"broker": _first_line(error)}
    return {"broker": OK, **{role: said(age) for role, age in ages.items()}}


def said(age: float | None) -> str:
    """Return `ok` for a recent sign of life."""
    if age is None:
        return "no sign of life yet"
    if age > settings.HEARTBEAT_LOST_AFTER.total_seconds():
        return f"silent for {age:.0f} s"
    return OK


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
