from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID, uuid4

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Account
from accounts.publishing import publish
from automation import services, tasks
from automation.models import Rule, RuleRun, Trigger

PATIENCE = 120  # seconds that --wait waits for workers and banks


class Command(BaseCommand):
    help = "Run one rule now, or say what it would do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rule", type=UUID, help="the rule's id")
        parser.add_argument("--preview", action="store_true", help="move nothing")
        parser.add_argument(
            "--wait", action="store_true", help="carry it out here and wait for the end"
        )
        parser.add_argument("--key", help="the same key twice is one run")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        rule = self.rule(options["rule"])
        if options["preview"]:
            found = services.plan_data(services.preview(rule, refresh=True))
        else:
            found = run_data(self.start(rule, options["key"], wait=options["wait"]))
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
        else:
            self.show(found)

    def rule(self, pk: UUID) -> Rule:
        rule = Rule.objects.in_use().filter(pk=pk).first()
        if rule is None:
            raise CommandError(f"There is no rule {pk}")
        return rule

    def start(self, rule: Rule, key: str | None, *, wait: bool) -> RuleRun:
        name = f"command:{key or uuid4()}"
        run, _ = services.start_run(rule, name, trigger_kind=Trigger.Kind.MANUAL)
        if not wait:
            publish(tasks.execute_run, str(run.pk))
            return run
        ends = time.monotonic() + PATIENCE
        while services.execute_run(run.pk).finished_at is None:
            if time.monotonic() > ends:
                raise CommandError(
                    f"Run {run.pk} is not over yet; it goes on by itself"
                )
            time.sleep(0.5)
        run.refresh_from_db()
        return run

    def show(self, found: dict[str, Any]) -> None:
        names = {str(a.pk): str(a) for a in Account.objects.filter(pk__in=used(found))}
        status = found.get("status", found["outcome"])
        self.stdout.write(f"{status}: {found['reason']}")
        for step in found["trace"]:
            self.stdout.write(f"  {step['text']}")
        for move in found["moves"]:
            ends = f"{names[move['source']]} → {names[move['target']]}"
            self.stdout.write(f"  {move['money']['amount']}  {ends}")
        for transfer in found.get("transfers", ()):
            told = transfer["error"] or transfer["reference"]
            self.stdout.write(f"  {transfer['status']}  {transfer['id']}  {told}")


def used(found: dict[str, Any]) -> set[str]:
    return {move[end] for move in found["moves"] for end in ("source", "target")}


def run_data(run: RuleRun) -> dict[str, Any]:
    """Return a run in JSON's words, with its transfers."""
    return {
        "id": str(run.pk),
        "key": run.key,
        "status": run.status,
        "outcome": run.outcome,
        "reason": run.reason,
        "plan_hash": run.plan_hash,
        "readings": run.readings,
        "moves": run.moves,
        "trace": run.trace,
        "transfers": [
            {
                "id": str(row.pk),
                "status": row.status,
                "minor": str(row.amount),
                "asset": row.asset,
                "reference": row.reference,
                "verified": row.verified,
                "needs_person": row.needs_person,
                "error_code": row.error_code,
                "error": row.error,
            }
            for row in run.transfers.order_by("move", "step")
        ],
    }
