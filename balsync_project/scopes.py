"""Which scope a signed request needs: every method of every route, in one place.

What is not in this table is refused.
"""

from __future__ import annotations

V1 = "api/v1/"
READ, SYNC, RUN, ADMIN = "read", "sync", "run", "admin"

# Route, then method by method; HEAD is asked for as GET is.
TABLE: dict[str, dict[str, str]] = {
    "workspaces/": {"GET": READ},
    "providers/": {"GET": READ},
    "connections/": {"GET": READ, "POST": ADMIN},
    "connections/<uuid:pk>/": {"GET": READ, "PATCH": ADMIN, "DELETE": ADMIN},
    "connections/<uuid:pk>/test/": {"POST": SYNC},
    "connections/<uuid:pk>/sync/": {"POST": SYNC},
    "connections/<uuid:pk>/authorize/": {"POST": ADMIN},
    "connections/<uuid:pk>/webhook/": {"GET": ADMIN, "POST": ADMIN, "DELETE": ADMIN},
    "streams/": {"GET": READ},
    "sync-runs/": {"GET": READ},
    "sync-runs/<uuid:pk>/": {"GET": READ},
    "sync-runs/<uuid:pk>/report.csv": {"GET": READ},
    "sync-runs/<uuid:pk>/report.json": {"GET": READ},
    "accounts/": {"GET": READ, "POST": ADMIN},
    "accounts/<uuid:pk>/": {"GET": READ, "PATCH": ADMIN},
    "accounts/<uuid:pk>/protect/": {"POST": RUN},
    "accounts/<uuid:pk>/release/": {"POST": RUN},
    "accounts/<uuid:pk>/balance/": {"GET": READ},
    "accounts/<uuid:pk>/snapshots/": {"GET": READ, "POST": SYNC},
    "accounts/<uuid:pk>/snapshots/import/": {"POST": ADMIN},
    "accounts/<uuid:pk>/snapshots.csv": {"GET": READ},
    "accounts/<uuid:pk>/snapshots.json": {"GET": READ},
    "accounts/<uuid:pk>/days/": {"GET": READ},
    "accounts/<uuid:pk>/trend/": {"GET": READ},
    "accounts/<uuid:pk>/proof/": {"GET": READ},
    "portfolio/": {"GET": READ},
    "rates/": {"GET": READ, "POST": ADMIN},
    "transactions/": {"GET": READ},
    "orders/": {"GET": READ},
    "trades/": {"GET": READ},
    "positions/": {"GET": READ},
    "corrections/": {"GET": READ},
    "events/": {"GET": READ},
    "audit/": {"GET": ADMIN},
    "checks/": {"GET": READ},
    "checks/settings/": {"GET": READ, "POST": ADMIN},
    "checks/settings/<uuid:pk>/": {"GET": READ, "PATCH": ADMIN, "DELETE": ADMIN},
    "checks/drift/": {"GET": READ, "POST": ADMIN},
    "checks/drift/<uuid:pk>/": {"GET": READ, "PATCH": ADMIN, "DELETE": ADMIN},
    "quarantine/": {"GET": READ},
    "quarantine/<uuid:pk>/accept/": {"POST": ADMIN},
    "discrepancies/": {"GET": READ},
    "discrepancies/<uuid:pk>/accept/": {"POST": ADMIN},
    "discrepancies/<uuid:pk>/ignore/": {"POST": ADMIN},
    "wallets/<uuid:pk>/sync-balance/": {"POST": SYNC},
    "wallets/<uuid:pk>/sync-balance": {"POST": SYNC},
    "wallets/<uuid:pk>/balance/": {"GET": READ},
    "wallets/<uuid:pk>/balance": {"GET": READ},
    "signing-keys/": {"GET": ADMIN, "POST": ADMIN},
    "signing-keys/<uuid:pk>/": {"GET": ADMIN, "DELETE": ADMIN},
    "rule-templates/": {"GET": READ, "POST": ADMIN},
    "rules/": {"GET": READ, "POST": ADMIN},
    "rules/<uuid:pk>/": {"GET": READ, "PUT": ADMIN, "PATCH": ADMIN, "DELETE": ADMIN},
    "rules/<uuid:pk>/preview/": {"POST": RUN},
    "rules/<uuid:pk>/simulate/": {"POST": RUN},
    "rules/<uuid:pk>/replay/": {"POST": RUN},
    "rules/<uuid:pk>/duplicate/": {"POST": ADMIN},
    "rules/<uuid:pk>/runs/": {"GET": READ, "POST": RUN},
    "runs/": {"GET": READ},
    "runs/<uuid:pk>/": {"GET": READ},
    "runs/<uuid:pk>/approve/": {"POST": RUN},
    "runs/<uuid:pk>/cancel/": {"POST": RUN},
    "runs/<uuid:pk>/resume/": {"POST": RUN},
    "pause/": {"POST": RUN, "DELETE": RUN},
    "transfers/": {"GET": READ},
    "transfers/<uuid:pk>/": {"GET": READ},
    "transfers/<uuid:pk>/resolutions/": {"GET": READ},
    "transfers/<uuid:pk>/resolve/": {"POST": RUN},
    "health/": {"GET": READ},
    "schema/": {"GET": READ},
    "docs/": {"GET": READ},
}

SCOPES: dict[tuple[str, str], str] = {
    (method, V1 + route): scope
    for route, methods in TABLE.items()
    for method, scope in methods.items()
} | {("GET", "api/balance"): READ}
