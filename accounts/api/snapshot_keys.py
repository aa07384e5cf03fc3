"""A snapshot is found by its client's key for as long as it is kept.

The row of a request under way is an idempotency key like any other; once the snapshot is
there, its own key takes over, and nothing is stored twice.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.crypto import constant_time_compare
from rest_framework.response import Response

from accounts.models import Account, IdempotencyKey
from accounts.services import snapshot_keys

from .idempotency import Asked
from .problems import KeyReused


class AskedForSnapshot(Asked):
    """Who asks for a snapshot of which account under which key.

    The view has `get_object`, `shown` for a snapshot, and what it took in `taken`.
    """

    def __init__(self, view: Any, key: str, field: str | None = None) -> None:
        self.view, self.field = view, field
        self.account: Account = view.get_object()
        super().__init__(view.request, key)

    def route_of(self, request) -> str:
        return f"snapshot {self.account.pk}"  # however the route is spelt

    def body_of(self, request) -> Any:
        if isinstance(request.data, dict) and self.field is not None:
            return {k: told for k, told in request.data.items() if k != self.field}
        return request.data

    def claim(self) -> IdempotencyKey | None:
        """Write the row of this key; None if there is one, or a snapshot already."""
        if self.found() is not None:
            return None
        row = super().claim()
        if row is not None and self.found() is not None:
            row.delete()  # whoever was faster has just finished
            return None
        return row

    def found(self) -> snapshot_keys.Named | None:
        return snapshot_keys.of_client(self.account, **self.who)

    @property
    def who(self) -> dict[str, str]:
        return {"client": self.name["caller"], "key": self.name["key"]}

    def answer(self) -> Response | None:
        """Return the snapshot of this key, None while there is none; raises KeyReused."""
        found = self.found()
        if found is None:
            return super().answer()
        if not constant_time_compare(found.fingerprint, self.fingerprint):
            raise KeyReused
        snapshot_keys.count_replay(found)
        headers = {"Idempotent-Replayed": "true"}
        return self.view.shown(found.snapshot, headers=headers)

    def keep(self, row: IdempotencyKey, response: Response) -> Response:
        """Let the key stand for the snapshot that was taken: the request is over.

        Where another process was faster all the same, its snapshot is the answer.
        """
        taken = self.view.taken
        with transaction.atomic():
            named = taken is None or snapshot_keys.name_for_client(
                taken, **self.who, fingerprint=self.fingerprint
            )
            row.delete()
        row.status = response.status_code
        return response if named else self.answer() or response
