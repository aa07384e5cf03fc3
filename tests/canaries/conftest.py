from __future__ import annotations

# Loads the library of chats as the tests of events do: it warns when it is loaded.
import tests.accounts.events.conftest  # noqa: F401
from tests import fixtures_bank

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace = fixtures_bank.workspace
