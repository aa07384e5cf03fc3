"""Every setting, read from the environment; secrets also from `NAME_FILE`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import environ
from django.core.exceptions import ImproperlyConfigured

from . import broker, logs, scopes
from .look import UNFOLD  # noqa: F401 - the admin's own setting

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()
if env("BALSYNC_ENV_FILE", default=""):
    env.read_env(env("BALSYNC_ENV_FILE"))


def needed(name: str) -> str:
    """Return a setting that has no default; raises ImproperlyConfigured without it."""
    value: str = env(name, default="").strip()
    if not value:
        raise ImproperlyConfigured(
            f"Set {name}, or {name}_FILE to a file that holds it"
        )
    return value


RELEASE = re.compile(r"^## \[?(\d+\.\d+\.\d+)", re.MULTILINE)
VERSION = RELEASE.findall((BASE_DIR / "CHANGELOG.md").read_text())[0]

# --- What an installation is ---

# Part of every dedupe id: two installations must never share one.
INSTALLATION_ID = UUID(needed("BALSYNC_INSTALLATION_ID"))
BALSYNC_PUBLIC_URL = env("BALSYNC_PUBLIC_URL", default="http://127.0.0.1:8000")
# slug → URL, or slug → {host key: URL}; instead of where the provider really is.
PROVIDER_URLS = env.json("BALSYNC_PROVIDER_URLS", default={})
# Rules plan and explain, and move nothing.
DRY_RUN = env.bool("BALSYNC_DRY_RUN", default=False)
# Newest first, each `id:base64 of 32 bytes`. The first encrypts, any decrypts.
CREDENTIAL_KEYS = needed("CREDENTIAL_KEYS").replace(",", " ").split()
TRANSACTION_DAYS = env.int("TRANSACTION_DAYS", default=400)
# So far back orders and trades are read where nothing is known, and by an emergency sync.
RECOVERY_DAYS = env.int("RECOVERY_DAYS", default=30)
# So long what left quarantine, and differences that agreed again, are shown.
FINDING_DAYS = env.int("FINDING_DAYS", default=400)
# So long sync runs are kept in which nothing was found.
SYNC_RUN_DAYS = env.int("SYNC_RUN_DAYS", default=90)
if SYNC_RUN_DAYS < 1:
    raise ImproperlyConfigured("SYNC_RUN_DAYS must be 1 or more")
# So long runs are kept that the clock began and that moved nothing.
RULE_RUN_DAYS = env.int("RULE_RUN_DAYS", default=90)
if RULE_RUN_DAYS < 1:
    raise ImproperlyConfigured("RULE_RUN_DAYS must be 1 or more")
# The mail server for notifications, as Apprise writes it: mailtos://user:pass@host
MAIL_URL = env("BALSYNC_MAIL_URL", default="").strip()
# What clients of older systems mean who ask for chain wallets without a currency.
CHAIN_CURRENCY = env("BALSYNC_CHAIN_CURRENCY", default="USDC").strip()
# Who shows it may read /metrics. Without one, only processes of this machine may.
METRICS_TOKEN = env("BALSYNC_METRICS_TOKEN", default="").strip()
# For tests and sandboxes only: events may be sent to http servers on this machine.
WEBHOOKS_TO_LOOPBACK = env.bool("BALSYNC_WEBHOOKS_TO_LOOPBACK", default=False)

# --- Times that fit each other: each is safe only because the next is longer ---

# A call that moves money (15 s, `Provider.deadline`) < the lease of a transfer (45 s,
# `automation.machine.transfer`) < the slowest call that only reads (60 s) < these.
TASK_SOFT_LIMIT = timedelta(seconds=75)
TASK_HARD_LIMIT = timedelta(seconds=90)
BROKER_VISIBILITY = timedelta(seconds=300)
HEARTBEAT_EVERY = timedelta(seconds=15)
HEARTBEAT_LOST_AFTER = timedelta(seconds=60)
# Whoever listens is told of a connection that had no good sync for so long.
NO_SYNC_ALARM = timedelta(minutes=env.int("BALSYNC_NO_SYNC_ALARM_MINUTES", default=360))

# --- Django ---

SECRET_KEY = needed("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
PUBLIC = urlsplit(BALSYNC_PUBLIC_URL)
LOOPBACK = PUBLIC.hostname in {"localhost", "127.0.0.1", "::1"}
ALLOWED_HOSTS = [
    *env.list("ALLOWED_HOSTS", default=[]),
    *filter(None, [PUBLIC.hostname]),
    *("localhost", "127.0.0.1", "[::1]"),
]
CSRF_TRUSTED_ORIGINS = [f"{PUBLIC.scheme}://{PUBLIC.netloc}"]
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "balsync_project",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "django_celery_beat",
    "django_filters",
    "django_otp",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
    "accounts",
    "automation",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "balsync_project.csp.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "balsync_project.second_factor.SecondFactor",
    "balsync_project.requests.RequestLog",
    "balsync_project.acting.Acting",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "balsync_project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
FORM_RENDERER = "balsync_project.rendering.Renderer"
ROOT_URLCONF = "balsync_project.urls"
WSGI_APPLICATION = "balsync_project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "balsync_project.formats"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator")
]

# After so many failures in a row, a name may not sign in from an address for a while.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env.int("BALSYNC_LOGIN_FAILURES", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("BALSYNC_LOGIN_LOCK_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "balsync_project.lockout.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # knocking on prolongs nothing
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# Whether everybody needs a second factor; who has set one up needs it anyway.
SECOND_FACTOR_REQUIRED = env.bool("BALSYNC_SECOND_FACTOR_REQUIRED", default=False)
OTP_TOTP_ISSUER = "balsync"

# Browsers send these over TLS only, once people reach balsync from elsewhere.
SECURE = not DEBUG and not LOOPBACK
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE
SESSION_COOKIE_HTTPONLY = True
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^api/health$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
# Off where names below the public one are reached over plain HTTP.
HSTS_SUBDOMAINS = env.bool("BALSYNC_HSTS_SUBDOMAINS", default=True)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE and HSTS_SUBDOMAINS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("BALSYNC_BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Static files: out of the packages, or collected in the image ---

STATIC_URL = "static/"
COLLECTED = BASE_DIR / "staticfiles"
IS_COLLECTED = COLLECTED.exists() or env.bool("BALSYNC_COLLECTING", default=False)
STATIC_ROOT = COLLECTED if IS_COLLECTED else None
WHITENOISE_USE_FINDERS = not IS_COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- PostgreSQL: the only database, because SQLite rounds large amounts ---

ENGINE = "balsync_project.postgresql"
DATABASES = {"default": env.db_url_config(needed("DATABASE_URL"), engine=ENGINE)}
if env("DATABASE_PASSWORD", default=""):
    DATABASES["default"]["PASSWORD"] = env("DATABASE_PASSWORD").strip()
DATABASES["default"].update(
    CONN_MAX_AGE=env.int("DATABASE_CONN_MAX_AGE", default=600), CONN_HEALTH_CHECKS=True
)
# What the audit calls the work of a process that nobody in particular asked for.
PART = env("BALSYNC_PART", default="balsync")
LIMITS = {
    "lock_timeout": "5s",
    "statement_timeout": env("DATABASE_STATEMENT_TIMEOUT", default="10s"),
    "idle_in_transaction_session_timeout": "10s",
    "balsync.part": PART.replace("\\", "").replace(" ", "\\ "),
}
DATABASES["default"].setdefault("OPTIONS", {})["options"] = " ".join(
    f"-c {name}={value}" for name, value in LIMITS.items()
)
# A connection that carries nothing any more is given up after 20 s, not after two hours.
SILENCE = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3}
DATABASES["default"]["OPTIONS"].update(
    SILENCE, tcp_user_timeout=20_000, connect_timeout=5
)
# A statement of a run that comes again is planned once for each connection. A pool of
# connections between here and the server has to know of that (PgBouncer does, since
# 1.21), or 0 says never.
PREPARE = env.int("DATABASE_PREPARE_AFTER", default=5)
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = PREPARE or None

# --- Redis or Valkey: the queue, the cache, breakers and budgets ---

REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
LIMITS_URL = broker.limits_url(REDIS_URL)
CACHE_URL = env("CACHE_URL", default=REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "balsync",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}

CELERY_BROKER_URL = broker.celery_url(REDIS_URL)
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": BROKER_VISIBILITY.total_seconds(),
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # A web request that publishes gives up at once: the row is the record.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
    "connect_retries_timeout": 2,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "sync"
CELERY_TASK_ROUTES = {
    "accounts.tasks.*": {"queue": "sync"},
    "automation.tasks.*": {"queue": "automation"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = TASK_SOFT_LIMIT.total_seconds()
CELERY_TASK_TIME_LIMIT = TASK_HARD_LIMIT.total_seconds()
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = env.int("WORKER_SHUTDOWN_SECONDS", default=20)
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SEND_TASK_EVENTS = False
# Celery would close each connection to the database around each task, however young it is.
# Which end there is decided as after a request: see `balsync_project.celery`.
CELERY_DB_REUSE_MAX = 10**9
CELERY_BEAT_SCHEDULER = "balsync_project.scheduler:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5

# --- REST ---

REST_FRAMEWORK = {
    # The first one challenges, so that a caller without credentials is answered 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.signed.SignedRequest",
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        *(["rest_framework.renderers.BrowsableAPIRenderer"] if DEBUG else []),
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "balsync_project.api.problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
API_SCOPES = scopes.SCOPES  # what a signed request needs
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "AUTH_HEADER_PREFIX": "Token"}
SPECTACULAR_SETTINGS = {
    "TITLE": "balsync",
    "DESCRIPTION": "True balances, and money moved between pots by rule.",
    "VERSION": VERSION,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "ENUM_NAME_OVERRIDES": {
        "HealthEnum": "accounts.models.Connection.Health",
        "TradeSide": "accounts.models.Side",
        "PositionSide": "accounts.models.Position.Side",
        "OrderStatus": "accounts.models.Order.Status",
        "SyncKind": "accounts.models.SyncRun.Kind",
        "SyncStatus": "accounts.models.SyncRun.Status",
        "DiscrepancyStatus": "accounts.models.Discrepancy.Status",
        "QuarantineStatus": "accounts.models.QuarantinedReading.Status",
        "AuditVia": "accounts.models.AuditEvent.Via",
        "CheckSettingRule": "accounts.api.check_settings.ADJUSTABLE",
        "DeliveryStatus": "accounts.models.Delivery.Status",
        "RuleKind": "automation.models.Rule.Kind",
        "TriggerKind": "automation.models.Trigger.Kind",
        "RunStatus": "automation.models.RuleRun.Status",
        "TransferStatus": "automation.models.Transfer.Status",
        "BalanceStatus": "accounts.api.balances.STATUSES",
        "SigningKeyState": "accounts.api.signing_keys.STATES",
        "SyncRequestKind": "accounts.api.connections.SYNC_KINDS",
    },
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
}

# --- Logs ---

DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = 10  # DEBUG: beat fires every few seconds
LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logs.configure(
    env("BALSYNC_LOG_FORMAT", default="json"), env("LOG_LEVEL", default="INFO")
)
