"""What every page shares: rows of one's own workspaces, and verbs that are POSTed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers
from unfold.admin import ModelAdmin

from accounts.models import AuditEvent, Membership

from . import show

Role = Membership.Role
# What the audit calls rows that a model names otherwise.
AUDITED = {"pot": "account", "rulerun": "run", "quarantinedreading": "quarantine"}


@dataclass(frozen=True, slots=True)
class Verb:
    """A button that does something to one row; `once`: a double click does it once.

    `carries` names a field of the row that is sent along, as the page showed it.
    """

    label: str
    role: str = Role.OPERATOR
    tone: str = ""
    hint: str = ""
    once: bool = False
    carries: str = ""
    form: type[Form] | None = None  # what it asks for; its answers become arguments
    shown: Callable[[Any], bool] = field(default=lambda row: True)


def verb(text: str, **options: Any) -> Callable:
    """Mark a method `(request, row, **answers) -> response or None` as a verb."""

    def mark(method: Callable) -> Callable:
        method.verb = Verb(text, **options)
        return method

    return mark


@dataclass(frozen=True, slots=True)
class Panel:
    """A table under a row's fields; `more` leads to the whole, paged list.

    Columns whose heading is in `right` hold amounts.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "Nothing yet."
    more: str = ""
    more_text: str = ""
    right: Sequence[str] = ("Amount", "Total", "Available", "Moved")

    @property
    def table(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows, each cell with its heading for narrow screens."""
        for row in self.rows:
            cells = zip(self.headers, row, strict=True)
            yield [
                {"header": name, "value": value, "right": name in self.right}
                for name, value in cells
            ]


def nonce_of(request) -> str:
    """Return the one-time id of the page that the button was on."""
    try:
        return str(uuid.UUID(request.POST.get("nonce", "")))
    except ValueError as error:
        raise SuspiciousOperation("The page's one-time id is missing") from error


def roles(request) -> dict[Any, Membership]:
    """Return what the user may do, by workspace; asked once per request."""
    if not hasattr(request, "balsync_roles"):
        rows = Membership.objects.filter(user=request.user.pk)
        request.balsync_roles = {row.workspace_id: row for row in rows}
    return request.balsync_roles


def may(request, role: str, workspace_id: Any = None) -> bool:
    """Say whether the user is at least `role` there, or anywhere if no place is told."""
    user = request.user
    if not (user.is_active and user.is_staff):
        return False
    if user.is_superuser:
        return True
    held = roles(request)
    if workspace_id is None:
        return any(membership.may(role) for membership in held.values())
    return workspace_id in held and held[workspace_id].may(role)


class ScopedAdmin(ModelAdmin):
    """Rows of the user's own workspaces; a foreign row does not exist."""

    empty_value_display = show.NOTHING
    workspace = "workspace"  # the way from a row to its workspace
    verbs: Sequence[str] = ()
    may_add = False
    add_role = Role.ADMIN
    may_change = False
    change_role = Role.OPERATOR
    list_per_page = 50
    list_filter_submit = True
    list_filter_sheet = True
    change_form_outer_before_template = "balsync/verbs.html"
    change_form_outer_after_template = "balsync/panels.html"

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        steps = [self.workspace] if self.workspace else []
        return rows.filter(**{"__".join([*steps, "memberships__user"]): request.user})

    def workspace_of(self, row) -> Any:
        """Return the id of the workspace that `row` belongs to."""
        steps = self.workspace.split("__") if self.workspace else []
        return attrgetter(".".join([*steps, "pk"]))(row)

    def allows(self, request, role: str, row=None) -> bool:
        return may(request, role, None if row is None else self.workspace_of(row))

    def has_module_permission(self, request) -> bool:
        return may(request, Role.VIEWER)

    def has_view_permission(self, request, obj=None) -> bool:
        return self.allows(request, Role.VIEWER, obj)

    def has_change_permission(self, request, obj=None) -> bool:
        return self.may_change and self.allows(request, self.change_role, obj)

    def has_add_permission(self, request) -> bool:
        return self.may_add and may(request, self.add_role)

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def has_operate_permission(self, request) -> bool:
        """Let the list's actions be offered to whoever may operate somewhere."""
        return may(request, Role.OPERATOR)

    def operable(self, request, rows, role: str = Role.OPERATOR) -> list[Any]:
        """Return the ids of `rows` in workspaces where the user is at least `role`."""
        return [row.pk for row in rows if may(request, role, self.workspace_of(row))]

    def changeable(self, request, rows) -> list[Any]:
        return self.operable(request, rows, self.change_role)

    # --- Verbs ---

    def get_urls(self):
        route = "_".join([*self._route, "verb"])
        view = self.admin_site.admin_view(self.verb_view)
        return [
            path("<path:object_id>/do/<slug:name>/", view, name=route),
            *super().get_urls(),
        ]

    @property
    def _route(self) -> tuple[str, str]:
        return self.opts.app_label, self.opts.model_name

    def verb_url(self, row, name: str) -> str:
        """Return where the verb `name` of `row` is posted to."""
        route = "_".join([*self._route, "verb"])
        return reverse(f"admin:{route}", args=[row.pk, name.replace("_", "-")])

    def verb_view(self, request, object_id: str, name: str) -> HttpResponse:
        """Do one verb to one row, then go back to its page."""
        row = self.get_object(request, object_id)
        method = name.replace("-", "_")
        if row is None or method not in self.verbs:
            raise Http404
        act = getattr(self, method)
        if not self.allows(request, act.verb.role, row):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return self.perform(request, row, act) or redirect(show.page(row))

    def perform(self, request, row, act: Callable) -> HttpResponse | None:
        """Call the verb with what its form was told, or say what is wrong with that."""
        if act.verb.form is None:
            return act(request, row)
        form = act.verb.form(request.POST, row=row)
        if form.is_valid():
            return act(request, row, **form.cleaned_data)
        for name, errors in form.errors.items():
            label = f"{form[name].label}: " if name in form.fields else ""
            warn(request, label + " ".join(errors))
        return None

    def buttons(self, request, row) -> list[dict[str, Any]]:
        """Return the verbs that this user may do to this row now."""
        marks = {name: getattr(self, name).verb for name in self.verbs}
        return [
            {
                "mark": mark,
                "url": self.verb_url(row, name),
                "nonce": uuid.uuid4() if mark.once else "",
                "carried": getattr(row, mark.carries) if mark.carries else "",
                "form": mark.form and mark.form(row=row, auto_id=f"id_{name}_%s"),
            }
            for name, mark in marks.items()
            if mark.shown(row) and self.allows(request, mark.role, row)
        ]

    # --- A row's page ---

    def panels(self, request, row) -> Iterable[Panel]:
        """Return the tables under the fields of `row`."""
        return ()

    def notices(self, request, row) -> Iterable[str]:
        """Return what a person must know about `row` before anything else."""
        return ()

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None:
            context |= {
                "original": row,
                "buttons": self.buttons(request, row),
                "panels": list(self.panels(request, row)),
                "notices": list(self.notices(request, row)),
                "title": str(row),
                "subtitle": None,
                "show_save_and_add_another": False,
                "show_save_and_continue": False,
                "show_history": self.allows(request, Role.ADMIN, row),
            }
        return super().change_view(request, object_id, form_url, context)

    def history_view(self, request, object_id, extra_context=None):
        """Lead to what the audit says of a row."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.allows(request, Role.ADMIN, row):
            raise PermissionDenied
        name = self.opts.model_name
        about = {"object_kind": AUDITED.get(name, name), "object_id": row.pk}
        return redirect(self.history_list(AuditEvent, **about))

    def render(self, request, template: str, title: str, /, **context: Any):
        """Return a page of its own beside this noun's list and forms."""
        about = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, about | {"title": title, **context})

    def render_once(self, request, template: str, title: str, /, **context: Any):
        """Return the one page that holds a secret; no message and no cache keeps it."""
        shown = self.render(request, template, title, **context)
        add_never_cache_headers(shown)
        return shown

    def history_list(self, model, **lookups: Any) -> str:
        """Return the address of another noun's list, narrowed to `lookups`."""
        meta = model._meta
        base = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        return (
            base + "?" + "&".join(f"{name}={value}" for name, value in lookups.items())
        )


class HistoryAdmin(ScopedAdmin):
    """What happened: to be read, never changed; the verbs are actions."""

    show_full_result_count = False

    def get_readonly_fields(self, request, obj=None):
        return [
            name for _, options in self.fieldsets for name in flat(options["fields"])
        ]


def flat(fields: Iterable) -> list[str]:
    """Return the names of a fieldset, rows opened."""
    rows = ([item] if isinstance(item, str) else item for item in fields)
    return [name for row in rows for name in row]


def save_changed(row, form) -> None:
    """Write what a person has changed and nothing else: the rest may be newer by now."""
    columns = {field.name for field in row._meta.concrete_fields}
    row.save(update_fields=columns.intersection(form.changed_data))


def tell(request, text: str, *, good: bool = True) -> None:
    """Say what came of a verb."""
    messages.add_message(request, messages.SUCCESS if good else messages.ERROR, text)


warn = partial(tell, good=False)
