"""The settings of tests: real servers out of wheels, keys made afresh."""

from __future__ import annotations

import base64
import os
import secrets
import uuid

from . import broker, embedded

os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
os.environ.setdefault("BALSYNC_INSTALLATION_ID", str(uuid.uuid4()))
os.environ.setdefault(
    "CREDENTIAL_KEYS", "test:" + base64.b64encode(secrets.token_bytes(32)).decode()
)
os.environ.setdefault("BALSYNC_LOG_FORMAT", "text")
if not os.environ.get("DATABASE_URL"):
    os.environ["DATABASE_URL"] = embedded.throwaway_postgres()
if not os.environ.get("REDIS_URL"):
    os.environ["REDIS_URL"] = embedded.throwaway_valkey()
if worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
    # Processes that share the tests share the servers, not what is in them.
    os.environ["REDIS_URL"] = broker.with_database(os.environ["REDIS_URL"], worker)

from .settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
