"""What leaves an account, as it is at this moment and not when the statement began."""

from __future__ import annotations

from django.db import migrations

from ._leaving import FIRST

GONE = "DROP FUNCTION automation_leaving(uuid, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [("automation", "0005_fewer_indexes")]

    operations = [migrations.RunSQL(FIRST, GONE)]
