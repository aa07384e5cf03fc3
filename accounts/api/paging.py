from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination

from .problems import CursorInvalid, PageSizeInvalid
from .reading import is_moment, plain_number


class Pages(CursorPagination):
    """Pages by cursor, newest first; `page_size` may ask for up to 200 rows."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = ("-created", "-pk")

    def get_ordering(self, request, queryset, view):
        return tuple(getattr(view, "ordering", self.ordering))

    def get_page_size(self, request) -> int:
        """Return how many rows were asked for; raises PageSizeInvalid."""
        told = request.query_params.get(self.page_size_query_param)
        if told is None:
            return self.page_size
        size = plain_number(told)
        if size is None or not 1 <= size <= self.max_page_size:
            raise PageSizeInvalid
        return size

    def get_schema_operation_parameters(self, view) -> list[dict[str, Any]]:
        """Describe the parameters, with the bounds that a page has."""
        told = super().get_schema_operation_parameters(view)
        for one in told:
            if one["name"] == self.page_size_query_param:
                one["schema"] |= {"minimum": 1, "maximum": self.max_page_size}
        return told

    def decode_cursor(self, request):
        """Return where to go on from; raises CursorInvalid."""
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise CursorInvalid from error
        # Every list is ordered by a moment first, so a position is always one.
        if cursor and cursor.position is not None and not is_moment(cursor.position):
            raise CursorInvalid
        return cursor
