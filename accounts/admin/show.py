"""How amounts, ages and states look on a page. An unknown amount is never a zero."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime, now

import providers
from accounts.models import Account, Balance, Connection, Source
from providers.money import Asset, MoneyError, parse_minor, pretty

LIVE_FOR = timedelta(seconds=60)
UNITS = ((86400, "d"), (3600, "h"), (60, "min"))

UNKNOWN = format_html('<span class="bs-unknown">{}</span>', "unknown")
NOTHING = format_html('<span class="bs-quiet bs-none">{}</span>', "–")

TOO_FINE = re.compile(r"(\.\d{8})\d+")  # more decimals than a narrow place shows


def money(minor: int | None, asset: str) -> SafeString:
    """Return an amount that never wraps, with its exact minor units on hover."""
    if minor is None:
        return UNKNOWN
    text = pretty(int(minor), Asset.parse(asset))
    return _amount(minor, text, f"{minor} in minor units of {asset}")


def brief(minor: int | None, asset: str) -> SafeString:
    """Return an amount for a narrow place: further digits are cut off, and on hover."""
    if minor is None:
        return UNKNOWN
    text = pretty(int(minor), Asset.parse(asset))
    hint = f"{text} ({minor} in minor units of {asset})"
    return _amount(minor, TOO_FINE.sub(r"\1…", text), hint)


def _amount(minor: int, text: str, hint: str) -> SafeString:
    return format_html(
        '<span class="bs-money{}" title="{}">{}</span>',
        " bs-money--out" if minor < 0 else "",
        hint,
        text,
    )


def change(minor: int | None, asset: str) -> SafeString:
    """Return an amount with its sign, such as a movement."""
    plus = "+" if (minor or 0) > 0 else ""
    return format_html('<span class="bs-nowrap">{}{}</span>', plus, money(minor, asset))


def noted(text: str, asset: str) -> SafeString:
    """Return minor units that a text column holds as money, any other text as it is."""
    try:
        return money(parse_minor(text), asset)
    except MoneyError:
        return format_html("{}", text) if text else NOTHING


def label(text: str, tone: str = "", hint: str = "") -> SafeString:
    """Return a badge; `tone` is ok, warn, bad, info or nothing."""
    return format_html(
        '<span class="bs-badge{}" title="{}">{}</span>',
        f" bs-badge--{tone}" if tone else "",
        hint,
        text,
    )


def provider(slug: str) -> str:
    """Return what an institution is called; a slug nobody knows any more stays."""
    return providers.load(slug).name if slug in providers.slugs() else slug


def words(value: str) -> str:
    return value.replace("_", " ")


def span(seconds: float) -> str:
    """Return a stretch of time in its largest unit: `41 s`, `3 min`, `5 h`, `2 d`."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(0, seconds))} s"


def when(moment: datetime | None) -> SafeString:
    """Return how long ago, or how soon, with the exact moment on hover."""
    if moment is None:
        return NOTHING
    seconds = (now() - moment).total_seconds()
    text = f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
    return format_html(
        '<time class="bs-nowrap" datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        exact(moment),
        text,
    )


def deadline(moment: datetime | None, days_left: int | None) -> SafeString:
    """Return when something ends; the last week, and what comes after, stand out."""
    if moment is None or days_left is None or days_left >= 7:
        return when(moment)
    if days_left < 0:
        return label("ended", "bad", exact(moment))
    days = f"{days_left} days left" if days_left > 1 else "the last day"
    return label(days, "warn" if days_left > 1 else "bad", exact(moment))


def due(moment: datetime | None) -> SafeString:
    """Return when something is due; what is past waits for the next tick."""
    if moment is None:
        return NOTHING
    return label("now", "info", exact(moment)) if moment <= now() else when(moment)


def exact(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """Return a moment to the second, in `zone` or that of the site."""
    return f"{localtime(moment, zone):%Y-%m-%d %H:%M:%S %Z}" if moment else "–"


def known(account: Account) -> Balance | None:
    """Return the newest accepted reading; None means unknown."""
    return getattr(account, "balance", None)


def age(account: Account) -> SafeString:
    """Return how far an account's balance may be trusted now, as a badge."""
    balance = known(account)
    if balance is None:
        return label("unknown", "bad", "No reading was accepted yet")
    old = now() - balance.fetched_at
    ago = f"{span(old.total_seconds())} ago"
    hint = f"{balance.source}, confirmed {exact(balance.fetched_at)}"
    if balance.trouble:
        return label(f"stale · {ago}", "bad", f"{balance.trouble} – {hint}")
    interval = timedelta(seconds=account.connection.sync_interval_seconds)
    if balance.is_overdue(interval):
        return label(f"stale · {ago}", "warn", hint)
    if balance.source in (Source.LIVE, Source.STREAM) and old <= LIVE_FOR:
        return label("live", "ok", hint)
    return label(ago, "", hint)


HEALTH = {
    Connection.Health.OK: "ok",
    Connection.Health.NEW: "info",
    Connection.Health.FAILING: "warn",
    Connection.Health.AWAITING_APPROVAL: "warn",
    Connection.Health.RECONNECT_NEEDED: "bad",
}


def health(connection: Connection) -> SafeString:
    return label(
        words(connection.health), HEALTH.get(connection.health, ""), connection.error
    )


TONES = {
    "ok": "ok",
    "live": "ok",
    "connecting": "info",
    "waiting": "warn",
    "paused": "warn",
    "done": "ok",
    "succeeded": "ok",
    "accepted": "ok",
    "resolved": "ok",
    "partial": "warn",
    "warning": "warn",
    "open": "warn",
    "missed": "warn",
    "awaiting_approval": "warn",
    "notified": "info",
    "unknown": "warn",
    "fetched": "ok",
    "given_up": "bad",
    "stranded": "bad",
    "failed": "bad",
    "refused": "bad",
    "error": "bad",
    "critical": "bad",
    "quarantined": "bad",
    "expired": "bad",
    "running": "info",
    "sending": "info",
    "due": "info",
    "planned": "info",
    "requested": "info",
    "pending": "info",
}


def status(value: str, hint: str = "") -> SafeString:
    return label(words(value), TONES.get(value, ""), hint)


def page(row) -> str:
    """Return the address of a row's page in the admin."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def link(row, text: str = "") -> SafeString:
    """Return a link to a row's page; nothing where there is no row."""
    if row is None:
        return NOTHING
    return format_html('<a class="bs-link" href="{}">{}</a>', page(row), text or row)


def place(account: Account) -> str:
    """Return an account with what it is inside of: `Current › Bills`."""
    return f"{account.parent} › {account}" if account.parent else str(account)
