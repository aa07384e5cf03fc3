from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import publishing
from accounts.admin import inputs, show
from accounts.admin.base import HistoryAdmin, Panel, tell, verb, warn
from accounts.admin.discrepancy import SUBJECTS, discrepancies_panel
from accounts.models import Discrepancy
from automation import services, tasks
from automation.models import Transfer
from automation.services.references import as_uuid


class HappenedForm(forms.Form):
    """Which entry of the bank the transfer is."""

    reference = inputs.text(
        label="The bank's reference",
        max_length=100,
        help_text="The id of the entry, as the bank shows it. Where the bank says that it "
        "moved another amount, that is booked.",
    )
    note = inputs.text(required=False, max_length=500)

    def __init__(self, *args, row: Transfer, **kwargs) -> None:
        super().__init__(*args, **kwargs)


class NotHappenedForm(forms.Form):
    """Why one may be sure of it."""

    note = inputs.text(
        max_length=500, help_text="Where you looked, and what you did about it."
    )

    def __init__(self, *args, row: Transfer, **kwargs) -> None:
        super().__init__(*args, **kwargs)


def waits(row: Transfer) -> bool:
    """Say whether a person must decide about `row`."""
    return row.needs_person and row.status in ("unknown", "stranded")


@admin.register(Transfer)
class TransferAdmin(HistoryAdmin):
    """Every provider call that moved money, or may have."""

    workspace = "run__rule__workspace"
    verbs = ("it_happened", "it_did_not_happen")
    list_display = [
        "moment",
        "rule",
        "way",
        "amount_money",
        "state",
        "person",
        "proof",
        "attempts",
    ]
    list_display_links = ["moment"]
    list_filter = ["needs_person", "status", "verified", "may_have_moved"]
    list_select_related = ["run__rule", "source__parent", "target__parent"]
    search_fields = ["=id", "reference", "source__name", "target__name", "error"]
    date_hierarchy = "created"
    ordering = ["-created", "run", "move", "step"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("state", "amount_money"),
                    ("source_link", "target_link"),
                    ("person", "proof"),
                    ("doubt", "attempts"),
                    "error",
                ]
            },
        ),
        (
            "Traces",
            {
                "fields": [
                    "run_link",
                    "id",
                    "reference",
                    ("part", "after"),
                    "error_code",
                ]
            },
        ),
        (
            "When",
            {
                "fields": [
                    ("created", "first_sent_at"),
                    ("sent_at", "settled_at"),
                    ("next_attempt_at", "expires_at"),
                    "proved_at",
                ]
            },
        ),
    ]

    @admin.display(description="Created", ordering="created")
    def moment(self, row: Transfer) -> str:
        return show.exact(row.created)

    @admin.display(description="Rule")
    def rule(self, row: Transfer) -> str:
        return str(row.run.rule)

    @admin.display(description="From → to")
    def way(self, row: Transfer) -> str:
        return str(row)

    @admin.display(description="Amount", ordering="amount")
    def amount_money(self, row: Transfer) -> SafeString:
        return show.money(int(row.amount), row.asset)

    @admin.display(description="Status", ordering="status")
    def state(self, row: Transfer) -> SafeString:
        return show.status(row.status, row.error)

    @admin.display(description="Needs a person", ordering="needs_person")
    def person(self, row: Transfer) -> SafeString:
        return show.label("needs a person", "bad") if row.needs_person else show.NOTHING

    @admin.display(description="Verified", ordering="verified")
    def proof(self, row: Transfer) -> SafeString:
        return verified(row)

    @admin.display(description="May have moved")
    def doubt(self, row: Transfer) -> SafeString:
        if row.may_have_moved and row.status != Transfer.Status.DONE:
            return show.label("perhaps", "warn", "An attempt had no certain answer")
        return show.NOTHING

    @admin.display(description="Part of the run")
    def part(self, row: Transfer) -> str:
        return f"Move {row.move + 1}, step {row.step + 1}"

    @admin.display(description="From")
    def source_link(self, row: Transfer) -> SafeString:
        return show.link(row.source, show.place(row.source))

    @admin.display(description="To")
    def target_link(self, row: Transfer) -> SafeString:
        return show.link(row.target, show.place(row.target))

    @admin.display(description="Run")
    def run_link(self, row: Transfer) -> SafeString:
        return show.link(row.run)

    @admin.display(description="Only after")
    def after(self, row: Transfer) -> SafeString:
        return show.link(row.depends_on)

    def notices(self, request, row: Transfer) -> Iterable[str]:
        if not waits(row):
            return
        if row.status == Transfer.Status.STRANDED:
            yield (
                f"The money waits in {row.source}. Move it in the bank's own app, then "
                f"say that it happened; or say that it did not, and it stays there."
            )
        else:
            yield (
                "Nobody knows whether this moved. Look for it in the bank's own app. "
                "It is never sent again; your word frees what is reserved for it."
            )

    def panels(self, request, row: Transfer) -> Iterable[Panel]:
        yield resolutions_panel(row)
        here = {"account__workspace": self.workspace_of(row), "subject": str(row.pk)}
        yield discrepancies_panel(Discrepancy.objects.filter(**here))

    @verb("It happened", tone="main", form=HappenedForm, shown=waits)
    def it_happened(self, request, row: Transfer, reference: str, note: str) -> None:
        self._resolve(request, row, happened=True, reference=reference, note=note)

    @verb("It did not happen", tone="main", form=NotHappenedForm, shown=waits)
    def it_did_not_happen(self, request, row: Transfer, note: str) -> None:
        self._resolve(request, row, happened=False, note=note)

    def _resolve(self, request, row: Transfer, **told) -> None:
        try:
            run = services.resolve(row, user=request.user, **told)
        except (services.NotWaiting, services.ReferenceWrong) as error:
            warn(request, str(error))
            return
        if run.finished_at is None:
            publishing.publish(tasks.execute_run, str(run.pk))
        tell(request, "This is written down, with your name.")


