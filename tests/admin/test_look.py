from __future__ import annotations

import re

from django.contrib.staticfiles import finders
from django.templatetags.static import static

from .conftest import rows_of
from .pages import page

# What makes a browser fetch something, and where it may lead.
FETCHED = re.compile(
    r'<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)="([^"]+)"'
)


def test_pages_fetch_nothing_from_elsewhere(superuser, home):
    for where in ["/admin/", "/admin/login/", *map(page, rows_of(home))]:
        html = superuser.get(where).content.decode()
        foreign = [url for url in FETCHED.findall(html) if not url.startswith("/")]
        assert foreign == [], where


def test_pages_hold_no_script_of_their_own(superuser, home):
    for where in ["/admin/", *map(page, rows_of(home))]:
        html = superuser.get(where).content.decode()
        inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", html)
        assert [said for said in inline if "application/json" not in said] == [], where
        assert not re.search(r"<[^>]+\son\w+=", html), where


def test_every_answer_says_where_it_may_load_from(client, db):
    policy = client.get("/admin/login/").headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "img-src 'self' data:" in policy


def test_there_is_a_favicon(client, db):
    icon = static("balsync/favicon.svg")

    assert icon in client.get("/admin/login/").content.decode()
    assert finders.find("balsync/favicon.svg")
