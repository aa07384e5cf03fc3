from __future__ import annotations

from django.urls import path

from . import (
    decisions,
    replays,
    rules,
    runs,
    simulations,
    switches,
    templates,
    transfers,
)

urlpatterns = [
    path("rules/", rules.RuleList.as_view()),
    path("rules/<uuid:pk>/", rules.RuleDetail.as_view()),
    path("rules/<uuid:pk>/preview/", rules.RulePreview.as_view()),
    path("rules/<uuid:pk>/simulate/", simulations.RuleSimulate.as_view()),
    path("rules/<uuid:pk>/replay/", replays.RuleReplay.as_view()),
    path("rules/<uuid:pk>/duplicate/", simulations.RuleDuplicate.as_view()),
    path("rules/<uuid:pk>/runs/", rules.RuleRuns.as_view()),
    path("rule-templates/", templates.TemplateList.as_view()),
    path("runs/", runs.RunList.as_view()),
    path("runs/<uuid:pk>/", runs.RunDetail.as_view()),
    path("runs/<uuid:pk>/approve/", decisions.Approve.as_view()),
    path("runs/<uuid:pk>/cancel/", decisions.Cancel.as_view()),
    path("runs/<uuid:pk>/resume/", decisions.Resume.as_view()),
    path("pause/", switches.Pause.as_view()),
    path("transfers/", transfers.TransferList.as_view()),
    path("transfers/<uuid:pk>/", transfers.TransferDetail.as_view()),
    path("transfers/<uuid:pk>/resolutions/", transfers.TransferResolutions.as_view()),
    path("transfers/<uuid:pk>/resolve/", transfers.TransferResolve.as_view()),
]