def linked(rows: Sequence[Discrepancy]) -> Iterator[SafeString]:
    """Yield the transfers that discrepancies are about; the id where there is none."""
    ids = [as_uuid(row.subject) for row in rows]
    mine = Transfer.objects.filter(pk__in=[pk for pk in ids if pk is not None])
    places = mine.select_related("source", "target", "run__rule")
    known = {(t.pk, t.run.rule.workspace_id): t for t in places}
    for pk, row in zip(ids, rows, strict=True):
        found = known.get((pk, row.account.workspace_id))
        yield show.link(found) if found else format_html("{}", row.subject)


SUBJECTS["transfer_"] = linked


def verified(row: Transfer) -> SafeString:
    """Return whether the provider's answer agreed with what should have come of it."""
    return show.label("verified", "ok") if row.verified else show.NOTHING


def resolutions_panel(row: Transfer) -> Panel:
    """Return what people decided about a transfer."""
    known = row.resolutions.select_related("user")
    return Panel(
        "What people decided",
        ["When", "Who", "It", "Reference", "Note", "Status"],
        [
            [
                show.exact(told.created),
                str(told.user),
                "happened" if told.happened else "did not happen",
                told.reference or show.NOTHING,
                told.note or show.NOTHING,
                show.words(f"{told.status_before} → {told.status_after}"),
            ]
            for told in known
        ],
        empty="Nobody had to decide.",
    )


def transfers_panel(rows: QuerySet[Transfer]) -> Panel:
    """Return the transfers of a run, in the order in which they are sent."""
    known = rows.select_related("source", "target").order_by("move", "step")
    return Panel(
        "Transfers",
        [
            "From → to",
            "Amount",
            "Status",
            "Verified",
            "Dedupe id",
            "Reference",
            "Error",
        ],
        [
            [
                show.link(row),
                show.money(int(row.amount), row.asset),
                show.label("needs a person", "bad", row.error)
                if row.needs_person
                else show.status(row.status, row.error),
                verified(row),
                str(row.pk),
                row.reference or show.NOTHING,
                row.error or show.NOTHING,
            ]
            for row in known
        ],
        empty="Nothing was sent.",
    )
