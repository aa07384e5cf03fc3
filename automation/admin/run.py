from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from accounts.admin import show
from accounts.admin.base import HistoryAdmin, Panel, tell, verb, warn
from automation import services, tasks
from automation.machine.run import ENDED_BADLY
from automation.models import RuleRun, Transfer

from . import plans
from .transfer import transfers_panel

NEWEST = 10
WAITING = (RuleRun.Status.NOTIFIED, RuleRun.Status.AWAITING_APPROVAL)


def with_moved(rows: QuerySet[RuleRun]) -> QuerySet[RuleRun]:
    """Return runs with what they really moved, in minor units, as `arrived`."""
    return rows.annotate(arrived=Transfer.objects.arrived().sum_of("pk"))


def moved(row: RuleRun) -> SafeString:
    """Return what an annotated run moved; nothing where nothing was sent."""
    if not row.arrived:
        return show.NOTHING
    return show.money(int(row.arrived), row.rule.asset)


TRIGGERS = {
    "manual": "by hand",
    "api": "the API",
    "cron": "a timetable",
    "interval": "the clock",
    "date_range": "the days of the month",
    "balance": "a balance",
    "transaction": "a payment",
    "webhook": "news of the bank",
    "after_rule": "another rule",
}


def trigger_words(row: RuleRun) -> str:
    """Return in words what set a run off."""
    return TRIGGERS.get(row.trigger_kind, show.words(row.trigger_kind))


def awaits(row: RuleRun) -> bool:
    return row.status == RuleRun.Status.AWAITING_APPROVAL and row.approved_at is None


def is_open(row: RuleRun) -> bool:
    return row.status in (*RuleRun.UNFINISHED, RuleRun.Status.QUARANTINED)


def ended_badly(row: RuleRun) -> bool:
    return row.status in (*ENDED_BADLY, RuleRun.Status.QUARANTINED)


@admin.register(RuleRun)
class RuleRunAdmin(HistoryAdmin):
    """Every occurrence of a rule: what was known, decided, sent and confirmed."""

    workspace = "rule__workspace"
    verbs = ("approve", "cancel", "resume")
    change_form_outer_after_template = "automation/run_plan.html"
    list_display = ["moment", "rule", "state", "moved_money", "set_off", "why"]
    list_display_links = ["moment"]
    list_filter = ["status", "trigger_kind", "rule__kind"]
    list_select_related = ["rule"]
    search_fields = ["rule__name", "key", "reason"]
    date_hierarchy = "created"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("state", "moved_money"),
                    ("rule_link", "set_off"),
                    "why",
                ]
            },
        ),
        (
            "When",
            {
                "fields": [
                    ("scheduled_for", "created"),
                    ("planned_at", "finished_at"),
                    ("approved_at", "notice_until"),
                    ("attempts", "next_attempt_at"),
                ]
            },
        ),
        (
            "Traces",
            {
                "fields": [
                    ("requested_by", "approved_by"),
                    ("key", "plan_hash"),
                    "only_planned",
                ]
            },
        ),
    ]

    def get_queryset(self, request):
        return with_moved(super().get_queryset(request).select_related("rule"))

    @admin.display(description="Started", ordering="created")
    def moment(self, row: RuleRun) -> str:
        return show.exact(row.created)

    @admin.display(description="Status", ordering="status")
    def state(self, row: RuleRun) -> SafeString:
        return show.status(row.status, row.reason)

    @admin.display(description="Moved", ordering="arrived")
    def moved_money(self, row: RuleRun) -> SafeString:
        return moved(row)

    @admin.display(description="Set off by", ordering="trigger_kind")
    def set_off(self, row: RuleRun) -> str:
        return trigger_words(row)

    @admin.display(description="Dry run")
    def only_planned(self, row: RuleRun) -> str:
        return "yes: nothing was moved" if row.dry else "no"

    @admin.display(description="Why")
    def why(self, row: RuleRun) -> str:
        return row.reason or show.NOTHING

    @admin.display(description="Rule")
    def rule_link(self, row: RuleRun) -> SafeString:
        return show.link(row.rule)

    def notices(self, request, row: RuleRun) -> Iterable[str]:
        if awaits(row):
            yield f"This plan waits for your approval: {row.reason}"
        if row.status == RuleRun.Status.NOTIFIED and row.notice_until:
            yield f"It is carried out after {show.exact(row.notice_until)}."
        if row.dry:
            yield "This was a dry run: nothing was moved."

    @verb("Approve", tone="main", shown=awaits, carries="plan_hash")
    def approve(self, request, row: RuleRun) -> None:
        seen = request.POST.get("plan_hash", "")
        said = "Approved: it is read again, and carried out if the plan is the same."
        self._decide(request, services.approve_run, row, said, plan_hash=seen)

    @verb("Cancel", tone="bad", hint="Begins nothing more of it", shown=is_open)
    def cancel(self, request, row: RuleRun) -> None:
        said = "Cancelled; what had been begun is finished."
        self._decide(request, services.cancel_run, row, said)

    @verb("Resume", hint="Tries again where nothing can move twice", shown=ended_badly)
    def resume(self, request, row: RuleRun) -> None:
        self._decide(request, services.resume_run, row, "It goes on.")

    def _decide(self, request, act, row: RuleRun, said: str, **told: str) -> None:
        """Do what a person decided, or say why that is not possible."""
        try:
            decided = act(row.pk, user=request.user, **told)
        except services.NotDecidable as error:
            warn(request, str(error))
            return
        tasks.follow(decided)
        tell(request, said)

    def panels(self, request, row: RuleRun) -> Iterable[Panel]:
        plan, names = stored(row)
        if row.status in WAITING or row.dry:
            yield plans.moves_panel(plan, names)
        yield plans.readings_panel(plan, names)
        yield transfers_panel(row.transfers.all())

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None:
            context["plan"] = {"trace": plans.steps(*stored(row))}
        return super().change_view(request, object_id, form_url, context)


def stored(row: RuleRun) -> tuple[dict[str, Any], plans.Names]:
    """Return the plan that a run keeps, and the names in it."""
    plan = {"readings": row.readings, "moves": row.moves, "trace": row.trace}
    return plan, plans.names_of(plan, row.rule.workspace_id)


def runs_panel(rows: QuerySet[RuleRun], more: str) -> Panel:
    """Return the newest runs of a rule."""
    newest = with_moved(rows.select_related("rule")).order_by("-created")[:NEWEST]
    return Panel(
        "Runs",
        ["When", "Status", "Moved", "Set off by", "Why"],
        [
            [
                show.link(run, show.exact(run.created)),
                show.status(run.status, run.reason),
                moved(run),
                trigger_words(run),
                run.reason or show.NOTHING,
            ]
            for run in newest
        ],
        empty="It has not run yet.",
        more=more,
        more_text="All runs",
    )
