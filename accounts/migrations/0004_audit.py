"""Who changed what: written by the database, never altered, sealed every minute."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations

from accounts.migrations._audit import UNWRITE, WRITE, follow
from accounts.migrations._guards import append_only

# Unlike those of past balances, these rows let no retention pass: the chain would break.
GUARD = """
CREATE FUNCTION accounts_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION accounts_audit_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO accounts_auditwaiting (event_id) VALUES (NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER wait_for_seal AFTER INSERT ON accounts_auditevent
  FOR EACH ROW EXECUTE FUNCTION accounts_audit_wait();
"""
UNGUARD = """
DROP TRIGGER wait_for_seal ON accounts_auditevent;
DROP FUNCTION accounts_audit_wait();
DROP FUNCTION accounts_audit_refuse();
"""
# What a sync writes every time is in none of these lists: it must cost nothing more.
FOLLOWED = [
    follow(
        "accounts_workspace",
        "workspace",
        ["name", "base_asset", "dry_run", "paused_at"],
        way="id",
        switches={"paused_at": ["paused", "resumed"]},
    ),
    follow("accounts_membership", "membership", ["user_id", "role", "workspace_id"]),
    follow(
        "accounts_connection",
        "connection",
        [
            *("provider", "label", "sync_interval_seconds", "consent_expires_at"),
            *("archived_at", "workspace_id", "trading_interval_seconds"),
        ],
        secret=["webhook_digest"],
        switches={"archived_at": ["archived", "restored"]},
        often=True,
    ),
    # A sync finds accounts and says so itself; what it renames is told in a correction.
    follow(
        "accounts_account",
        "account",
        [
            *("name", "category", "role", "goal", "active", "automates"),
            *("protected_at", "protected_reason", "workspace_id", "connection_id"),
            "keep_days",
        ],
        switches={"protected_at": ["protected", "released"]},
        on=["UPDATE", "DELETE"],
        often=True,
    ),
    follow(
        "accounts_checksetting",
        "checksetting",
        ["rule", "kind", "asset", "enabled", "severity", "threshold"],
    ),
    follow(
        "accounts_driftsetting",
        "driftsetting",
        [
            *("account_id", "asset", "least", "percent", "high", "critical", "changes"),
            *("correction", "protect", "clean_syncs"),
        ],
    ),
    follow(
        "accounts_signingkey",
        "signingkey",
        ["user_id", "label", "scopes", "expires_at", "revoked_at", "workspace_id"],
        switches={"revoked_at": ["revoked", "revived"]},
    ),
    follow(
        "accounts_exchangerate",
        "exchangerate",
        ["base", "quote", "value", "as_of", "good_for_hours"],
        when="ROW.source = 'typed'",
    ),
    follow(
        "accounts_preference",
        "preference",
        ["user_id", "kinds", "timezone", "quiet_from", "quiet_until"],
    ),
    follow(
        "accounts_channel",
        "channel",
        ["kind", "name", "shown", "kinds", "enabled"],
        way="preference_id",
        parent="accounts_preference",
    ),
    follow(
        "accounts_threshold",
        "threshold",
        ["account_id", "low", "change", "change_percent"],
        way="account_id",
        parent="accounts_account",
    ),
    follow(
        "auth_user",
        "user",
        ["username", "is_active", "is_staff", "is_superuser"],
        way="",
        secret=["password"],
    ),
    follow(
        "django_celery_beat_periodictask",
        "periodictask",
        ["name", "task", "enabled", "interval_id", "crontab_id"],
        way="",
    ),
]


class Migration(migrations.Migration):
    # Installations that ran these have what this makes.
    replaces = [
        ("accounts", "0019_audit"),
    ]
    dependencies = [
        ("accounts", "0003_history"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(GUARD, UNGUARD),
        append_only("accounts_auditevent", "accounts_audit_refuse"),
        append_only("accounts_auditseal", "accounts_audit_refuse"),
        migrations.RunSQL(WRITE, UNWRITE),
        *FOLLOWED,
    ]
