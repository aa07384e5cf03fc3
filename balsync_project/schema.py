"""Whether the database has what the code expects, told without loading a migration."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from django.apps import apps
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


def bring_up_to_date() -> None:
    """Migrate; where the database records every migration, only do what follows one."""
    if set(on_disk()) <= MigrationRecorder(connection).applied_migrations().keys():
        # A start that was killed may have migrated and not come to this.
        emit_post_migrate_signal(verbosity=0, interactive=False, db=DEFAULT_DB_ALIAS)
    else:
        call_command("migrate", verbosity=0, interactive=False)


def on_disk() -> Iterator[tuple[str, str]]:
    """Yield the app and the name of every migration there is, as Django finds them."""
    for app in apps.get_app_configs():
        package, _ = MigrationLoader.migrations_module(app.label)
        if package is None or find_spec(package) is None:
            continue
        for module in iter_modules(import_module(package).__path__):
            if not module.ispkg and module.name[0] not in "_~":
                yield app.label, module.name
