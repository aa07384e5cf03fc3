"""Where things are, and how a browser sends what stands in a form."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.urls import reverse

from accounts.admin import show


def listing(model) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")


def adding(model) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_add")


def deleting(row) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_delete", args=[row.pk])


def verb(row, name: str) -> str:
    meta = row._meta
    route = f"admin:{meta.app_label}_{meta.model_name}_verb"
    return reverse(route, args=[row.pk, name])


page = show.page


class Form(HTMLParser):
    """Reads what a browser would send of the form with this id."""

    def __init__(self, html: str, form_id: str) -> None:
        super().__init__()
        self.form_id, self.inside, self.select = form_id, False, ""
        self.hidden_depth, self.many, self.area = 0, False, ""
        self.sent: dict[str, str | list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        said = dict(attrs)
        if tag == "form":
            self.inside = said.get("id") == self.form_id
        if not self.inside:
            return
        if tag == "select":
            self.select, self.many = said["name"], "multiple" in said
            if self.many:
                self.sent[self.select] = []
        elif tag == "option" and self.select:
            self.handle_option(said)
        elif tag == "textarea":
            self.area, self.sent[said["name"]] = said["name"], ""
        elif tag == "input" and "name" in said:
            self.handle_input(said)

    def handle_option(self, said: dict[str, Any]) -> None:
        if self.many and "selected" in said:
            self.sent[self.select] += [said.get("value", "")]
        elif not self.many and ("selected" in said or self.select not in self.sent):
            self.sent[self.select] = said.get("value", "")

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area] += data

    def handle_input(self, said: dict[str, Any]) -> None:
        boxed = said.get("type") in ("checkbox", "radio")
        if not boxed or "checked" in said:
            self.sent[said["name"]] = said.get("value", "on" if boxed else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        if tag == "select":
            self.select = ""
        if tag == "textarea":
            # The first line break belongs to the tag (HTML, 13.1.2.5).
            self.sent[self.area] = self.sent[self.area].removeprefix("\n")
            self.area = ""


def typed(response, form_id: str = "rule-form") -> dict[str, str | list[str]]:
    """Return what the form on a page holds, as it would be sent back."""
    sent = Form(response.content.decode(), form_id).sent
    sent.pop("csrfmiddlewaretoken", None)
    return sent


def nonce(response) -> str:
    """Return the one-time id of the first button that has one."""
    found = re.search(r'name="nonce" value="([^"]+)"', response.content.decode())
    assert found, "no button with a one-time id"
    return found[1]


def text(response) -> str:
    """Return what a person reads on a page."""
    html = re.sub(
        r"<(script|style|template).*?</\1>", " ", response.content.decode(), flags=re.S
    )
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
