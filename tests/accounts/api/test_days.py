"""What an account keeps of its history, and the days that stay of the rest."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import Account
from tests.fixtures_api import V1, expect_problem, fields_of, snapshot

pytestmark = pytest.mark.django_db


def test_days_stay_readable_when_their_snapshots_are_given_up(world):
    main, moment = world.mine.main, (now() - timedelta(days=1)).replace(hour=9)
    for days, amount in ((100, 5), (100, -7), (50, 3), (0, 9)):
        shift = timedelta(days=days, hours=-1 if amount < 0 else 0)
        snapshot(main, amount, moment - shift)
    path = f"{V1}/accounts/{main.pk}/"
    set_ = world.admin.patch(path, {"keep_days": 40})
    assert (set_.status_code, set_.json()["keep_days"]) == (200, 40)

    services.keep_history()

    told = world.viewer.get(f"{path}days/").json()["results"]
    oldest = told[-1]
    assert oldest["day"] == (moment - timedelta(days=100)).date().isoformat()
    assert [oldest[n]["minor"] for n in ("first", "last", "lowest", "highest")] == [
        *("5", "-7", "-7", "5")
    ]
    assert oldest["count"] == 2
    since = {"until": oldest["first_at"]}
    assert world.viewer.get(f"{path}days/", since).json()["results"] == []
    assert world.viewer.get(path).json()["days_only_until"] is not None
    trend = world.viewer.get(f"{path}trend/", {"hours": 24 * 200}).json()
    assert (trend["min"]["minor"], trend["count"]) == ("-7", main.days.count() + 1)
    assert trend["days_until"] == world.viewer.get(path).json()["days_only_until"]


@pytest.mark.parametrize("days", [30, 0, -1, 40_000, "40", 40.5, True])
def test_what_rules_look_back_upon_is_always_kept(world, days):
    path = f"{V1}/accounts/{world.mine.main.pk}/"

    told = expect_problem(world.admin.patch(path, {"keep_days": days}), 400)

    assert set(fields_of(told)) == {"keep_days"}
    assert Account.objects.get(pk=world.mine.main.pk).keep_days is None
