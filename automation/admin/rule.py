from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import publishing
from accounts.admin import show
from accounts.admin.base import Panel, Role, ScopedAdmin, nonce_of, tell, verb, warn
from automation import services, tasks
from automation.models import Rule, RuleLeg, RuleRun, Trigger
from automation.schedules import LOOKS

from . import plans
from .line_forms import TRIGGER_WORDS
from .replay_page import ROUTE as REPLAY
from .replay_page import ReplayPage, replay_url
from .rule_page import RulePage
from .run import runs_panel
from .simulate_page import ROUTE as SIMULATE
from .simulate_page import SimulatePage, simulate_url
from .template_pages import LIST as TEMPLATES
from .template_pages import ONE as TEMPLATE
from .template_pages import TemplatePage

# Each is asked for of the rules that are shown: joined, all runs there ever were are read.
# The newest run is that of the newest occurrence, which an index finds.
OWN = {"rule": OuterRef("pk")}
LEG_COUNT = Coalesce(
    Subquery(
        RuleLeg.objects.filter(**OWN).order_by().values("rule").values(many=Count("pk"))
    ),
    0,
)
NEWEST_RUN = Subquery(
    RuleRun.objects.filter(**OWN)
    .order_by("-scheduled_for", "-created")
    .values("created")[:1]
)


def in_use(row: Rule) -> bool:
    return row.archived_at is None


def is_on(row: Rule) -> bool:
    return in_use(row) and row.enabled


def is_off(row: Rule) -> bool:
    return in_use(row) and not row.enabled


@admin.register(Rule)
class RuleAdmin(ScopedAdmin):
    """What the owner wants done: written here, previewed, run."""

    may_add = True
    may_change = True
    change_role = Role.ADMIN
    verbs = (
        *("preview", "simulate", "replay", "run_now"),
        *("enable", "disable", "duplicate", "archive"),
    )
    list_before_template = "automation/rules_start.html"
    actions = ["enable_chosen", "disable_chosen"]
    list_display = ["name", "sort", "state", "legs_count", "due", "last", "priority"]
    list_filter = ["kind", "enabled"]
    search_fields = ["name"]
    ordering = [F("archived_at").asc(nulls_first=True), "priority", "name"]

    def get_urls(self):
        """Add the pages of templates and replays to those of rules."""
        own = self.admin_site.admin_view
        return [
            path("templates/", own(self.templates_view), name=TEMPLATES),
            path("templates/<slug:slug>/", own(self.templates_view), name=TEMPLATE),
            path("<uuid:object_id>/replay/", own(self.replay_view), name=REPLAY),
            path("<uuid:object_id>/simulate/", own(self.simulate_view), name=SIMULATE),
            *super().get_urls(),
        ]

    def simulate_view(self, request, object_id: UUID) -> HttpResponse:
        return SimulatePage(self, request, str(object_id)).answer()

    def templates_view(self, request, slug: str | None = None) -> HttpResponse:
        return TemplatePage(self, request, slug).answer()

    def replay_view(self, request, object_id: UUID) -> HttpResponse:
        return ReplayPage(self, request, str(object_id)).answer()

    def get_queryset(self, request):
        return (
            super()
            .get_queryset(request)
            .prefetch_related("triggers")
            .annotate(leg_count=LEG_COUNT, newest_run=NEWEST_RUN)
        )

    @admin.display(description="Kind", ordering="kind")
    def sort(self, row: Rule) -> str:
        return "Top-up" if row.kind == Rule.Kind.TOPUP else row.get_kind_display()

    @admin.display(description="State", ordering="enabled")
    def state(self, row: Rule) -> SafeString:
        if row.archived_at:
            return show.label("archived")
        return show.label("enabled", "ok") if row.enabled else show.label("disabled")

    @admin.display(description="Legs", ordering="leg_count")
    def legs_count(self, row: Rule) -> int:
        return row.leg_count

    @admin.display(description="Next due", ordering="next_due_at")
    def due(self, row: Rule) -> SafeString:
        if not is_on(row):
            return show.NOTHING
        if row.next_due_at is not None:
            return show.due(row.next_due_at)
        return format_html("{}", waits_for(row))

    @admin.display(description="Last run", ordering="newest_run")
    def last(self, row: Rule) -> SafeString:
        return show.when(row.newest_run)

    def changeform_view(
        self, request, object_id=None, form_url="", extra_context=None
    ) -> HttpResponse:
        """Show or write a rule; the service that the API uses decides."""
        around = extra_context or {}
        rule = around.get("original")
        if object_id and rule is None:
            raise Http404
        return RulePage(self, request, rule, around).checked()

    def has_change_permission(self, request, obj=None) -> bool:
        archived = obj is not None and obj.archived_at is not None
        return not archived and super().has_change_permission(request, obj)

    def notices(self, request, row: Rule) -> Iterable[str]:
        if row.archived_at:
            yield "This rule is archived: it never runs again. Its history stays."
        for trigger in row.triggers.exclude(problem=""):
            yield f"Its {trigger} trigger cannot fire: {trigger.problem}"

    def panels(self, request, row: Rule) -> Iterable[Panel]:
        yield due_panel(row)
        more = self.history_list(RuleRun, rule__id__exact=row.pk)
        yield runs_panel(row.runs.all(), more)

    @verb("Preview", tone="main", hint="Moves nothing", shown=in_use)
    def preview(self, request, row: Rule) -> HttpResponse:
        plan = services.preview(row)
        if plan.outcome == RuleRun.Status.SKIPPED_STALE:
            plan = services.preview(row, refresh=True)
        return self.render(
            request,
            "automation/preview.html",
            f"Preview of {row}",
            original=row,
            buttons=[b for b in self.buttons(request, row) if b["mark"].once],
            **preview_context(row, plan),
        )

    @verb("What if", hint="What it would do with other balances", shown=in_use)
    def simulate(self, request, row: Rule) -> HttpResponse:
        return HttpResponseRedirect(simulate_url(row))

    @verb("Replay", hint="What it would have done", shown=in_use)
    def replay(self, request, row: Rule) -> HttpResponse:
        return HttpResponseRedirect(replay_url(row))

    @verb("Duplicate", role=Role.ADMIN, hint="A copy, switched off", shown=in_use)
    def duplicate(self, request, row: Rule) -> HttpResponse | None:
        """Copy the rule and go to the copy, or say why that is refused."""
        try:
            copy = services.duplicate_rule(row, user=request.user)
        except services.RuleInvalid as error:
            warn(request, f"It cannot be copied: {error}")
            return None
        tell(request, f"“{copy}” is a copy, and switched off.")
        return HttpResponseRedirect(show.page(copy))

    @verb("Run now", once=True, hint="Syncs, decides and moves", shown=is_on)
    def run_now(self, request, row: Rule) -> HttpResponse:
        """Start one run; the same button pressed twice leads to the same run."""
        key = f"admin:{request.user.pk}:{nonce_of(request)}"
        run, created = services.start_run(
            row, key, trigger_kind=Trigger.Kind.MANUAL, requested_by=request.user
        )
        if created:
            publishing.publish(tasks.execute_run, str(run.pk))
            tell(request, "The run was started; reload to see how it goes.")
        return HttpResponseRedirect(show.page(run))

    @verb("Enable", role=Role.ADMIN, shown=is_off)
    def enable(self, request, row: Rule) -> None:
        self._switch(request, Rule.objects.filter(pk=row.pk), on=True)

    @verb("Disable", role=Role.ADMIN, shown=is_on)
    def disable(self, request, row: Rule) -> None:
        self._switch(request, Rule.objects.filter(pk=row.pk), on=False)

    @verb("Archive", tone="bad", role=Role.ADMIN, hint="Never runs again", shown=in_use)
    def archive(self, request, row: Rule) -> None:
        services.archive_rule(row, user=request.user)
        tell(request, f"“{row}” is archived.")

    @admin.action(description="Enable", permissions=["change"])
    def enable_chosen(self, request, rows: QuerySet[Rule]) -> None:
        self._switch(request, self._chosen(request, rows), on=True)

    @admin.action(description="Disable", permissions=["change"])
    def disable_chosen(self, request, rows: QuerySet[Rule]) -> None:
        self._switch(request, self._chosen(request, rows), on=False)

    def _chosen(self, request, rows: QuerySet[Rule]) -> QuerySet[Rule]:
        return Rule.objects.filter(pk__in=self.changeable(request, rows))

    def _switch(self, request, rows: QuerySet[Rule], *, on: bool) -> None:
        switched = 0
        for rule in rows.in_use():
            data = services.rule_data(rule) | {"enabled": on}
            try:
                services.write_rule(rule.workspace, data, rule=rule, user=request.user)
            except services.RuleInvalid as error:
                warn(request, f"“{rule}” stays as it is: {error}")
            else:
                switched += 1
        if switched:
            tell(request, "Enabled." if on else "Disabled.")


