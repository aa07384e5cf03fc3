"""What `bench read` measures, on one granian worker: the product beside plain views.

The plain views do the least that Django and its REST framework can do: one fetch of
the same bytes, or one row through a generic ModelSerializer view, and nobody is asked
who they are.
"""

from __future__ import annotations

import os
import sys
from itertools import count

import django
import redis
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balsync_project.settings")
django.setup()

from django.db.backends.utils import CursorWrapper  # noqa: E402
from granian.constants import Interfaces  # noqa: E402
from granian.log import LogLevels  # noqa: E402
from granian.server import Server  # noqa: E402
from limits import parse  # noqa: E402
from rest_framework import generics, serializers  # noqa: E402

from accounts.api.throttling import LeasedCallerRate  # noqa: E402
from accounts.models import Balance  # noqa: E402
from balsync_project import urls  # noqa: E402
from balsync_project.garbage import SOMEBODY_WAITS, collect_rarely  # noqa: E402

if os.environ.get("BENCH_BARE"):
    settings.MIDDLEWARE = []
# A measurement asks more often than any caller may; what is taken out at once stays.
LeasedCallerRate.limit = parse(f"{10**9}/minute")
LeasedCallerRate.BLOCKS = 10**9 // 20
STATEMENTS = count()
execute = CursorWrapper._execute_with_wrappers


def counted(*args, **more):
    """Count one statement of SQL, and carry it out."""
    next(STATEMENTS)
    return execute(*args, **more)


CursorWrapper._execute_with_wrappers = counted
CLIENT = redis.Redis.from_url(settings.CACHE_URL)


def constant(_request, pk):
    """Answer without looking anywhere."""
    return HttpResponse(b"{}", content_type="application/json")


def plain(_request, pk):
    """Answer with the bytes that are kept."""
    kept = CLIENT.get(f"balsync:balance:{pk}")
    return HttpResponse(kept, content_type="application/json")


def statements(_request):
    """Tell how many statements of SQL this process has asked so far."""
    return HttpResponse(str(STATEMENTS.__reduce__()[1][0]))


class BalanceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Balance
        fields = "__all__"


class Generic(generics.RetrieveAPIView):
    """Answer as the REST framework's tutorial does."""

    queryset = Balance.objects.all()
    serializer_class = BalanceSerializer
    authentication_classes: list = []
    permission_classes: list = []
    throttle_classes: list = []


urlpatterns = [
    path("constant/<uuid:pk>", constant),
    path("plain/<uuid:pk>", plain),
    path("generic/<uuid:pk>", Generic.as_view()),
    path("statements", statements),
    *urls.urlpatterns,
]
settings.ROOT_URLCONF = __name__
application = WSGIHandler()
collect_rarely(SOMEBODY_WAITS)  # as in `balsync_project.wsgi`


if __name__ == "__main__":
    Server(
        "tests.bench.read_server:application",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=1,
        runtime_threads=1,
        blocking_threads=int(sys.argv[2]),
        websockets=False,
        log_level=LogLevels.error,
    ).serve()
