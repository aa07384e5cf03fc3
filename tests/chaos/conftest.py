from __future__ import annotations

from tests import fixtures_bank, fixtures_worker
from tests.automation import conftest as automation

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace = fixtures_bank.workspace
alice, topup, moved = automation.alice, automation.topup, automation.moved
private_valkey = fixtures_worker.private_valkey
worker_settings = fixtures_worker.worker_settings
celery_worker_process = fixtures_worker.celery_worker_process
