"""History on its way to a browser or a program, line by line."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import StreamingHttpResponse

from accounts.history.files import FORMS, Line
from accounts.models import Account


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
