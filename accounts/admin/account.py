from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Lower
from django.http import HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

import providers
from accounts import publishing, services, tasks
from accounts.models import (
    Account,
    BalanceSnapshot,
    Connection,
    Discrepancy,
    Pot,
    QuarantinedReading,
    SyncRun,
    Transaction,
)
from providers.base import TakesTypedBalances
from providers.errors import ProviderError

from . import show
from .base import Panel, Role, ScopedAdmin, save_changed, tell, verb, warn
from .course import WithCourse
from .discrepancy import discrepancies_panel
from .inputs import AmountField
from .panels import (
    NEWEST,
    chain_panel,
    days_panel,
    pots_panel,
    progress,
    snapshots_panel,
    transactions_panel,
)
from .quarantine import proof_panel, quarantine_panel
from .sync import corrections_panel

HELP = {
    "category": "A word of your own, to find it by.",
    "role": "A word of your own for what it is there for, such as rent.",
}


THEIRS = "The provider's own name comes back with every sync: rename it there."


class AccountForm(forms.ModelForm):
    """What the owner may say about an account; the rest is the provider's."""

    class Meta:
        model = Account
        fields = ["name", "category", "role", "goal", "keep_days", "active"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name, said in HELP.items():
            if name in self.fields:
                self.fields[name].help_text = said
        if "name" in self.fields and not is_typed(self.instance):
            self.fields["name"].help_text = THEIRS
        if "goal" in self.fields:
            unit = self.instance.unit
            help_text = (
                f"In {unit.code}, such as {unit.major(150 * 10**unit.decimals)}."
            )
            self.fields["goal"] = AmountField(
                asset=self.instance.asset, required=False, help_text=help_text
            )

    def clean_goal(self) -> int | None:
        goal = self.cleaned_data["goal"]
        if goal is not None and goal < 0:
            raise forms.ValidationError("A goal may not be below 0.")
        return goal


class TypedBalanceForm(forms.Form):
    """What a person counted."""

    def __init__(self, *args, row: Account, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["total"] = AmountField(
            asset=row.asset, label=f"Balance in {row.unit.code}"
        )


def is_typed(row: Account) -> bool:
    """Say whether a person types the balances of this account."""
    slug = row.provider
    known = slug in providers.slugs()
    return known and issubclass(providers.load(slug), TakesTypedBalances)


def can_sync(row: Account) -> bool:
    return row.connection.archived_at is None and not is_typed(row)


def is_open(row: Account) -> bool:
    return row.closed_at is None and row.protected_at is None


def ends(row: Account) -> str:
    """Say why drift has protected an account, and when that ends by itself."""
    if not row.protected_reason:
        return ""
    left = row.clean_syncs_left
    until = f" until {left} syncs in a row find nothing" if left else ""
    return f" Found to drift: {row.protected_reason}{until}."


def is_protected(row: Account) -> bool:
    return row.protected_at is not None


@admin.register(Account)
class AccountAdmin(WithCourse, ScopedAdmin):
    """Accounts and pots, each with what it holds and how old that knowledge is."""

    form = AccountForm
    may_change = True
    change_role = Role.ADMIN
    verbs = ("sync_now", "record_balance", "protect", "release")
    actions = ["sync_chosen"]
    list_display = [
        "title",
        "balance_money",
        "age",
        "goal_bar",
        "where",
        "kind",
        "role",
    ]
    list_filter = ["provider", "kind", "asset", "active", "automates"]
    search_fields = ["name", "external_id", "parent__name"]
    list_select_related = ["balance", "parent", "connection"]
    ordering = [
        "connection__created",
        Coalesce("parent__created", "created"),
        Coalesce("parent__pk", "pk"),
        F("parent").asc(nulls_first=True),
        Lower("name"),
    ]
    readonly_fields = [
        "balance_money",
        "available_money",
        "held_money",
        "age",
        "source",
        "last_error",
        "goal_bar",
        "connection_link",
        "parent_link",
        "where",
        "kind",
        "asset",
        "external_id",
        "abilities",
        "automates",
        "closed_at",
        "missing_since",
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("balance_money", "age"),
                    ("available_money", "held_money"),
                    ("source", "goal_bar"),
                    "last_error",
                ]
            },
        ),
        (
            "Yours to change",
            {"fields": ["name", "category", "role", "goal", "keep_days", "active"]},
        ),
        (
            "What the provider says",
            {
                "fields": [
                    ("connection_link", "parent_link"),
                    ("where", "kind"),
                    ("asset", "external_id"),
                    ("abilities", "automates"),
                    ("closed_at", "missing_since"),
                ]
            },
        ),
    ]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.select_related("balance", "parent", "connection")

    def save_model(self, request, obj, form, change) -> None:
        save_changed(obj, form)

    @admin.display(description="Account", ordering="name")
    def title(self, row: Account) -> SafeString:
        """Return the name; a pot stands under its account."""
        if row.parent_id is None:
            return format_html("<strong>{}</strong>", row)
        return format_html('<span class="bs-pot">{}</span>', row)

    @admin.display(description="Balance", ordering="balance__total")
    def balance_money(self, row: Account) -> SafeString:
        balance = show.known(row)
        return show.money(balance and balance.total, row.asset)

    @admin.display(description="Available")
    def available_money(self, row: Account) -> SafeString:
        balance = show.known(row)
        return show.money(balance and balance.available, row.asset)

    @admin.display(description="Held")
    def held_money(self, row: Account) -> SafeString:
        balance = show.known(row)
        return show.money(balance and balance.held, row.asset)

    @admin.display(description="Age", ordering="balance__fetched_at")
    def age(self, row: Account) -> SafeString:
        return show.age(row)

    @admin.display(description="Source")
    def source(self, row: Account) -> str:
        balance = show.known(row)
        if balance is None:
            return show.UNKNOWN
        return f"{balance.source}, true at {show.exact(balance.as_of)}"

    @admin.display(description="Newest try failed")
    def last_error(self, row: Account) -> str:
        balance = show.known(row)
        if balance is None or not balance.error:
            return show.NOTHING
        return f"{balance.error} ({show.exact(balance.error_at)})"

    @admin.display(description="Goal")
    def goal_bar(self, row: Account) -> SafeString:
        return progress(row)

    @admin.display(description="Connection")
    def connection_link(self, row: Account) -> SafeString:
        return show.link(row.connection)

    @admin.display(description="Provider", ordering="provider")
    def where(self, row: Account) -> str:
        return show.provider(row.provider)

    @admin.display(description="Inside of")
    def parent_link(self, row: Account) -> SafeString:
        return show.link(row.parent)

    @admin.display(description="Money may")
    def abilities(self, row: Account) -> str:
        ways = [("leave", row.can_send), ("come in", row.can_receive)]
        return (
            " and ".join(way for way, able in ways if able) or "neither leave nor come"
        )

    def notices(self, request, row: Account) -> Iterable[str]:
        if row.protected_at:
            since = show.exact(row.protected_at)
            yield f"Protected since {since}: no rule moves money in or out.{ends(row)}"
        if row.closed_at:
            yield "This account is closed at the provider. Its history stays."
        if row.days_only_until:
            until = show.exact(row.days_only_until)
            yield f"Before {until} the history is known by the day: see Days."
        if not row.automates:
            yield "Another connection automates this account: it is shown, not counted."

    def panels(self, request, row: Account) -> Iterable[Panel]:
        if row.parent_id is None:
            yield pots_panel(row)
        if hasattr(row, "chain"):
            yield chain_panel(row)
        here = {"account__id__exact": row.pk}
        if row.discrepancies.exists():
            more = self.history_list(Discrepancy, **here)
            yield discrepancies_panel(row.discrepancies.all(), more)
        if row.quarantine.exists():
            more = self.history_list(QuarantinedReading, **here)
            yield quarantine_panel(row.quarantine.all(), more)
        yield proof_panel(row)
        yield snapshots_panel(row, self.history_list(BalanceSnapshot, **here))
        if row.days_only_until:
            yield days_panel(row)
        yield transactions_panel(row, self.history_list(Transaction, **here))
        changed = row.corrections.select_related("account")[:NEWEST]
        yield corrections_panel(changed)

    @verb("Sync now", tone="main", shown=can_sync)
    def sync_now(self, request, row: Account) -> None:
        request_syncs(request, [row.connection])

    @verb("Record balance", tone="main", form=TypedBalanceForm, shown=is_typed)
    def record_balance(self, request, row: Account, total: int) -> None:
        services.record_typed_balance(row, total, user=request.user)
        tell(request, f"{row} holds {row.unit.major(total)} {row.unit.code}.")

    @verb("Protect", hint="No rule moves money in or out", shown=is_open)
    def protect(self, request, row: Account) -> None:
        services.protect(row, user=request.user)
        tell(request, f"{row} is protected.")

    @verb("Release", hint="Rules may move its money again", shown=is_protected)
    def release(self, request, row: Account) -> None:
        services.release(row, user=request.user)
        tell(request, f"{row} is released: rules may move its money again.")

    @admin.action(description="Sync now", permissions=["operate"])
    def sync_chosen(self, request, rows: QuerySet[Account]) -> None:
        allowed = rows.filter(pk__in=self.operable(request, rows))
        request_syncs(request, {row.connection for row in allowed if can_sync(row)})


