from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from accounts.api.chain import ChainBalance

from . import api, health, health_detail, second_factor, snapshot, switch
from .metrics import metrics

v1 = [
    path("", include("accounts.api.urls")),
    path("", include("automation.api.urls")),
    path("health/", health_detail.Health.as_view()),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]

urlpatterns = [
    path("api/v1/", include(v1)),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/pause/<uuid:pk>/", admin.site.admin_view(switch.turn), name="pause"),
    path("admin/snapshot/", admin.site.admin_view(snapshot.now), name="snapshot"),
    path("admin/second-factor/", second_factor.ask, name="second_factor"),
    path(
        "admin/second-factor/setup/", second_factor.set_up, name="second_factor_setup"
    ),
    path("admin/health/", admin.site.admin_view(health_detail.page), name="health"),
    path("admin/", admin.site.urls),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/health", health.ready),
    path("api/balance", ChainBalance.as_view()),
    path("metrics", metrics),
    re_path(r"^api/(?P<rest>.*)$", api.no_such_route),
    path("", include("accounts.api.browser_urls")),
]
handler400, handler404, handler500 = (
    f"balsync_project.api.{name}"
    for name in ("bad_request", "not_found", "server_error")
)
