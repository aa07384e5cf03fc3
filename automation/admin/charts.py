"""Charts as plain SVG: no script, no picture from elsewhere, colours by the style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from automation.rules.past import Point
from automation.rules.replay import Replay, Row
from providers.money import Asset, pretty

WIDTH, HEIGHT = 1000, 100  # of the picture's own grid; the page stretches it
ROOM = 6  # kept free above and below, so that no line touches the edge


@dataclass(frozen=True, slots=True)
class Mark:
    """A thin line across the picture, and what it tells to who points at it."""

    x: float
    top: float
    bottom: float
    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture between two moments and two amounts."""

    title: str
    high: str
    low: str
    stored: str = ""  # paths
    would: str = ""
    zero: float | None = None
    marks: Sequence[Mark] = ()
    note: str = ""
    warning: str = ""


class Scale:
    """Places moments and amounts in the picture."""

    def __init__(self, since: datetime, until: datetime, low: int, high: int) -> None:
        self.since, self.length = since, until - since
        self.low, self.height = low, max(1, high - low)

    def x(self, at: datetime) -> float:
        return round(WIDTH * ((at - self.since) / self.length), 2)

    def y(self, amount: int) -> float:
        # Divided as integers first: an amount may be larger than a fraction is exact.
        part = (amount - self.low) * 10_000 // self.height / 10_000
        return round(HEIGHT - ROOM - part * (HEIGHT - 2 * ROOM), 2)

    def steps(self, points: Iterable[tuple[datetime, int | None]]) -> str:
        """Return a line that stays where it is until the next point; gaps stay gaps."""
        path, drawn = [], False
        for at, amount in points:
            x = self.x(at)
            if amount is None:
                drawn = False
                continue
            y = self.y(amount)
            path.append(f"H{x}V{y}" if drawn else f"M{x} {y}")
            drawn = True
        return "".join(path)


def moved_chart(found: Replay, asset: str) -> Chart:
    """Return a bar for each occurrence: how much would have moved."""
    unit = Asset.parse(asset)
    high = max((row.total for row in found.rows), default=0)
    scale = Scale(found.stretch.since, found.stretch.until, 0, high)
    return Chart(
        title="Moved at each occurrence",
        high=pretty(high, unit),
        low=pretty(0, unit),
        zero=scale.y(0),
        marks=[bar(row, scale, unit) for row in found.rows],
    )


def bar(row: Row, scale: Scale, unit: Asset) -> Mark:
    """Return the bar of one occurrence; one that moved nothing hangs below the line."""
    x, base = scale.x(row.at), scale.y(0)
    day = f"{row.at:%Y-%m-%d %H:%M} UTC"
    if row.moves:
        text = f"{day}: {pretty(row.total, unit)}"
        return Mark(x, min(scale.y(row.total), base - 1), base, "moved", text)
    tone = "stale" if row.outcome == "skipped_stale" else "none"
    return Mark(x, base, HEIGHT, tone, f"{day}: {row.reason}")


def account_charts(found: Replay, names: Sequence[tuple[str, str, str]]) -> list[Chart]:
    """Return the course of each account in `names`: id, what it is called, asset."""
    return [
        chart
        for account, name, asset in names
        if (chart := account_chart(found, account, name, asset)) is not None
    ]


def account_chart(found: Replay, account: str, name: str, asset: str) -> Chart | None:
    """Return what an account held, and would have held; None if nobody knows."""
    since, until = found.stretch.since, found.stretch.until
    points = thinned(found.course.points(account, since, until), since, until)
    known = [n for p in points for n in (p.stored, p.would) if n is not None]
    if not known:
        return None
    unit, low, high = Asset.parse(asset), min(0, *known), max(0, *known)
    scale = Scale(since, until, low, high)
    would = [(p.at, p.would) for p in points]
    last = points[-1]
    return Chart(
        title=name,
        high=pretty(high, unit),
        low=pretty(low, unit),
        stored=scale.steps((p.at, p.stored) for p in points),
        would=scale.steps(would) if found.course.carry else "",
        zero=scale.y(0),
        note=ending(last, found.course.carry, unit),
        warning=overdrawn(points),
    )


def ending(last: Point, carry: bool, unit: Asset) -> str:
    """Return in words how a course ends."""
    if last.stored is None or last.would is None:
        return ""
    held = pretty(last.stored, unit)
    if not carry or last.would == last.stored:
        return f"ends at {held}"
    return f"ends at {pretty(last.would, unit)} instead of {held}"


def overdrawn(points: Sequence[Point]) -> str:
    """Return a warning where only the rule would have brought an account below zero."""
    for point in points:
        if point.would is not None and point.would < 0 <= (point.stored or 0):
            return f"below zero from {point.at:%d %b %Y}"
    return ""


def thinned(points: list[Point], since: datetime, until: datetime) -> list[Point]:
    """Return at most one point for each step of the picture's grid: the last one."""
    length = until - since
    found = {int(WIDTH * ((point.at - since) / length)): point for point in points}
    return list(found.values())
