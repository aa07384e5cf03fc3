"""Structured logs: key=value for people, JSON for machines, secrets for nobody."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog

HIDDEN = "[redacted]"
SECRET_NAME = re.compile(
    r"(?<![a-z])(token|secret|passw(or)?d|authori[sz]ation|credentials?|cookie"
    r"|signature|api[-_]?key|private[-_]?key|access[-_]?key|mnemonic)(?![a-z])",
    re.IGNORECASE,
)
SECRET_TEXTS = (
    re.compile(r"(?i)(\b(?:bearer|token|basic)\s+)[\w.~+/=-]{8,}"),
    re.compile(
        r"""(?ix) ( ["']? \b [\w-]* (?: token|secret|password|authorization|credentials?
        |api[-_]?key|private[-_]?key|signature ) ["']? \s* [:=] \s* ["']? ) [^\s"',&}\]]+"""
    ),
    re.compile(r"([?&](?:code|state|key)=)[^&\s]+"),
    # Nothing else protects the address at which a provider calls.
    re.compile(r"(/webhooks/[^/\s]+/)[^/\s\"'?]+"),
)
# Without one of these a text is none of the above. No i: to `re` that is ı as well.
TELLTALE = re.compile(
    "bearer|token|bas|secret|password|author|credent|key"
    "|gnature|code=|state=|/webhooks/"
)


def redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Hide what looks like a secret, by its name or inside a text."""
    return {name: _hidden(name, value) for name, value in event.items()}


def _hidden(name: str, value: Any, *, within_secret: bool = False) -> Any:
    is_secret = within_secret or _named_secret(name)
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return HIDDEN if is_secret else _scrubbed(value)
    if isinstance(value, Mapping):
        return {
            key: _hidden(str(key), inner, within_secret=is_secret)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden(name, inner, within_secret=is_secret) for inner in value]
    return value


@lru_cache(maxsize=1_000)
def _named_secret(name: str) -> bool:
    return bool(SECRET_NAME.search(name))


def _scrubbed(text: str) -> str:
    if not TELLTALE.search(text.casefold()):
        return text  # as nearly every text: four searches take ten times as long
    for secret in SECRET_TEXTS:
        text = secret.sub(rf"\1{HIDDEN}", text)
    return text


SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
UNTOLD = ("timestamp", "logger", "level", "event", "exception", "stack")


def for_people(_logger: Any, _method: str, event: dict[str, Any]) -> str:
    """Return `event` on one line: level, what happened, key=value; then a traceback."""
    pairs = [f"{name}={value}" for name, value in event.items() if name not in UNTOLD]
    words = [f"{event.get('level', ''):<7}", str(event.get("event", "")), *pairs]
    long = [str(event[name]) for name in ("stack", "exception") if event.get(name)]
    return "\n".join([" ".join(words), *long])


RENDERERS = {"json": structlog.processors.JSONRenderer(), "text": for_people}


class NotHealth(logging.Filter):
    """Drops the requests of monitors, who ask every few seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is about something else."""
        if isinstance(record.msg, dict):  # a line of ours
            return "/health/" not in str(record.msg.get("request", ""))
        return "/health/" not in record.getMessage()


def configure(form: str, level: str) -> dict[str, Any]:
    """Set logging and structlog up, and return Django's LOGGING; `form`: `text` or `json`."""
    # No line says them, and each record would look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": _formatter(form)},
        "filters": {"not_health": {"()": NotHealth}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["not_health"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Celery says every received and finished task: ours say it better.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # They would tell the addresses of webhooks and chats, which are secrets.
            "apprise": {"level": "CRITICAL"},
            "urllib3": {"level": "WARNING"},
            "django.server": {"handlers": ["console"], "propagate": False},
        },
    }


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders lines of ours without a copy of each record, which structlog makes first."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`, which stays as it is for other handlers."""
        logger = getattr(record, "_logger", None)
        method = getattr(record, "_name", None)
        if logger is None or method is None:  # of somebody who logs without structlog
            return super().format(record)
        told: Any = {**record.msg, "_record": record, "_from_structlog": True}
        for process in self.processors:
            told = process(logger, method, told)
        return told


def _formatter(form: str) -> dict[str, Any]:
    return {
        "()": Formatter,
        "foreign_pre_chain": SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            RENDERERS[form],
        ],
    }
