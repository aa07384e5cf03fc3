"""Start from a template: choose one, answer what it asks, see the plan, make the rule."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin import inputs, show
from accounts.admin.base import Role, tell
from accounts.models import Account
from automation import services
from automation.rules import Plan
from automation.services.starting import fitting, start_rule, tried, workspace_of
from automation.services.templates import (
    ACCOUNT,
    AMOUNT,
    CHOICE,
    POT,
    TEMPLATES,
    Ask,
    Template,
)

from . import plans
from .line_forms import AccountChoice
from .zone_field import suggest_zone, zone_field, zone_list

LIST, ONE = "automation_rule_templates", "automation_rule_template"


def templates_url() -> str:
    return reverse(f"admin:{LIST}")


class AnswerForm(forms.Form):
    """What one template asks, and what the rule is called."""

    def __init__(self, *args, template: Template, workspaces: Any, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for ask in template.asks:
            self.fields[ask.name] = field_for(ask, workspaces)
        self.fields["name"] = inputs.text(
            label="Call it", initial=template.title, max_length=200
        )
        self.fields["timezone"] = zone_field()
        suggest_zone(self.fields["timezone"], workspaces)
        self.fields["enabled"] = forms.BooleanField(
            label="Switch it on at once",
            help_text="Else you switch it on when you are ready.",
            required=False,
            widget=UnfoldBooleanSwitchWidget(),
        )

    def place(self, template: Template, error: services.RuleInvalid) -> None:
        """Put each reason at the question that it is about."""
        for problem in error.problems:
            name = template.field_of(problem.field)
            name = problem.field if problem.field in ("name", "timezone") else name
            if name is None or name not in self.errors:
                self.add_error(name, problem.message)


def field_for(ask: Ask, workspaces: Any) -> forms.Field:
    """Return the form field of a question."""
    said = {
        "label": ask.label,
        "help_text": ask.help,
        "required": ask.required,
        "initial": ask.initial,
    }
    if ask.kind in (ACCOUNT, POT):
        return account_field(fitting(workspaces, ask.kind), said)
    if ask.kind == AMOUNT:
        return inputs.AmountField(**said)
    if ask.kind == CHOICE:
        widget = UnfoldAdminSelectWidget()
        return forms.ChoiceField(choices=ask.choices, widget=widget, **said)
    return forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget(), **said)


def account_field(fit: list[Account], said: dict[str, Any]) -> AccountChoice:
    """Return a choice of the accounts that fit; the only one is chosen already."""
    rows = Account.objects.filter(pk__in=[row.pk for row in fit])
    rows = rows.select_related("balance", "parent").order_by(
        "provider", "parent__name", "name"
    )
    said["initial"] = fit[0].pk if len(fit) == 1 else None
    widget = UnfoldAdminSelectWidget()
    return AccountChoice(rows, empty_label="Choose…", widget=widget, **said)


class TemplatePage:
    """One visit to the templates, or to one of them."""

    def __init__(self, model_admin, request, slug: str | None = None) -> None:
        self.admin, self.request = model_admin, request
        self.template = TEMPLATES.get(slug) if slug else None
        if slug and self.template is None:
            raise Http404
        self.plan: Plan | None = None

    def answer(self) -> HttpResponse:
        if not self.admin.has_add_permission(self.request):
            raise PermissionDenied
        if self.template is None:
            known = [(each, self.url(each)) for each in TEMPLATES.values()]
            return self.show("automation/templates.html", known=known)
        if self.request.method == "POST" and self.form.is_valid():
            return self.act(self.template) or self.show_form(self.template)
        return self.show_form(self.template)

    def url(self, template: Template) -> str:
        return reverse(f"admin:{ONE}", args=[template.slug])

    @cached_property
    def form(self) -> AnswerForm:
        typed = self.request.POST if self.request.method == "POST" else None
        places = inputs.workspace(self.request, Role.ADMIN).queryset
        return AnswerForm(typed, template=self.template, workspaces=places)

    def act(self, template: Template) -> HttpResponse | None:
        """Show the plan, or make the rule; what is refused is said at its question."""
        answers = dict(self.form.cleaned_data)
        enabled, workspace = answers.pop("enabled"), answers["account"].workspace
        try:
            if self.request.POST.get("do") != "create":
                self.plan = tried(template, workspace, answers)
                return None
            rule = start_rule(
                template, workspace, answers, enabled=enabled, user=self.request.user
            )
        except services.RuleInvalid as error:
            self.form.place(template, error)
            return None
        self.admin.log_addition(self.request, rule, f"Started from {template.title}")
        state = "is switched on" if enabled else "is switched off until you enable it"
        tell(self.request, f"The rule “{rule}” was made and {state}.")
        return redirect(show.page(rule))

    def show_form(self, template: Template) -> HttpResponse:
        places = self.form.fields["account"].queryset
        return self.show(
            "automation/template_form.html",
            template=template,
            form=self.form,
            zones=zone_list(),
            nowhere=not places,
            refused=self.form.is_bound and not self.form.is_valid(),
            **self.planned(),
        )

    def planned(self) -> dict[str, Any]:
        """Return the plan as the page shows it, if one was asked for."""
        if self.plan is None:
            return {}
        data = services.plan_data(self.plan)
        names = plans.names_of(data, workspace_of(self.form.cleaned_data))
        return {
            "outcome": show.status(self.plan.outcome),
            "reason": self.plan.reason,
            "panels": [plans.moves_panel(data, names)],
            "plan": {"trace": plans.steps(data, names)},
        }

    def show(self, html: str, **more: Any) -> HttpResponse:
        title = self.template.title if self.template else "Start from a template"
        return self.admin.render(
            self.request, html, title, back=templates_url(), **more
        )
