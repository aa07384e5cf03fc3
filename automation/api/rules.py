from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import django_filters
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts import publishing
from accounts.api.base import ADMIN, OPERATOR, Api, invalid
from accounts.api.fields import Flag, Id, StrictSerializer, Text
from accounts.api.filters import FlagFilter, IdFilter, words
from accounts.api.idempotency import idempotent
from accounts.api.problems import Archived, Problem
from accounts.api.schema import OF_PROVIDER, problems
from accounts.models import Workspace
from automation import services, tasks
from automation.models import Rule, RuleRun, Trigger

from .plans import PlanSerializer
from .rule_schema import RuleSerializer, RuleWriteSerializer
from .runs import RunFilter, RunSerializer, with_transfers

# Shown with a rule, never written by a client.
OURS = ("created", "updated", "next_due_at", "last_success_at", "archived_at")


class RuleRefused(Problem):
    """This rule cannot be kept as it is written; `errors` names every reason."""

    default_code = "rule_invalid"


class PlanChanged(Problem):
    """The plan is another one now: preview again before you start the run."""

    status_code = 409
    default_code = "plan_changed"


class RuleFilter(django_filters.FilterSet):
    workspace = IdFilter(field_name="workspace_id")
    kind = words(Rule.Kind)
    enabled = FlagFilter(field_name="enabled")
    archived = FlagFilter(method="by_archived", label="true: archived ones too")

    def filter_queryset(self, queryset):
        found = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["archived"] else found.in_use()

    def by_archived(self, queryset, name, value):
        return queryset


class PreviewRequest(StrictSerializer):
    """`refresh`: whether to ask the providers first; if left out, where stale."""

    refresh = Flag(required=False)


class RunRequest(StrictSerializer):
    """`plan_hash`: start only if this is still the plan."""

    plan_hash = Text(max_length=64, required=False)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a rule's problems into the answer that lists them."""
    try:
        yield
    except services.RuleInvalid as error:
        found = [
            {"field": p.field, "code": p.code, "detail": p.message}
            for p in error.problems
        ]
        raise RuleRefused(errors=found) from error


class Rules(Api):
    queryset = Rule.objects.all()
    serializer_class = RuleSerializer

    def get_queryset(self):
        return Rule.objects.of(self.request.user)

    def usable(self) -> Rule:
        """Return the rule; raises Archived if it is used no more."""
        rule = self.get_object()
        if rule.archived_at is not None:
            raise Archived
        return rule

    def written(self) -> dict[str, Any]:
        """Return the body as it came: `write_rule` judges every word of it."""
        if not isinstance(self.request.data, Mapping):
            raise serializers.ValidationError("A rule is a JSON object.", "invalid")
        return dict(self.request.data)


class WholeRules(Rules):
    """Rules with all that `shown` tells of them."""

    def get_queryset(self):
        rules = super().get_queryset()
        return rules.prefetch_related(
            "legs", "triggers__account", "triggers__upstream", "depends_on"
        )


