"""How far a sync has come, while one looks, and its report as a file."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from accounts.downloads import download_report
from accounts.models import SyncRun
from accounts.trading.files import FORMS
from accounts.trading.progress import Progress

from . import show


def progress_of(run: SyncRun, url: str) -> dict[str, Any] | None:
    """Return what is shown of the reading of orders and trades, if there is any."""
    unfinished = run.status in SyncRun.UNFINISHED
    if run.progress is None and not unfinished:
        return None
    found = Progress.read(run.progress)
    until = found.waits_until and datetime.fromisoformat(found.waits_until)
    return {
        "unfinished": unfinished,
        "url": url,
        "part": found.part if run.progress else 0,
        "text": found.text if run.progress else "reading balances",
        "problems": found.problems,
        "waits_until": show.exact(until) if until and unfinished else "",
    }


class Followed:
    """Shows how far a sync run has come, again and again, and offers its report."""

    change_form_outer_after_template = "balsync/sync.html"

    def get_urls(self):
        name = "_".join(self._route)
        watch = self.admin_site.admin_view(self.progress_view)
        file = self.admin_site.admin_view(self.report_view)
        return [
            path("<uuid:object_id>/progress/", watch, name=f"{name}_progress"),
            path("<uuid:object_id>/report.<str:form>", file, name=f"{name}_report"),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        row = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if row is not None and self.has_view_permission(request, row):
            context["progress"] = progress_of(row, self._url("progress", row))
            context["reports"] = [
                (form.upper(), self._url("report", row, form)) for form in FORMS
            ]
        return super().change_view(request, object_id, form_url, context)

    def _url(self, what: str, row: SyncRun, *more: str) -> str:
        route = "_".join([*self._route, what])
        return reverse(f"admin:{route}", args=[row.pk, *more])

    def progress_view(self, request, object_id) -> HttpResponse:
        """Return how far a sync has come; once it is over, let the page be loaded anew."""
        row = self._seen(request, object_id)
        told = progress_of(row, self._url("progress", row))
        answer = render(request, "balsync/progress.html", {"progress": told})
        if told is None or not told["unfinished"]:
            answer.headers["HX-Refresh"] = "true"
        return answer

    def report_view(self, request, object_id, form: str) -> StreamingHttpResponse:
        """Download all that a sync changed."""
        row = self._seen(request, object_id)
        if form not in FORMS:
            raise Http404
        return download_report(row, form)

    def _seen(self, request, object_id) -> SyncRun:
        row = self.get_object(request, str(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row
