from __future__ import annotations

from tests import fixtures_bank
from tests.automation import conftest as automation

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace = fixtures_bank.workspace
alice, run = automation.alice, automation.run
