"""How the admin looks: names, colours, what stands at the side."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, route: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{route}")}


def _list(title: str, icon: str, noun: str) -> dict[str, Any]:
    """Return an item for a list; shown to whoever may see that noun."""
    return _item(title, icon, f"{noun}_changelist") | {
        "permission": f"balsync_project.menu.{noun.split('_')[0]}_seen"
    }


def _for_superusers(title: str, icon: str, noun: str) -> dict[str, Any]:
    return _item(title, icon, f"{noun}_changelist") | {
        "permission": "balsync_project.menu.kept_by_superusers"
    }


MONEY = [
    _item("Dashboard", "dashboard", "index"),
    _list("Accounts", "account_balance", "accounts_account"),
    _list("Pots", "savings", "accounts_pot"),
    _list("Connections", "link", "accounts_connection"),
    _list("Positions", "candlestick_chart", "accounts_position"),
    _list("Orders", "list_alt", "accounts_order"),
]
RULES = [
    _list("Rules", "rule", "automation_rule"),
    _list("Runs", "play_circle", "automation_rulerun"),
    _list("Transfers", "swap_horiz", "automation_transfer"),
]
HISTORY = [
    _list("Transactions", "receipt_long", "accounts_transaction"),
    _list("Trades", "swap_vert", "accounts_trade"),
    _list("Snapshots", "history", "accounts_balancesnapshot"),
    _list("Snapshot names", "sell", "accounts_snapshotkey"),
    _list("Sync runs", "sync", "accounts_syncrun"),
    _list("Streams", "sensors", "accounts_stream"),
    _list("Webhooks", "webhook", "accounts_webhookinbox"),
    _list("Corrections", "edit_note", "accounts_correction"),
    _list("Quarantine", "gpp_maybe", "accounts_quarantinedreading"),
    _list("Discrepancies", "difference", "accounts_discrepancy"),
    _list("Events", "notifications", "accounts_event"),
    _list("Deliveries", "outgoing_mail", "accounts_delivery"),
    _item("Audit", "policy", "accounts_auditevent_changelist")
    | {"permission": "balsync_project.menu.kept_by_admins"},
]
HOUSE = [
    _list("Workspaces", "groups", "accounts_workspace"),
    _list("Checks", "fact_check", "accounts_checksetting"),
    _list("Drift limits", "straighten", "accounts_driftsetting"),
    _list("Rates", "currency_exchange", "accounts_exchangerate"),
    _list("Notifications", "notifications_active", "accounts_preference"),
    _list("Channels", "campaign", "accounts_channel"),
    _for_superusers("Users", "person", "auth_user"),
    _item("Signing keys", "vpn_key", "accounts_signingkey_changelist")
    | {"permission": "balsync_project.menu.kept_by_admins"},
    {
        "title": "Second factor",
        "icon": "phonelink_lock",
        "link": reverse_lazy("second_factor_setup"),
    },
    _for_superusers("Second factors", "security", "accounts_authenticatorapp"),
    _for_superusers("Failed sign-ins", "lock", "axes_accessattempt"),
    _for_superusers("API tokens", "key", "knox_authtoken"),
    {"title": "Health", "icon": "monitor_heart", "link": reverse_lazy("health")}
    | {"permission": "balsync_project.menu.accounts_seen"},
    _for_superusers("Schedules", "schedule", "django_celery_beat_periodictask"),
]

# Teal, from light to dark; the site's only colour besides greys.
TEAL = {
    "50": "oklch(98.4% .014 180.7)",
    "100": "oklch(95.3% .051 180.8)",
    "200": "oklch(91% .096 180.4)",
    "300": "oklch(85.5% .138 181.1)",
    "400": "oklch(77.7% .152 181.9)",
    "500": "oklch(70.4% .14 182.5)",
    "600": "oklch(60% .118 184.7)",
    "700": "oklch(51.1% .096 186.4)",
    "800": "oklch(43.7% .078 188.2)",
    "900": "oklch(38.6% .063 188.4)",
    "950": "oklch(27.7% .046 192.5)",
}

UNFOLD = {
    "SITE_TITLE": "balsync",
    "SITE_HEADER": "balsync",
    "SITE_SYMBOL": "balance",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "sizes": "any",
            "href": lambda request: static("balsync/favicon.svg"),
        }
    ],
    "STYLES": [lambda request: static("balsync/admin.css")],
    "SCRIPTS": [lambda request: static("balsync/admin.js")],
    "COLORS": {"primary": TEAL},
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "balsync_project.dashboard.fill",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {"title": "Money", "items": MONEY},
            {"title": "Automation", "items": RULES},
            {"title": "History", "collapsible": True, "items": HISTORY},
            {"title": "House", "collapsible": True, "items": HOUSE},
        ],
    },
}
