"""Leaves out the indexes that others begin with, and those of columns mostly blank."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations, models
from django.db.models import PROTECT, SET_NULL, ForeignKey, Q

NOBODY = {"blank": True, "null": True, "on_delete": SET_NULL, "related_name": "+"}
USER, TRANSFER = settings.AUTH_USER_MODEL, "automation.transfer"
# Model, column, the digest in the name of its index, and what it is from now on.
GONE = [
    ("rulerun", "approved_by", "817588f4", ForeignKey(USER, **NOBODY, db_index=False)),
    ("rulerun", "requested_by", "daa45598", ForeignKey(USER, **NOBODY, db_index=False)),
    (
        "rulerun",
        "trigger",
        "797dc122",
        ForeignKey("automation.trigger", **NOBODY, db_index=False),
    ),
    (
        "transfer",
        "depends_on",
        "5fd4be07",
        ForeignKey(
            TRANSFER,
            PROTECT,
            null=True,
            blank=True,
            related_name="dependents",
            db_index=False,
        ),
    ),
    (
        "transfer",
        "run",
        "6be37d3a",
        ForeignKey(
            "automation.rulerun", PROTECT, related_name="transfers", db_index=False
        ),
    ),
    (
        "transfer",
        "source",
        "1bdecd0a",
        ForeignKey(
            "accounts.account", PROTECT, related_name="outflows", db_index=False
        ),
    ),
]
NEW = [
    ("rulerun", "trigger", "run_by_trigger"),
    ("rulerun", "requested_by", "run_by_requested_by"),
    ("rulerun", "approved_by", "run_by_approved_by"),
    ("transfer", "depends_on", "transfer_by_first_step"),
]


def drop(model: str, name: str, digest: str) -> migrations.RunSQL:
    """Return what drops the index that Django made for a column."""
    table, column = f"automation_{model}", f"{name}_id"
    index = f"{table}_{column}_{digest}"
    return migrations.RunSQL(
        f'DROP INDEX "{index}"', f'CREATE INDEX "{index}" ON "{table}" ("{column}")'
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_old_runs"),
        ("automation", "0004_beat"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Left to itself, Django would drop every index of that one column alone: also
        # `one_unsettled_outflow`, for it looks at columns and not at conditions.
        migrations.SeparateDatabaseAndState(
            [drop(model, name, digest) for model, name, digest, _ in GONE],
            [migrations.AlterField(m, name, field) for m, name, _, field in GONE],
        ),
        *(
            migrations.AddIndex(
                model,
                models.Index(
                    fields=[name], condition=Q(**{f"{name}__isnull": False}), name=index
                ),
            )
            for model, name, index in NEW
        ),
    ]
