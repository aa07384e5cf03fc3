"""The page on which a rule is written: one form, its legs and its triggers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect

from accounts.admin import inputs, show
from accounts.admin.base import Role
from accounts.models import Workspace
from automation import services
from automation.models import Rule
from automation.services import RuleInvalid
from automation.services.trigger_document import TRIGGER_MONEY

from . import condition_forms
from .condition_page import ConditionRows
from .line_forms import LEG_AMOUNTS, LegFormSet, TriggerFormSet, grammar
from .rule_forms import LIMITS, RuleForm, accounts_for, rules_for
from .rule_typed import leg_rows, rule_initial, trigger_rows
from .zone_field import suggest_zone, zone_list

NESTED = re.compile(r"(legs|triggers)\.([0-9]+)(?:\.(.+))?")
# Where a rule that is being made starts.
FIRST_LEGS = [{"role": "source"}, {"role": "target"}]
FIRST_TRIGGERS = [{"kind": "manual"}]


class RulePage:
    """One visit: shows a rule as a form, or hands what was typed to the service."""

    template = "automation/rule_form.html"

    def __init__(
        self, model_admin, request, rule: Rule | None, around: Mapping[str, Any]
    ) -> None:
        self.admin, self.request, self.rule = model_admin, request, rule
        self.around = around  # what every row's page shows beside its fields

    def answer(self) -> HttpResponse:
        """Show the form, or write the rule and go on."""
        if self.request.method != "POST":
            return self.render()
        if not self.may_write():
            raise PermissionDenied
        written = self.write()
        if written is None:
            return self.render()
        note = "Changed" if self.rule else "Written"
        log = self.admin.log_change if self.rule else self.admin.log_addition
        log(self.request, written, note)
        messages.success(self.request, f"The rule “{written}” was saved.")
        return redirect(show.page(written))

    def checked(self) -> HttpResponse:
        """Answer whoever may be here."""
        request, rule = self.request, self.rule
        allowed = self.admin.has_view_permission(request, rule) if rule else True
        if not allowed or (rule is None and not self.may_write()):
            raise PermissionDenied
        return self.answer()

    def may_write(self) -> bool:
        if self.rule is None:
            return self.admin.has_add_permission(self.request)
        return self.admin.has_change_permission(self.request, self.rule)

    # --- The forms ---

    @cached_property
    def typed(self) -> Mapping | None:
        return self.request.POST if self.request.method == "POST" else None

    @cached_property
    def form(self) -> RuleForm:
        places = None if self.rule else inputs.workspace(self.request, Role.ADMIN)
        initial = rule_initial(self.rule) if self.rule else None
        form = RuleForm(self.typed, initial=initial, places=places)
        others = rules_for(self.places(form), self.rule)
        form.fields["depends_on"].queryset = others
        instead = condition_forms.otherwise(others, self.stored)
        form.fields["conditions_else"].queryset = instead
        if self.rule is None:
            suggest_zone(form.fields["timezone"], self.places(form))
        return form

    @property
    def stored(self) -> dict[str, Any] | None:
        """Return the conditions of the rule as they are kept."""
        return self.rule.conditions if self.rule else None

    @cached_property
    def legs(self):
        first = FIRST_LEGS if self.rule is None else leg_rows(self.rule)
        accounts = {"accounts": self.accounts}
        return LegFormSet(
            self.typed, prefix="legs", initial=first, form_kwargs=accounts
        )

    @cached_property
    def triggers(self):
        first = FIRST_TRIGGERS if self.rule is None else trigger_rows(self.rule)
        choices = {
            "accounts": self.accounts,
            "rules": rules_for(self.workspaces, self.rule),
        }
        return TriggerFormSet(
            self.typed, prefix="triggers", initial=first, form_kwargs=choices
        )

    @cached_property
    def conditions(self) -> ConditionRows:
        return ConditionRows(self.typed, self.stored, self.workspaces)

    @cached_property
    def accounts(self):
        """Return what every row of the page offers."""
        return accounts_for(self.workspaces)

    @property
    def workspaces(self):
        """Return where this rule's accounts may be."""
        return self.places(self.form)

    def places(self, form: RuleForm):
        if self.rule:
            return [self.rule.workspace_id]
        return form.fields["workspace"].queryset

    # --- Writing ---

    def write(self) -> Rule | None:
        """Write what was typed; where it is refused, say so at the right fields."""
        # All are asked, so that every mistake shows at once.
        typed = (self.form, self.legs, self.triggers, self.conditions)
        if not all([part.is_valid() for part in typed]):
            return None
        try:
            with transaction.atomic():
                return services.write_rule(
                    self.workspace, self.data(), rule=self.rule, user=self.request.user
                )
        except RuleInvalid as refused:
            self.place(refused.problems)
            return None

    @property
    def workspace(self) -> Workspace:
        return self.rule.workspace if self.rule else self.form.cleaned_data["workspace"]

    def data(self) -> dict[str, Any]:
        """Return the rule in the words of the API."""
        legs, triggers = kept(self.legs), kept(self.triggers)
        named = (leg.cleaned_data["account"] for leg in legs)
        asset = next((account.asset for account in named if account), "")
        known = services.rule_data(self.rule) if self.rule else {}
        rule = self.form.words()
        limits = with_money(rule.pop("limits"), LIMITS, asset)
        if asset:
            known |= {"asset": asset}
        return {
            **known,
            **with_money(rule, ("round_to", "tolerance"), asset),
            "limits": {k: v for k, v in limits.items() if v is not None},
            "legs": [
                with_money({"order": place} | leg.words(), LEG_AMOUNTS, asset)
                for place, leg in enumerate(legs)
            ],
            "triggers": [trigger_words(trigger, asset) for trigger in triggers],
            "conditions": self.conditions.document(self.form, asset),
        }

    def place(self, problems: Sequence) -> None:
        """Put each problem at the field it is about."""
        rows = {"legs": kept(self.legs), "triggers": kept(self.triggers)}
        for problem in problems:
            if self.conditions.place(self.form, problem):
                continue
            nested = NESTED.fullmatch(problem.field)
            form, name = self.form, RuleForm.field_of(problem.field)
            if nested and int(nested[2]) < len(rows[nested[1]]):
                form, name = rows[nested[1]][int(nested[2])], nested[3] or ""
            form.add_error(name if name in form.fields else None, problem.message)

    # --- Showing ---

    def render(self) -> HttpResponse:
        context = {
            "original": self.rule,
            "form": self.form,
            "legs": self.legs,
            "triggers": self.triggers,
            "conditions": self.conditions.formset,
            "zones": zone_list(),
            "condition_words": condition_forms.grammar(),
            "grammar": grammar(),
            "limits": [self.form[f"limit_{name}"] for name in LIMITS],
            "may_write": self.may_write(),
            "refused": self.typed is not None,
            **self.around,
        }
        return self.admin.render(self.request, self.template, "Write a rule", **context)


def kept(formset) -> list:
    """Return the forms of a formset that were not struck out."""
    typed = (form for form in formset.forms if form.cleaned_data)
    return [form for form in typed if not form.cleaned_data.get("DELETE")]


def with_money(row: dict[str, Any], names: Sequence[str], asset: str) -> dict[str, Any]:
    """Return `row` with its typed amounts as money objects; the service reads them."""
    return {
        name: {"asset": asset, "amount": value}
        if name in names and value is not None
        else value
        for name, value in row.items()
    }


def trigger_words(form, asset: str) -> dict[str, Any]:
    """Return a trigger in the words of the API; each amount in the asset it is of."""
    words = form.words()
    for name in words.keys() & set(TRIGGER_MONEY):
        words |= with_money({name: words[name]}, (name,), form.asset(name, asset))
    return words
