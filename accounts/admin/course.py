"""The chart on an account's page: what was held, as a picture, in figures, as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.timezone import now

from accounts.downloads import download
from accounts.history.course import LENGTHS, Course, Run
from accounts.history.files import FORMS
from accounts.history.trends import Direction, Trend
from accounts.models import Account
from accounts.services import days, history, trends
from providers.money import Asset, pretty

from . import show

WIDTH, HEIGHT = 1_000, 1_000  # of the picture's own grid
ROOM = 60  # kept free above and below
DOT = 6  # the least length of a line
RANGES = {name: (f"{name[:-1]} {name[-1]}", span) for name, span in LENGTHS.items()}
RANGES |= {"all": ("All", None)}
USUAL = "30d"
TONES = {Direction.INCREASING: "ok", Direction.DECREASING: "warn"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A line of steps as SVG paths, one for each run without a gap."""

    paths: list[str]
    high: str
    low: str
    zero: int | None
    marks: list[tuple[int, int, str, str]]  # x, y, when, how much


def picture(course: Course, unit: Asset, since: datetime, until: datetime) -> Picture:
    """Return the picture of a course of which something is known."""
    low = min(column.least for column in course)
    high = max(column.most for column in course)

    def y(amount: int) -> int:
        if high == low:
            return HEIGHT // 2
        free = HEIGHT - 2 * ROOM
        return HEIGHT - ROOM - (amount - low) * free // (high - low)

    step, wide = (until - since) / course.columns, WIDTH // course.columns
    return Picture(
        paths=[steps(run, y, wide) for run in course.runs],
        high=pretty(high, unit),
        low=pretty(low, unit),
        zero=y(0) if low < 0 < high else None,
        marks=[
            (
                column.at * wide,
                y(column.last),
                show.exact(since + column.at * step),
                pretty(column.last, unit),
            )
            for column in course
        ],
    )


def steps(run: Run, y, wide: int) -> str:
    """Return a line that stays where it is until the next column, each so `wide`."""
    drawn = []
    for column in run.columns:
        x = min(column.at * wide, WIDTH - DOT)
        drawn.append(f"H{x}" if drawn else f"M{x} {y(column.last)}")
        if column.least != column.most:
            drawn += [f"V{y(column.least)}", f"V{y(column.most)}"]
        drawn.append(f"V{y(column.last)}")
    # What was known of one moment only is a dot: a line needs some length.
    end = max(run.end, run.columns[-1].at)
    return "".join(drawn) + (f"H{end * wide}" if end > run.columns[0].at else f"h{DOT}")


def course_of(row: Account, chosen: str, moment: datetime) -> dict[str, Any]:
    """Return what the page shows of the history of `row`."""
    name = chosen if chosen in RANGES else USUAL
    length = RANGES[name][1]
    since = moment - length if length else beginning(row, moment)
    trend, course = trends.drawn(row, since, moment)
    return {
        "range": name,
        "ranges": [(key, text) for key, (text, _) in RANGES.items()],
        "since": since,
        "until": moment,
        "picture": picture(course, row.unit, since, moment) if course.runs else None,
        "figures": list(figures(trend, row)),
        "days_until": days.days_until(row, since, moment),
        "direction": show.label(trend.direction, TONES.get(trend.direction, "")),
    }


def beginning(row: Account, moment: datetime) -> datetime:
    """Return when the history of `row` begins."""
    first = row.days.order_by("day").values_list("first_at", flat=True).first()
    return min(first or moment, moment - timedelta(hours=1))


def figures(trend: Trend, row: Account) -> list[tuple[str, SafeString | str, str]]:
    """Return the figures of a trend: what each is called, what it is, what it means."""
    percent = trend.percent_change
    return [
        (
            "Change",
            show.UNKNOWN
            if trend.change is None
            else show.change(trend.change, row.asset),
            "" if percent is None else f"{percent:+.2f} %",
        ),
        ("Lowest", show.money(trend.least, row.asset), ""),
        ("Highest", show.money(trend.most, row.asset), ""),
        ("Average", show.money(trend.mean, row.asset), "over time"),
        ("Swing", ratio(trend.volatility), "standard deviation, of the average"),
        ("Trend line", ratio(trend.strength), f"of the average; {fit(trend)}"),
    ]


def fit(trend: Trend) -> str:
    """Return in words how well the line fits."""
    if trend.r_squared is None:
        return "nothing to explain"
    return f"explains {trend.r_squared * 100:.0f} %"


def ratio(value: Decimal | None) -> SafeString | str:
    """Return a part of one as a percentage."""
    return show.UNKNOWN if value is None else f"{value * 100:.1f} %"


class WithCourse:
    """Puts the chart of its history under an account's fields."""

    change_form_outer_after_template = "balsync/course_and_panels.html"

    def get_urls(self):
        view = self.admin_site.admin_view(self.history_file)
        name = "_".join([*self._route, "course"])
        return [
            path("<uuid:object_id>/course.<str:form>", view, name=name),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None and self.has_view_permission(request, row):
            chosen = request.GET.get("range", USUAL)
            context["course"] = course_of(row, chosen, now()) | {
                "links": [(form.upper(), self.file_url(row, form)) for form in FORMS]
            }
        return super().change_view(request, object_id, form_url, context)

    def file_url(self, row: Account, form: str) -> str:
        route = "_".join([*self._route, "course"])
        return reverse(f"admin:{route}", args=[row.pk, form])

    def history_file(self, request, object_id, form: str) -> StreamingHttpResponse:
        """Download the whole history of an account."""
        row = self.get_object(request, str(object_id))
        if row is None or form not in FORMS:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return download(row, history.lines(history.period(row)), form)
