"""What waits for a person, in one list: nothing else on the first page does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now

from accounts.admin import show
from accounts.admin.connection import has_credentials
from accounts.models import Connection, Discrepancy, QuarantinedReading
from accounts.services.events.watches import SOON
from automation.models import RuleRun, Transfer

EACH = 5

Need = dict[str, Any]


def mine(request: HttpRequest, model: type):
    """Return the rows that this user's pages show."""
    return admin.site.get_model_admin(model).get_queryset(request)


def stuck_url() -> str:
    listing = reverse("admin:automation_transfer_changelist")
    return f"{listing}?needs_person__exact=1"


def needs(request: HttpRequest, connections: Sequence[Connection]) -> list[Need]:
    """Return what waits for this user, the most urgent first."""
    return [
        *transfers(request),
        *(reconnect(request, row) for row in connections if row.needs_person),
        *runs(request),
        *quarantined(request),
        *discrepancies(request),
        *consents(connections),
    ]


def need(tone: str, what: SafeString, text: Any = "", button: Any = None) -> Need:
    return {"tone": tone, "what": what, "text": text, "button": button}


def transfers(request: HttpRequest) -> Iterator[Need]:
    rows = mine(request, Transfer).filter(needs_person=True)
    if count := rows.count():
        noun = "transfer needs" if count == 1 else "transfers need"
        yield need("bad", to(stuck_url(), f"{count} {noun} a person"))


def reconnect(request: HttpRequest, row: Connection) -> Need:
    """Return a connection that waits for a person, with its button."""
    pages = admin.site.get_model_admin(Connection)
    buttons = pages.buttons(request, row)
    main = next((b for b in buttons if b["mark"].tone == "main"), None)
    text = format_html("{} {}", show.health(row), row.error)
    if main is None and has_credentials(row):
        text = format_html("{} {}", text, pages.reconnect_link(row))
    return need("bad", show.link(row), text, main)


def runs(request: HttpRequest) -> Iterator[Need]:
    rows = mine(request, RuleRun).filter(status=RuleRun.Status.AWAITING_APPROVAL)
    for row in rows.select_related("rule").order_by("created")[:EACH]:
        said = format_html("waits for approval, asked {}", show.when(row.created))
        yield need("warn", show.link(row, str(row.rule)), said)
    if (more := rows.count() - EACH) > 0:
        noun = "run waits" if more == 1 else "runs wait"
        yield need("warn", to(listing(RuleRun), f"{more} more {noun} for approval"))


def quarantined(request: HttpRequest) -> Iterator[Need]:
    rows = mine(request, QuarantinedReading).waiting()
    if count := rows.count():
        noun = "reading is" if count == 1 else "readings are"
        url = f"{listing(QuarantinedReading)}?status__exact=open"
        yield need("bad", to(url, f"{count} {noun} not believed"))


def discrepancies(request: HttpRequest) -> Iterator[Need]:
    rows = mine(request, Discrepancy).filter(status=Discrepancy.Status.OPEN)
    if count := rows.count():
        noun = "discrepancy is" if count == 1 else "discrepancies are"
        url = f"{listing(Discrepancy)}?status__exact=open"
        yield need("warn", to(url, f"{count} {noun} open"))


def consents(connections: Sequence[Connection]) -> Iterator[Need]:
    moment = now()
    for row in connections:
        ends = row.consent_expires_at
        if ends is None or row.needs_person or ends >= moment + SOON:
            continue
        left = show.deadline(ends, row.consent_days_left)
        text = format_html("consent: {}", left)
        yield need("bad" if ends <= moment else "warn", show.link(row), text)


def listing(model: type) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")


def to(url: str, text: str) -> SafeString:
    return format_html('<a class="bs-link" href="{}">{}</a>', url, text)
