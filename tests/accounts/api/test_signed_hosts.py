"""A signature covers the host that was asked for, and only ours are answered."""

from __future__ import annotations

import pytest
from django.core.exceptions import DisallowedHost
from django.test import RequestFactory

from accounts.api import signed


@pytest.fixture(autouse=True)
def none_allowed_yet(monkeypatch):
    monkeypatch.setattr(signed, "ALLOWED", set())


def test_host_is_checked_though_others_were_allowed(settings):
    settings.ALLOWED_HOSTS = ["ours.example"]
    ask = RequestFactory().get

    for _ in range(2):
        seen = signed.target_of(
            ask("/x", query_params={"y": 1}, HTTP_HOST="ours.example")
        )
        assert seen == "http://ours.example/x?y=1"
    with pytest.raises(DisallowedHost):
        signed.target_of(ask("/x", HTTP_HOST="theirs.example"))


def test_only_so_many_hosts_are_remembered_where_any_is_allowed(settings):
    settings.ALLOWED_HOSTS = ["*"]
    hosts = [f"h{number}.example" for number in range(2 * signed.MOST_HOSTS)]

    seen = [signed.target_of(RequestFactory().get("/", HTTP_HOST=h)) for h in hosts]

    assert seen == [f"http://{host}/" for host in hosts]
    assert len(signed.ALLOWED) == signed.MOST_HOSTS
