"""What a new installation needs before its first person can log in."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from knox.models import AuthToken

from accounts.models import Membership, Scope, Workspace
from accounts.services import make_signing_key

from .processes.installation import write_private_json

WORKSPACE = "default"
ADMINISTRATOR = "admin"


def make_administrator(login_file: Path | None, url: str) -> dict[str, Any] | None:
    """Make and return the first administrator, unless somebody is there already."""
    if get_user_model().objects.filter(is_superuser=True).exists():
        tell_address(login_file, url)
        return None
    password = secrets.token_urlsafe(15)
    return keep(login_file, url, make_login(ADMINISTRATOR, password, WORKSPACE))


def keep(login_file: Path | None, url: str, login: dict[str, Any]) -> dict[str, Any]:
    """Write a new login into its file, and return it."""
    told = {"url": url, **login}
    if login_file:
        write_private_json(login_file, told)
    return told


def make_login(username: str, password: str, workspace: str) -> dict[str, Any]:
    """Make a superuser who is the admin of a workspace; return all ways to sign in."""
    user = get_user_model().objects.create_superuser(username, password=password)
    owned, _ = Workspace.objects.get_or_create(name=workspace)
    Membership.objects.create(workspace=owned, user=user, role=Membership.Role.ADMIN)
    _, token = AuthToken.objects.create(user)
    key, secret = make_signing_key(owned, user, Scope.values, label="First start")
    return {
        "username": username,
        "password": password,
        "token": token,
        "signing_key": {"id": str(key.pk), "secret": secret},
    }


def tell_address(login_file: Path | None, url: str, **more: str) -> None:
    """Write the address of this start into the login file that is there already."""
    if login_file and login_file.exists():
        login = json.loads(login_file.read_text())
        write_private_json(login_file, {**login, "url": url, **more})
