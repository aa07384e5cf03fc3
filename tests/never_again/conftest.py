"""The bank, the people and the callers that the tests of the layers use as well."""

from __future__ import annotations

from tests import fixtures_api, fixtures_bank
from tests.automation import conftest as automation

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace = fixtures_bank.workspace
alice = automation.alice
run, moved, orders = automation.run, automation.moved, automation.orders
let_time_pass = automation.let_time_pass
world = fixtures_api.world