@admin.register(Pot)
class PotAdmin(AccountAdmin):
    """Only the pots: accounts inside an account."""

    list_display = ["name", "parent", "balance_money", "age", "goal_bar", "category"]
    list_display_links = ["name"]


def request_emergency(request, connection: Connection) -> HttpResponseRedirect:
    """Ask for everything to be read again, and lead to where that can be watched."""
    run = services.request_sync(connection, SyncRun.Kind.EMERGENCY, user=request.user)
    publishing.publish(tasks.run_sync, str(run.pk))
    tell(request, "Everything is read again. This page shows how far that has come.")
    return HttpResponseRedirect(show.page(run))


def request_syncs(request, connections: Iterable) -> None:
    """Ask for a sync of each connection, once, and say what came of it."""
    asked = 0
    for connection in connections:
        try:
            run = services.request_sync(
                connection, SyncRun.Kind.MANUAL, user=request.user
            )
        except ProviderError as error:
            warn(request, f"{connection}: {error}")
            continue
        publishing.publish(tasks.run_sync, str(run.pk))
        asked += 1
    if asked:
        noun = "sync was" if asked == 1 else "syncs were"
        tell(request, f"{asked} {noun} asked for; the result shows here in seconds.")
    else:
        warn(request, "There was nothing to sync.")
