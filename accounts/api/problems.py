"""What went wrong, as RFC 9457 says it: one shape, one stable code per cause."""

from __future__ import annotations

from collections.abc import Mapping

from rest_framework import exceptions

MEDIA_TYPE = "application/problem+json"


class Problem(exceptions.APIException):
    """The request cannot be carried out."""

    status_code = 400
    default_code = "invalid"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.__doc__)
        self.errors = errors or []
        self.headers = dict(headers or {})


class TooLarge(Problem):
    """The body is larger than 1 MB."""

    status_code = 413
    default_code = "body_too_large"


class Archived(Problem):
    """This is archived: it can be read, not used or changed."""

    status_code = 409
    default_code = "archived"


class NotOpen(Problem):
    """Somebody has decided about this already."""

    status_code = 409
    default_code = "not_open"


class KeyNeeded(Problem):
    """This request needs an Idempotency-Key header."""

    default_code = "idempotency_key_required"


class KeyInvalid(Problem):
    """An Idempotency-Key is 1 to 255 printable ASCII characters."""

    default_code = "idempotency_key_invalid"


class KeyReused(Problem):
    """This Idempotency-Key was used with another body."""

    status_code = 422
    default_code = "idempotency_key_reused"


class StillRunning(Problem):
    """The first request with this Idempotency-Key has not ended; ask again."""

    status_code = 409
    default_code = "still_running"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})


class CursorInvalid(Problem):
    """This cursor is not one that we gave."""

    default_code = "cursor_invalid"


class PageSizeInvalid(Problem):
    """A page has 1 to 200 rows."""

    default_code = "page_size_invalid"
