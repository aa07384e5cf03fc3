"""What a new installation needs before its first person can log in."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from knox.models import AuthToken

from accounts.models import Membership, Workspace

from .processes.installation import write_private_json

WORKSPACE = "default"
ADMINISTRATOR = "admin"


def make_administrator(login_file: Path, url: str) -> None:
    """Make the first administrator and workspace, unless somebody is there already."""
    if get_user_model().objects.filter(is_superuser=True).exists():
        tell_address(login_file, url)
        return
    password = secrets.token_urlsafe(15)
    login = make_login(ADMINISTRATOR, password, WORKSPACE)
    write_private_json(login_file, {"url": url, **login})


def make_login(username: str, password: str, workspace: str) -> dict[str, Any]:
    """Make a superuser who is the admin of a workspace; return login and token."""
    user = get_user_model().objects.create_superuser(username, password=password)
    owned, _ = Workspace.objects.get_or_create(name=workspace)
    Membership.objects.create(workspace=owned, user=user, role=Membership.Role.ADMIN)
    _, token = AuthToken.objects.create(user)
    return {"username": username, "password": password, "token": token}


def tell_address(login_file: Path, url: str, **more: str) -> None:
    """Write the address of this start into the login file that is there already."""
    if login_file.exists():
        login = json.loads(login_file.read_text())
        write_private_json(login_file, {**login, "url": url, **more})
