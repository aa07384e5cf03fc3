from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api.base import ADMIN, OPERATOR
from accounts.api.fields import Moment, MoneyIn, MoneySerializer, StrictSerializer, Text
from accounts.api.idempotency import idempotent
from accounts.moneyjson import parse_money
from automation import services
from providers.money import MoneyError

from .plans import PlanSerializer
from .rule_schema import RuleSerializer
from .rules import Rules, refusing, shown


@extend_schema_field(serializers.DictField(child=MoneySerializer()))
class MoneyByAccount(serializers.Field):
    """Money by the id of an account; the context names the accounts there are."""

    default_error_messages = {"invalid": "An object of money by account id."}

    def __init__(self, *, least: int | None = None, **kwargs: Any) -> None:
        self.least = least
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, int]:
        if not isinstance(data, dict):
            self.fail("invalid")
        found, wrong = {}, {}
        for name, value in data.items():
            try:
                found[name.lower()] = self.one(name.lower(), value)
            except MoneyError as error:
                wrong[name] = [serializers.ErrorDetail(str(error), "money")]
            except KeyError:
                text = "This rule has no such account."
                wrong[name] = [serializers.ErrorDetail(text, "unknown_account")]
        if wrong:
            raise serializers.ValidationError(wrong)
        return found

    def one(self, name: str, value: Any) -> int:
        minor = parse_money(value, asset=self.context["accounts"][name].asset)
        if self.least is not None and minor < self.least:
            raise MoneyError(f"This is {self.least} or more")
        return minor


class SimulateRequest(StrictSerializer):
    """Balances to plan with; an account left out counts as it is stored.

    `amount`: that of the payment that set it off, for conditions on it.
    """

    balances = MoneyByAccount()
    at = Moment(required=False)
    spent = MoneyByAccount(required=False, least=0)
    amount = MoneyIn(required=False)


class DuplicateRequest(StrictSerializer):
    """`name`: of the copy; if left out, "Copy of …"."""

    name = Text(max_length=200, required=False)


class RuleSimulate(Rules):
    roles = {"POST": OPERATOR}

    @extend_schema(request=SimulateRequest, responses=PlanSerializer)
    @idempotent()
    def post(self, request, pk):
        """Say what the rule would do with these balances; nobody is asked.

        A balance that is typed is of age 0. An account that is left out counts as it is
        stored, at its true age; one that was never read is unknown, and so stale.
        """
        rule = self.usable()
        accounts = services.typed_accounts(rule)
        told = self.body(SimulateRequest, accounts=accounts, asset=rule.asset)
        plan = services.simulate(rule, accounts, **told)
        return Response(services.plan_data(plan) | {"reason": plan.reason})


class RuleDuplicate(Rules):
    roles = {"POST": ADMIN}

    @extend_schema(request=DuplicateRequest, responses={201: RuleSerializer})
    @idempotent()
    def post(self, request, pk):
        """Copy the rule; the copy is disabled and has no history."""
        rule, told = self.get_object(), self.body(DuplicateRequest)
        with refusing():
            copy = services.duplicate_rule(rule, user=request.user, **told)
        return Response(shown(copy), 201)
