"""Draws long lists of choices without a template for each choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

OPTION = "django/forms/widgets/select_option.html"


class Renderer(DjangoTemplates):
    """Django's own renderer; its pages are the same, and a list of choices is cheap."""

    def render(self, template_name: str, context: dict[str, Any], request=None) -> str:
        widget = context.get("widget", {})
        if not is_plain(widget.get("optgroups")):
            return super().render(template_name, context, request)
        frame = {"widget": {**widget, "optgroups": []}}
        before, end, after = (
            super()
            .render(template_name, context | frame, request)
            .partition("</select>")
        )
        return before + drawn(widget["optgroups"]) + end + after


def is_plain(groups: list | None) -> bool:
    """Say whether these are choices of a list, in no groups."""
    return bool(groups) and all(
        name is None and option["template_name"] == OPTION
        for name, options, _ in groups
        for option in options
    )


def drawn(groups: list) -> SafeString:
    """Return what Django's template makes of each choice."""
    return format_html_join(
        "\n",
        '<option value="{}"{}>{}</option>',
        (
            (str(option["value"]), attributes(option["attrs"]), option["label"])
            for _, options, _ in groups
            for option in options
        ),
    )


def attributes(attrs: Mapping[str, Any]) -> SafeString:
    """Return attributes as Django writes them: True is a name alone, False is nothing."""
    return format_html_join(
        "",
        " {}{}",
        (
            (name, "" if value is True else format_html('="{}"', str(value)))
            for name, value in attrs.items()
            if value is not False
        ),
    )
