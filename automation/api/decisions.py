"""What a person decides about a run. Each may be repeated: once is enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.api.base import OPERATOR
from accounts.api.fields import Nothing, StrictSerializer, Text
from accounts.api.idempotency import idempotent
from accounts.api.problems import Problem
from automation import services, tasks
from automation.models import RuleRun

from .runs import Runs, RunSerializer


class ApproveRequest(StrictSerializer):
    """`plan_hash`: approve only if this is the plan that the run shows."""

    plan_hash = Text(max_length=64, required=False)


class NotPossible(Problem):
    """This cannot be done to this run now."""

    status_code = 409
    default_code = "not_possible"

    def __init__(self, error: services.NotDecidable) -> None:
        super().__init__(str(error))
        self.detail.code = error.code


class Decision(Runs):
    roles = {"POST": OPERATOR}

    def decide(self, act: Callable[..., RuleRun], **told: Any) -> Response:
        """Do it, and let a worker take what follows further."""
        run = self.get_object()
        try:
            act(run.pk, user=self.request.user, **told)
        except services.NotDecidable as error:
            raise NotPossible(error) from error
        decided = self.get_object()
        tasks.follow(decided)
        return Response(self.get_serializer(decided).data)


class Approve(Decision):
    @extend_schema(request=ApproveRequest, responses=RunSerializer)
    @idempotent()
    def post(self, request, pk):
        """Let the plan be carried out, if a fresh one agrees with it."""
        return self.decide(services.approve_run, **self.body(ApproveRequest))


class Cancel(Decision):
    @extend_schema(request=Nothing, responses=RunSerializer)
    @idempotent()
    def post(self, request, pk):
        """Begin nothing more of the run; what was begun is finished."""
        self.body(Nothing)
        return self.decide(services.cancel_run)


class Resume(Decision):
    @extend_schema(request=Nothing, responses=RunSerializer)
    @idempotent()
    def post(self, request, pk):
        """Let a run that ended badly go on, where nothing can move twice."""
        self.body(Nothing)
        return self.decide(services.resume_run)
