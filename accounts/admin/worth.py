"""Net worth, the first thing on the first page: how much, how sure, and how it went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts import services
from accounts.history.course import LENGTHS
from accounts.models import Workspace
from accounts.portfolio.total import Doubt, Portfolio, Share, Status, Why
from providers.money import Asset

from . import show
from .base import Panel
from .course import RANGES, USUAL, picture

WORDS = {
    Why.UNKNOWN: "unknown, not counted",
    Why.NO_RATE: "without a rate, not counted",
    Why.STALE: "stale, counted with the last good value",
    Why.STALE_RATE: "counted by an old rate",
    Why.NO_PAST: "without a known past",
    Why.NOT_READ: "not read since",
    Why.CLOSED: "closed since",
}
BADGES = {
    Status.OK: ("complete", "ok"),
    Status.STALE: ("partly stale", "warn"),
    Status.PARTIAL: ("partial", "bad"),
    Status.UNKNOWN: ("unknown", "bad"),
}


def worth(request, workspaces: Sequence[Workspace]) -> dict[str, Any] | None:
    """Return the card of one workspace: the chosen one, or the first; None: no account."""
    told = request.GET.get("workspace", "")
    chosen = next((w for w in workspaces if str(w.pk) == told), None)
    if chosen is None:
        chosen = next(iter(workspaces), None)
    base = services.base_of(chosen) if chosen else None
    if base is None:
        return None
    table = services.table_of(chosen)
    found = services.portfolio_of(chosen, base, table=table)
    name = request.GET.get("range")
    name = name if name in LENGTHS else USUAL
    course = services.worth_over_time(
        chosen, base, LENGTHS[name], until=found.moment, table=table
    )
    since = found.moment - LENGTHS[name]
    several = len(workspaces) > 1
    return {
        "workspace": chosen,
        "others": [
            (row, "?" + urlencode({"range": name, "workspace": row.pk}))
            for row in workspaces
            if row != chosen
        ],
        "code": base.code,
        "total": show.money(found.total, str(base)),
        "badge": show.label(*BADGES[found.status]),
        "change": change(found),
        "lacks": list(lines(found.doubts)),
        "left_out": list(lines(found.not_compared)),
        "unrated": any(doubt.why == Why.NO_RATE for doubt in found.doubts),
        "rates": [str(rate) for rate in found.rates],
        "found": found,
        "course": {
            "what": "Net worth",
            "range": name,
            "ranges": [(key, RANGES[key][0]) for key in LENGTHS],
            "also": "&" + urlencode({"workspace": chosen.pk}) if several else "",
            "since": since,
            "until": found.moment,
            "picture": picture(course, base, since, found.moment)
            if course.runs
            else None,
        },
    }


def change(found: Portfolio) -> SafeString:
    """Return the change of 24 hours as a badge; what cannot be compared is no zero."""
    told = found.change
    if told is None:
        return show.label("24 h: unknown", "", "Nothing was known a day ago")
    arrow = "▲" if told.difference > 0 else "▼" if told.difference < 0 else ""
    tone = {"▲": "ok", "▼": "bad"}.get(arrow, "")
    amount = show.change(told.difference, str(found.base))
    percent = "" if told.percent is None else f" ({told.percent:+f} %)"
    return format_html(
        '<span class="bs-worth__change bs-worth__change--{}">{} {}{}</span> in 24 h',
        tone,
        arrow,
        amount,
        percent,
    )


def lines(doubts: Iterable[Doubt]) -> Iterable[SafeString]:
    """Yield a line for each reason, with the accounts that it is true of."""
    groups: dict[Why, list[Any]] = {}
    for doubt in doubts:
        groups.setdefault(doubt.why, []).append(doubt.holding.key)
    for why, rows in groups.items():
        noun = "account" if len(rows) == 1 else "accounts"
        yield format_html(
            "{} {} {}: {}",
            len(rows),
            noun,
            WORDS[why],
            listed([show.link(row, show.place(row)) for row in rows]),
        )


def listed(links: Sequence[SafeString], most: int = 12) -> SafeString:
    """Return links one after the other, and how many more there are."""
    shown = format_html_join(", ", "{}", ((link,) for link in links[:most]))
    more = len(links) - most
    return format_html("{} and {} more", shown, more) if more > 0 else shown


def providers_panel(found: Portfolio) -> Panel:
    """Return what each provider has of the total."""
    return shares_panel(
        "Where it is",
        "Provider",
        found,
        [(s, show.provider(s.name)) for s in found.shares(attrgetter("provider"))],
    )


def assets_panel(found: Portfolio) -> Panel:
    """Return what each asset has of the total, and how much of it is held."""
    rows = found.shares(lambda row: row.asset.code)
    return shares_panel("What it is", "Held", found, [(s, held(s)) for s in rows])


def held(share: Share) -> SafeString:
    """Return how much is held of one asset, as finely as the finest of its accounts."""
    finest = max((row.asset for row in share.holdings), key=attrgetter("decimals"))
    known = [
        row.total * 10 ** (finest.decimals - row.asset.decimals)
        for row in share.holdings
        if row.total is not None
    ]
    return show.brief(sum(known) if known else None, str(finest))


def shares_panel(
    title: str, first: str, found: Portfolio, rows: Iterable[tuple[Share, Any]]
) -> Panel:
    base: Asset = found.base
    value = f"In {base.code}"
    return Panel(
        title,
        [first, "Share", value],
        [
            [named(share, name), bar(share), show.money(share.value, str(base))]
            for share, name in rows
        ],
        right=(value,),
    )


def named(share: Share, name: Any) -> SafeString:
    """Return a name, marked where not all of it is counted."""
    hint = "An account of it is unknown or without a rate"
    mark = show.label("partial", "warn", hint) if share.partial else ""
    return format_html("{} {}", name, mark if share.value is not None else "")


def bar(share: Share) -> SafeString:
    """Return a share as a bar; one of nothing has none."""
    if share.percent is None:
        return show.NOTHING
    return format_html(
        '<span class="bs-goal"><progress max="100" value="{}"></progress>{} %</span>',
        min(100, max(0, round(share.percent))),
        f"{share.percent:.1f}",
    )
