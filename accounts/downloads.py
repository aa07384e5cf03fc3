"""History on its way to a browser or a program, line by line."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import StreamingHttpResponse

from accounts import services
from accounts.history.files import FORMS, Line
from accounts.models import Account, SyncRun
from accounts.trading import files


def download(
    account: Account, rows: Iterable[Line], form: str
) -> StreamingHttpResponse:
    """Return `rows` as a file, so that no length fills the memory; raises KeyError."""
    found = FORMS[form]
    return StreamingHttpResponse(
        found.write(rows, account.unit),
        content_type=f"{found.media}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{account.pk}.{form}"'},
    )


def download_report(run: SyncRun, form: str) -> StreamingHttpResponse:
    """Return all that a sync changed as a file, line by line; raises KeyError."""
    lines = files.write(form, services.report_head(run), services.report_lines(run))
    return StreamingHttpResponse(
        lines,
        content_type=f"{files.FORMS[form]}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="sync-{run.pk}.{form}"'},
    )
