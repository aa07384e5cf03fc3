"""Who sees which part of the menu; the pages themselves check again."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.admin.base import Role, may


def accounts_seen(request: HttpRequest) -> bool:
    return may(request, Role.VIEWER)


automation_seen = accounts_seen


def kept_by_admins(request: HttpRequest) -> bool:
    return may(request, Role.ADMIN)


def kept_by_superusers(request: HttpRequest) -> bool:
    return request.user.is_superuser
