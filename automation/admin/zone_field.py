"""The field of a time zone: typed with suggestions, and at first the one in use."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.admin.inputs import text
from automation.models import Rule
from automation.services.zones import usual_zone, zones

DEFAULT = Rule._meta.get_field("timezone").default
ZONES_ID = "zones"


def zone_field(**kwargs: Any) -> forms.CharField:
    """Return a field whose suggestions are `zone_list`."""
    told = {
        "label": "Time zone",
        "initial": DEFAULT,
        "max_length": 60,
        "help_text": "Days and hours are meant there.",
    }
    field = text(**told | kwargs)
    field.widget.attrs |= {
        "list": ZONES_ID,
        "autocomplete": "off",
        "spellcheck": "false",
    }
    return field


def suggest_zone(field: forms.CharField, workspaces: Iterable[Any]) -> None:
    """Start with the zone in use there; where there is none, the browser may tell."""
    usual = usual_zone(workspaces)
    field.initial = usual or DEFAULT
    if not usual:
        field.widget.attrs["data-zone-of-browser"] = "1"


@cache
def zone_list() -> SafeString:
    options = format_html_join("", '<option value="{}">', ((z,) for z in zones()))
    return format_html('<datalist id="{}">{}</datalist>', ZONES_ID, options)
