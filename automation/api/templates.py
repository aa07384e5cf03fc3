"""Rules to start from: what each asks, and making the rule that the answers mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api.base import ADMIN, Api
from accounts.api.fields import Choice, Flag, Id, StrictSerializer, Text
from accounts.api.idempotency import idempotent
from accounts.models import Account, Workspace
from accounts.moneyjson import parse_money
from automation import services
from automation.models import Rule
from automation.services.starting import fitting, start_rule
from automation.services.templates import (
    ACCOUNT,
    AMOUNT,
    CHOICE,
    POT,
    TEMPLATES,
    Ask,
    Template,
)
from automation.services.zones import usual_zone
from providers.money import Asset, MoneyError

from .rule_schema import RuleSerializer
from .rules import RuleRefused, shown


class AskSerializer(serializers.Serializer):
    """One thing that a template wants to know. Amounts are money objects."""

    name = serializers.CharField()
    label = serializers.CharField()
    kind = serializers.ChoiceField([ACCOUNT, POT, AMOUNT, CHOICE, "text"])
    help = serializers.CharField(allow_blank=True)
    required = serializers.BooleanField()
    initial = serializers.CharField(
        allow_blank=True, help_text="Taken where it is left out; in whole units."
    )
    choices = serializers.DictField(child=serializers.CharField())
    accounts = serializers.ListField(
        child=serializers.UUIDField(), help_text="Those that fit."
    )


class TemplateSerializer(serializers.Serializer):
    """A rule with blanks."""

    slug = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    steps = serializers.ListField(child=serializers.CharField())
    asks = AskSerializer(many=True)

    class Meta:
        ref_name = "RuleTemplate"


class TemplatesSerializer(serializers.Serializer):
    """All templates."""

    results = TemplateSerializer(many=True)


class StartRequest(StrictSerializer):
    """`timezone`: if left out, that of the workspace's newest rule.

    `enabled`: if left out, the rule is made and switched off.
    """

    template = Choice([*TEMPLATES])
    answers = serializers.DictField()
    name = Text(required=False, max_length=200)
    timezone = Text(required=False, max_length=60)
    enabled = Flag(required=False)
    workspace = Id(required=False, help_text="Needed with several workspaces.")


class TemplateList(Api):
    queryset = Rule.objects.none()
    roles = {"POST": ADMIN}

    @extend_schema(responses=TemplatesSerializer)
    def get(self, request):
        """List the templates with what each asks, and the accounts that fit."""
        fit = {kind: fitting([*self.memberships], kind) for kind in (ACCOUNT, POT)}
        return Response({"results": [told(each, fit) for each in TEMPLATES.values()]})

    @extend_schema(request=StartRequest, responses={201: RuleSerializer})
    @idempotent()
    def post(self, request):
        """Make the rule that the answers mean; it moves nothing until it is enabled."""
        body = self.body(StartRequest)
        workspace = self.workspace(body.get("workspace"))
        template = TEMPLATES[body["template"]]
        answers = Answers(template, workspace).read(body["answers"])
        answers["timezone"] = body.get("timezone") or usual_zone([workspace])
        if "name" in body:
            answers["name"] = body["name"]
        try:
            rule = start_rule(
                template,
                workspace,
                answers,
                enabled=body.get("enabled", False),
                user=request.user,
            )
        except services.RuleInvalid as error:
            raise refused(template, error) from error
        return Response(shown(rule), 201)


def told(template: Template, fit: Mapping[str, Iterable[Account]]) -> dict[str, Any]:
    """Return what a client needs to know of a template."""
    return {
        "slug": template.slug,
        "title": template.title,
        "summary": template.summary,
        "steps": list(template.steps),
        "asks": [
            {
                "name": ask.name,
                "label": ask.label,
                "kind": ask.kind,
                "help": ask.help,
                "required": ask.required,
                "initial": ask.initial,
                "choices": dict(ask.choices),
                "accounts": [str(row.pk) for row in fit.get(ask.kind, ())],
            }
            for ask in template.asks
        ],
    }


def refused(template: Template, error: services.RuleInvalid) -> RuleRefused:
    """Return the answer that says at which question each mistake is."""
    found = []
    for problem in error.problems:
        ask = template.field_of(problem.field)
        field = f"answers.{ask}" if ask else problem.field
        found.append({"field": field, "code": problem.code, "detail": problem.message})
    return RuleRefused(errors=found)


class Answers:
    """Reads answers as strictly as any body: every mistake is told at its question."""

    def __init__(self, template: Template, workspace: Workspace) -> None:
        self.template, self.workspace = template, workspace
        self.wrong: dict[str, list[serializers.ErrorDetail]] = {}
        self.found: dict[str, Any] = {}

    def read(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return accounts as rows and all else as text; raises ValidationError."""
        asks = {ask.name: ask for ask in self.template.asks}
        for name in data.keys() - asks.keys():
            self.note(name, "unknown_field", "There is no such question.")
        # Amounts are of the account's money, so that is read first.
        for ask in sorted(asks.values(), key=lambda ask: ask.kind == AMOUNT):
            self.one(ask, data.get(ask.name))
        if self.wrong:
            raise serializers.ValidationError({"answers": self.wrong})
        return self.found

    def note(self, name: str, code: str, text: str) -> None:
        self.wrong[name] = [serializers.ErrorDetail(text, code)]

    def one(self, ask: Ask, value: Any) -> None:
        if value is None and ask.initial:
            self.found[ask.name] = ask.initial
        elif value is None and ask.required:
            self.note(ask.name, "required", "This question needs an answer.")
        elif value is not None:
            self.answered(ask, value)

    def answered(self, ask: Ask, value: Any) -> None:
        """Keep an answer, or note what is wrong with it."""
        if ask.kind == AMOUNT:
            self.amount(ask, value)
        elif not isinstance(value, str) or len(value) > 200:
            self.note(ask.name, "invalid", "A text of at most 200 characters.")
        elif ask.kind in (ACCOUNT, POT):
            self.account(ask, value)
        elif ask.kind == CHOICE and value not in dict(ask.choices):
            self.note(ask.name, "invalid_choice", f"{value!r} is none of the choices.")
        else:
            self.found[ask.name] = value

    def account(self, ask: Ask, value: str) -> None:
        fit = {str(row.pk): row for row in fitting([self.workspace], ask.kind)}
        if value.lower() in fit:
            self.found[ask.name] = fit[value.lower()]
        else:
            self.note(ask.name, "does_not_exist", "No such account fits here.")

    def amount(self, ask: Ask, value: Any) -> None:
        held = self.found.get("account")
        if held is None:
            return  # what is wrong with the account was noted
        try:
            minor = parse_money(value, asset=held.asset)
        except MoneyError as error:
            self.note(ask.name, "money", str(error))
        else:
            self.found[ask.name] = Asset.parse(held.asset).major(minor)