class RuleList(WholeRules):
    filterset_class = RuleFilter
    roles = {"POST": ADMIN}

    @extend_schema(operation_id="rules_list", responses=RuleSerializer(many=True))
    def get(self, request):
        """List rules, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([shown(rule) for rule in page])

    @extend_schema(request=RuleWriteSerializer, responses={201: RuleSerializer})
    @idempotent()
    def post(self, request):
        """Write a new rule."""
        data = self.written()
        workspace = self.workspace(self.told_workspace(data))
        with refusing():
            rule = services.write_rule(workspace, data, user=request.user)
        return Response(shown(rule), 201)

    def told_workspace(self, data: dict[str, Any]) -> UUID | None:
        """Take the workspace out of `data`."""
        if "workspace" not in data:
            return None
        try:
            return Id().run_validation(data.pop("workspace"))
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"workspace": error.detail}) from error


class RuleDetail(WholeRules):
    roles = {"PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN}

    def get(self, request, pk):
        """Show one rule."""
        return Response(shown(self.get_object()))

    @extend_schema(request=RuleWriteSerializer)
    @problems(409)
    def put(self, request, pk):
        """Write the whole rule anew; what is left out gets its default."""
        return self.write(lambda rule: {})

    @extend_schema(request=RuleWriteSerializer(partial=True))
    @problems(409)
    def patch(self, request, pk):
        """Change the named fields; a list or object is replaced as a whole."""
        return self.write(services.rule_data)

    def write(self, before: Callable[[Rule], dict[str, Any]]) -> Response:
        """Keep the rule as the body says; `before` gives what it leaves out."""
        told = self.written()
        with transaction.atomic(), refusing():
            # Locked, so that of two changes at once neither undoes the other.
            owner = self.get_object().workspace_id
            Workspace.objects.select_for_update(no_key=True).get(pk=owner)
            rule = self.usable()
            drop_what_is_ours(rule, told)
            rule = services.write_rule(
                rule.workspace, before(rule) | told, rule=rule, user=self.request.user
            )
        return Response(shown(rule))

    @extend_schema(responses={204: None})
    def delete(self, request, pk):
        """Archive the rule; its runs stay."""
        rule = self.get_object()
        services.archive_rule(rule, user=request.user)
        return Response(status=204)


def shown(rule: Rule) -> dict[str, Any]:
    """Return `rule` as it was written, and what we know besides."""
    return {"id": rule.pk, "workspace": rule.workspace_id} | {
        **services.rule_data(rule),
        **{name: getattr(rule, name) for name in OURS},
        "problems": list(told_problems(rule)),
    }


def told_problems(rule: Rule) -> Iterator[dict[str, Any]]:
    """Yield why triggers of `rule` cannot fire any more, by their places."""
    for index, trigger in enumerate(rule.triggers.all()):
        if trigger.problem:
            yield {"field": f"triggers.{index}", "message": trigger.problem}


def drop_what_is_ours(rule: Rule, told: dict[str, Any]) -> None:
    """Take out of `told` what a reader sent back; raises if it names another rule."""
    for name, value in (("id", rule.pk), ("workspace", rule.workspace_id)):
        if told.pop(name, str(value)) != str(value):
            raise invalid(name, "This cannot be changed.", "read_only")
    for name in (*OURS, "problems"):
        told.pop(name, None)


class RulePreview(Rules):
    roles = {"POST": OPERATOR}

    @extend_schema(request=PreviewRequest, responses=PlanSerializer)
    @problems(*OF_PROVIDER)
    @idempotent(goes_out=True)
    def post(self, request, pk):
        """Say what the rule would do now; nothing moves."""
        rule, told = self.usable(), self.body(PreviewRequest)
        plan = services.preview(rule, refresh=told.get("refresh", False))
        if plan.outcome == RuleRun.Status.SKIPPED_STALE and "refresh" not in told:
            plan = services.preview(rule, refresh=True)
        return Response(services.plan_data(plan) | {"reason": plan.reason})


class RuleRuns(Rules):
    filterset_class = RunFilter
    roles = {"POST": OPERATOR}

    def filter_queryset(self, queryset):
        # The filters are those of runs; the rule they belong to is looked up as well.
        return (
            super().filter_queryset(queryset) if queryset.model is RuleRun else queryset
        )

    @extend_schema(operation_id="rules_runs_list", responses=RunSerializer(many=True))
    def get(self, request, pk):
        """List the runs of a rule with trace and transfers, newest first."""
        runs = with_transfers(RuleRun.objects.filter(rule=self.get_object()))
        page = self.paginate_queryset(self.filter_queryset(runs))
        return self.get_paginated_response(RunSerializer(page, many=True).data)

    @extend_schema(
        request=RunRequest, responses={202: RunSerializer, 200: RunSerializer}
    )
    @idempotent(required=True, repeat=200)
    def post(self, request, pk):
        """Start a run by hand; the same key again is the same run."""
        rule, told = self.usable(), self.body(RunRequest)
        seen = services.preview(rule) if "plan_hash" in told else None
        if seen and seen.plan_hash != told["plan_hash"]:
            raise PlanChanged
        # Two callers may think of the same key; they mean two runs.
        key = f"api:{request.user.pk}:{request.headers['Idempotency-Key']}"
        run, created = services.start_run(
            rule,
            key,
            trigger_kind=Trigger.Kind.API,
            requested_by=request.user,
            seen=seen,
        )
        publishing.publish(tasks.execute_run, str(run.pk))
        if created:
            return Response(RunSerializer(run).data, 202)
        headers = {"Idempotent-Replayed": "true"}
        return Response(RunSerializer(run).data, headers=headers)
