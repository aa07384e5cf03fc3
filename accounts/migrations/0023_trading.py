"""Orders, trades and positions; trades are written once."""

from __future__ import annotations

import accounts.fields
import django.db.models.deletion
import django.utils.timezone
import uuid
from decimal import Decimal
from django.db import migrations, models

from accounts.migrations._audit import follow

GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON accounts_trade
  FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON accounts_trade
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""
UNGUARD = """
DROP TRIGGER append_only ON accounts_trade;
DROP TRIGGER no_truncate ON accounts_trade;
"""


def follow_connection(*more: str) -> migrations.RunSQL:
    """Let the audit tell of what an owner changes about a connection, as before."""
    return follow(
        "accounts_connection",
        "connection",
        [
            *("provider", "label", "sync_interval_seconds", "consent_expires_at"),
            *("archived_at", "workspace_id"),
            *more,
        ],
        secret=["webhook_digest"],
        switches={"archived_at": ["archived", "restored"]},
        often=True,
    )


BEFORE, AFTER = follow_connection(), follow_connection("trading_interval_seconds")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0022_streams"),
    ]

    operations = [
        migrations.CreateModel(
            name="BookCursor",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "what",
                    models.CharField(
                        choices=[("orders", "Orders"), ("trades", "Trades")],
                        max_length=10,
                    ),
                ),
                ("book", models.CharField(blank=True, max_length=200)),
                ("cursor", models.TextField(blank=True)),
                ("since", models.DateTimeField(help_text="From when on it is read.")),
                (
                    "read_at",
                    models.DateTimeField(
                        help_text="When its end was reached last.", null=True
                    ),
                ),
                ("error", models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="Trade",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("segment", models.CharField(max_length=40)),
                (
                    "market",
                    models.CharField(
                        help_text="The provider's name of it.", max_length=60
                    ),
                ),
                ("base", models.CharField(max_length=24)),
                ("quote", models.CharField(max_length=24)),
                ("external_id", models.CharField(max_length=100)),
                (
                    "recorded_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("order_id", models.CharField(blank=True, max_length=100)),
                (
                    "side",
                    models.CharField(
                        choices=[("buy", "Buy"), ("sell", "Sell")], max_length=4
                    ),
                ),
                ("quantity", accounts.fields.Figure(help_text="In the base asset.")),
                ("price", accounts.fields.Figure(help_text="In the quote asset.")),
                ("cost", accounts.fields.Figure(help_text="In the quote asset.")),
                (
                    "fee",
                    accounts.fields.Figure(
                        blank=True, help_text="Above zero where it was paid.", null=True
                    ),
                ),
                ("fee_asset", models.CharField(blank=True, max_length=24)),
                ("maker", models.BooleanField(blank=True, null=True)),
                (
                    "pnl",
                    accounts.fields.Figure(
                        blank=True, help_text="As the provider says.", null=True
                    ),
                ),
                ("pnl_asset", models.CharField(blank=True, max_length=24)),
                ("created", models.DateTimeField()),
            ],
            options={
                "ordering": ["-created"],
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("segment", models.CharField(max_length=40)),
                (
                    "market",
                    models.CharField(
                        help_text="The provider's name of it.", max_length=60
                    ),
                ),
                ("base", models.CharField(max_length=24)),
                ("quote", models.CharField(max_length=24)),
                ("external_id", models.CharField(max_length=100)),
                (
                    "recorded_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("client_id", models.CharField(blank=True, max_length=100)),
                (
                    "side",
                    models.CharField(
                        choices=[("buy", "Buy"), ("sell", "Sell")], max_length=4
                    ),
                ),
                (
                    "kind",
                    models.CharField(blank=True, max_length=40, verbose_name="type"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("partially_filled", "Partially Filled"),
                            ("filled", "Filled"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                            ("rejected", "Rejected"),
                            ("absent", "Absent"),
                        ],
                        help_text="Absent: the provider says that there is no such order.",
                        max_length=20,
                    ),
                ),
                ("quantity", accounts.fields.Figure(help_text="In the base asset.")),
                ("filled", accounts.fields.Figure(help_text="Of the quantity.")),
                (
                    "cost",
                    accounts.fields.Figure(
                        blank=True,
                        help_text="For what is filled, in the quote.",
                        null=True,
                    ),
                ),
                (
                    "price",
                    accounts.fields.Figure(
                        blank=True, help_text="Its limit, in the quote.", null=True
                    ),
                ),
                ("created", models.DateTimeField()),
                ("updated", models.DateTimeField(blank=True, null=True)),
                (
                    "seen_at",
                    models.DateTimeField(
                        help_text="When the provider told of it last."
                    ),
                ),
                (
                    "absent_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the provider said that there is none.",
                        null=True,
                    ),
                ),
                (
                    "doubt",
                    models.CharField(
                        blank=True,
                        help_text="Why it is not known how it is: the last look-up failed, or most orders were gone at once.",
                        max_length=500,
                    ),
                ),
            ],
            options={
                "ordering": ["-created"],
            },
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("segment", models.CharField(max_length=40)),
                (
                    "market",
                    models.CharField(
                        help_text="The provider's name of it.", max_length=60
                    ),
                ),
                ("base", models.CharField(max_length=24)),
                ("quote", models.CharField(max_length=24)),
                ("external_id", models.CharField(max_length=100)),
                (
                    "recorded_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                (
                    "side",
                    models.CharField(
                        choices=[("long", "Long"), ("short", "Short")], max_length=5
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.Figure(
                        help_text="In the base asset, or in contracts."
                    ),
                ),
                ("entry_price", accounts.fields.Figure(blank=True, null=True)),
                ("mark_price", accounts.fields.Figure(blank=True, null=True)),
                (
                    "pnl",
                    accounts.fields.Figure(
                        blank=True, null=True, verbose_name="unrealised P&L"
                    ),
                ),
                ("pnl_asset", models.CharField(blank=True, max_length=24)),
                ("liquidation_price", accounts.fields.Figure(blank=True, null=True)),
                (
                    "derived",
                    models.BooleanField(
                        default=False,
                        help_text="Worked out from trades: the provider tells of none.",
                    ),
                ),
                (
                    "created",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        help_text="When it was seen first.",
                    ),
                ),
                ("updated", models.DateTimeField(blank=True, null=True)),
                (
                    "seen_at",
                    models.DateTimeField(
                        help_text="When the provider told of it last."
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("doubt", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-created"],
            },
        ),
        migrations.AddField(
            model_name="connection",
            name="key_may",
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="key_read_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="trading_interval_seconds",
            field=models.PositiveIntegerField(
                db_default=1800,
                default=1800,
                verbose_name="seconds between readings of orders, trades and positions",
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="trading_read_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="correction",
            name="subject",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Its market and its id at the provider.",
                max_length=170,
            ),
        ),
        migrations.AddField(
            model_name="correction",
            name="subject_id",
            field=models.UUIDField(
                blank=True,
                help_text="Which order, trade or position it is about.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="correction",
            name="subject_kind",
            field=models.CharField(
                choices=[
                    ("account", "Account"),
                    ("order", "Order"),
                    ("trade", "Trade"),
                    ("position", "Position"),
                ],
                db_default="account",
                default="account",
                max_length=10,
                verbose_name="about",
            ),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="progress",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="resume_at",
            field=models.DateTimeField(
                editable=False,
                help_text="From when on anybody may go on reading: the balances are done.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="correction",
            name="account",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="corrections",
                to="accounts.account",
            ),
        ),
        migrations.AlterField(
            model_name="correction",
            name="difference",
            field=models.TextField(
                blank=True,
                help_text="In minor units, if an amount of an account; else in whole ones.",
            ),
        ),
        migrations.AlterField(
            model_name="quarantinedreading",
            name="rule",
            field=models.CharField(
                choices=[
                    ("negative", "Less than nothing"),
                    ("negative_available", "Less than nothing available"),
                    ("held_exceeds_total", "More held back than there is"),
                    ("sources_disagree", "Two sources disagree"),
                    ("unrealistic", "More than anybody has"),
                    ("stale", "Old when it came"),
                    ("too_precise", "Too precise for the asset"),
                    ("all_zero", "Everything is zero at once"),
                    ("mass_disappearance", "Most accounts are missing at once"),
                    ("garbage", "No figure"),
                    ("rewritten", "Told otherwise than before"),
                    ("drift", "Changed by more than the limits"),
                ],
                max_length=30,
            ),
        ),
        migrations.AddConstraint(
            model_name="correction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("account__isnull", False),
                        ("subject_id", None),
                        ("subject_kind", "account"),
                    ),
                    models.Q(
                        models.Q(("subject_kind", "account"), _negated=True),
                        ("account", None),
                        ("subject_id__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="correction_of_one_thing",
            ),
        ),
        migrations.AddField(
            model_name="bookcursor",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="books",
                to="accounts.connection",
            ),
        ),
        migrations.AddField(
            model_name="bookcursor",
            name="sync",
            field=models.ForeignKey(
                help_text="The recovery whose own it is; empty: what syncs go on from.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="books",
                to="accounts.syncrun",
            ),
        ),
        migrations.CreateModel(
            name="Gain",
            fields=[
                (
                    "trade",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="gain",
                        serialize=False,
                        to="accounts.trade",
                    ),
                ),
                ("amount", accounts.fields.Figure()),
                ("asset", models.CharField(max_length=24)),
            ],
        ),
        migrations.AddField(
            model_name="trade",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="accounts.connection",
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="accounts.connection",
            ),
        ),
        migrations.AddField(
            model_name="position",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="accounts.connection",
            ),
        ),
        migrations.AddConstraint(
            model_name="bookcursor",
            constraint=models.UniqueConstraint(
                fields=("connection", "what", "book", "sync"),
                name="one_cursor_per_book",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="gain",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "amount__range",
                        (
                            Decimal("-1.000000000000000000000000000E+38"),
                            Decimal("1.000000000000000000000000000E+38"),
                        ),
                    ),
                    ("amount__isnull", True),
                    _connector="OR",
                ),
                name="gain_is_figure",
            ),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["connection", "-created"], name="trade_by_time"),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.UniqueConstraint(
                fields=("connection", "segment", "market", "external_id"),
                name="one_trade_per_external_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "quantity__range",
                            (
                                Decimal("0"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("quantity__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "price__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("price__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "cost__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("cost__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "fee__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("fee__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "pnl__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("pnl__isnull", True),
                        _connector="OR",
                    ),
                ),
                name="trade_has_figures",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["connection", "-created"], name="order_by_time"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("status__in", ["open", "partially_filled"])),
                fields=["connection"],
                name="order_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                fields=("connection", "segment", "market", "external_id"),
                name="one_order_per_external_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "quantity__range",
                            (
                                Decimal("0"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("quantity__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "filled__range",
                            (
                                Decimal("0"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("filled__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "cost__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("cost__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "price__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("price__isnull", True),
                        _connector="OR",
                    ),
                ),
                name="order_has_figures",
            ),
        ),
        migrations.AddIndex(
            model_name="position",
            index=models.Index(
                fields=["connection", "-created"], name="position_by_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="position",
            constraint=models.UniqueConstraint(
                fields=("connection", "segment", "market", "external_id"),
                name="one_position_per_external_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="position",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "quantity__range",
                            (
                                Decimal("0"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("quantity__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "entry_price__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("entry_price__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "mark_price__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("mark_price__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "pnl__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("pnl__isnull", True),
                        _connector="OR",
                    ),
                    models.Q(
                        (
                            "liquidation_price__range",
                            (
                                Decimal("-1.000000000000000000000000000E+38"),
                                Decimal("1.000000000000000000000000000E+38"),
                            ),
                        ),
                        ("liquidation_price__isnull", True),
                        _connector="OR",
                    ),
                ),
                name="position_has_figures",
            ),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunSQL(
            [BEFORE.reverse_sql, AFTER.sql], [AFTER.reverse_sql, BEFORE.sql]
        ),
    ]
