from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError

import providers
from accounts import services
from accounts.management.base import Command as Base
from accounts.models import AuthorizationRequest, Connection, Workspace
from providers.base import Authorizes
from providers.errors import ProviderError

LOOK_EVERY = 1.0  # seconds


class Command(Base):
    help = "Connects a provider and prints the connection's id."

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", choices=providers.slugs())
        parser.add_argument("--workspace", required=True, help="made if there is none")
        parser.add_argument("--credential", action="append", default=[], metavar="K=V")
        parser.add_argument("--label", default="")
        parser.add_argument(
            "--timeout", type=float, default=1800, help="seconds to wait for consent"
        )

    def handle(self, *, slug: str, workspace: str, **options: Any) -> None:
        given = dict(_pair(text) for text in options["credential"])
        owner, _ = Workspace.objects.get_or_create(name=workspace)
        try:
            made = services.connect(owner, slug, given, label=options["label"])
            if self.needs_consent(made, given):
                self.wait_for_consent(made, **options)
        except ProviderError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.tell(
            {"id": str(made.pk), "health": made.health}, [str(made.pk)], **options
        )

    def needs_consent(self, made: Connection, given: dict[str, str]) -> bool:
        adapter = providers.load(made.provider)
        return issubclass(adapter, Authorizes) and not services.authorized(
            adapter, given
        )

    def wait_for_consent(self, made: Connection, **options: Any) -> None:
        """Print where to consent, and wait until the web process was called back."""
        url = services.start_authorization(made)
        # On standard error, so that a script still reads the id alone.
        self.stderr.write(f"Give consent here: {url}")
        until = time.monotonic() + options["timeout"]
        pending = AuthorizationRequest.objects.filter(connection=made, used_at=None)
        while pending.exists() or made.health == Connection.Health.NEW:
            if time.monotonic() > until:
                raise CommandError(f"No consent was given for {made.pk}")
            time.sleep(LOOK_EVERY)
            made.refresh_from_db()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError("A credential is written name=value")
    return name, value
