from __future__ import annotations

from django.urls import path

from . import (
    accounts,
    balances,
    connections,
    drift,
    institutions,
    protection,
    signing_keys,
    snapshots,
    syncs,
    tokens,
    transactions,
    webhooks,
    workspaces,
)

urlpatterns = [
    path("auth/login/", tokens.Login.as_view()),
    path("auth/logout/", tokens.Logout.as_view()),
    path("auth/logout-all/", tokens.LogoutAll.as_view()),
    path("workspaces/", workspaces.WorkspaceList.as_view()),
    path("providers/", institutions.ProviderList.as_view()),
    path("connections/", connections.ConnectionList.as_view()),
    path("connections/<uuid:pk>/", connections.ConnectionDetail.as_view()),
    path("connections/<uuid:pk>/test/", connections.ConnectionTest.as_view()),
    path("connections/<uuid:pk>/sync/", connections.ConnectionSync.as_view()),
    path("connections/<uuid:pk>/authorize/", connections.ConnectionAuthorize.as_view()),
    path("connections/<uuid:pk>/webhook/", webhooks.ConnectionWebhook.as_view()),
    path("sync-runs/", syncs.SyncRunList.as_view()),
    path("sync-runs/<uuid:pk>/", syncs.SyncRunDetail.as_view()),
    path("accounts/", accounts.AccountList.as_view()),
    path("accounts/<uuid:pk>/", accounts.AccountDetail.as_view()),
    path("accounts/<uuid:pk>/protect/", protection.Protect.as_view()),
    path("accounts/<uuid:pk>/release/", protection.Release.as_view()),
    path("accounts/<uuid:pk>/balance/", balances.AccountBalance.as_view()),
    path("accounts/<uuid:pk>/snapshots/", snapshots.SnapshotList.as_view()),
    path("accounts/<uuid:pk>/snapshots.csv", snapshots.SnapshotFile.as_view()),
    path("signing-keys/", signing_keys.SigningKeyList.as_view()),
    path("signing-keys/<uuid:pk>/", signing_keys.SigningKeyDetail.as_view()),
    path("transactions/", transactions.TransactionList.as_view()),
    path("corrections/", drift.CorrectionList.as_view()),
    path("discrepancies/", drift.DiscrepancyList.as_view()),
    path("discrepancies/<uuid:pk>/accept/", drift.Accept.as_view()),
    path("discrepancies/<uuid:pk>/ignore/", drift.Ignore.as_view()),
]