WAITS = {
    Trigger.Kind.PAYDAY: "your pay",
    Trigger.Kind.BALANCE: "a balance",
    Trigger.Kind.TRANSACTION: "a payment",
    Trigger.Kind.AFTER_RULE: "another rule",
    Trigger.Kind.WEBHOOK: "news of the bank",
}


def waits_for(row: Rule) -> str:
    """Return what a rule without a time of its own waits for."""
    kinds = dict.fromkeys(trigger.kind for trigger in row.triggers.all())
    said = [WAITS[kind] for kind in kinds if kind in WAITS]
    return f"after {' or '.join(said)}" if said else "when somebody asks"


def preview_context(rule: Rule, plan: Any) -> dict[str, Any]:
    """Return what the preview's page shows."""
    data = services.plan_data(plan)
    names = plans.names_of(data, rule.workspace_id)
    return {
        "rule": rule,
        "back": show.page(rule),
        "panels": [plans.moves_panel(data, names), plans.readings_panel(data, names)],
        "plan": {
            "outcome": show.status(plan.outcome),
            "reason": plan.reason,
            "trace": plans.steps(data, names),
        },
    }


def next_of(trigger: Trigger) -> SafeString:
    """Return when `trigger` fires, or looks whether what it waits for has come."""
    moment = show.due(trigger.next_at)
    looks = trigger.kind in LOOKS and trigger.next_at is not None
    return format_html("looks {}", moment) if looks else moment


def due_panel(row: Rule) -> Panel:
    """Return when each trigger fires or looks next, and what it last acted on."""
    return Panel(
        "Due",
        ["Trigger", "Next", "Exactly", "Last acted on"],
        [
            [
                TRIGGER_WORDS.get(trigger.kind, trigger.get_kind_display()),
                next_of(trigger) if is_on(row) else show.NOTHING,
                show.exact(trigger.next_at, ZoneInfo(row.timezone)),
                show.when(trigger.last_fired_at),
            ]
            for trigger in row.triggers.all()
        ],
        empty="It has no trigger: it runs only when somebody asks.",
        more=replay_url(row),
        more_text="What it would have done",
    )
