from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Workspace
from automation import services
from automation.api.rule_file import file_schema
from automation.models import Rule
from automation.rules.identity import as_uuid

REFUSED = 2  # what `diff` exits with where it cannot tell; 1 says that it differs
STANDARD = "-"


class Command(BaseCommand):
    help = "Keep rules in a file: export, import and compare them as YAML."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="print rules in use as YAML")
        export.add_argument("rule", nargs="*", help="ids or names; all if left out")
        export.add_argument("--output", "-o", type=Path, help="a file to write to")
        for name, told in (
            ("import", "write the rules of a file, all of them or none"),
            ("diff", "say what import would change; exits 1 if anything, 2 on errors"),
        ):
            verb = verbs.add_parser(name, help=told)
            verb.add_argument("file", help="a YAML file, or - for what is piped in")
            verb.add_argument("--json", action="store_true", help="print JSON")
        for verb in verbs.choices.values():
            verb.add_argument(
                "--workspace", help="its name or id, where there are several"
            )
        verbs.add_parser("schema", help="print the JSON Schema of such a file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verb"] == "schema":
            self.stdout.write(json.dumps(file_schema(), indent=2, sort_keys=True))
            return
        workspace = workspace_called(options.pop("workspace"))
        verb = getattr(self, f"do_{options.pop('verb')}")
        verb(workspace, **options)

    def do_export(
        self,
        workspace: Workspace,
        *,
        rule: Sequence[str],
        output: Path | None,
        **_: Any,
    ) -> None:
        chosen = [rule_called(workspace, name) for name in rule] or None
        text = services.export_rules(workspace, chosen)
        if output is None:
            self.stdout.write(text, ending="")
        else:
            output.write_text(text, encoding="utf-8")

    def do_import(
        self, workspace: Workspace, *, file: str, json: bool, **_: Any
    ) -> None:
        self.tell(self.compared(services.import_rules, workspace, file), as_json=json)

    def do_diff(self, workspace: Workspace, *, file: str, json: bool, **_: Any) -> None:
        found = self.compared(services.differences, workspace, file)
        self.tell(found, as_json=json, whole=True)
        if any(change.kind != "same" for change in found):
            sys.exit(1)

    def compared(self, verb: Any, workspace: Workspace, file: str) -> list[Any]:
        """Return what `verb` makes of a file; raises CommandError with every reason."""
        try:
            return list(verb(workspace, text_of(file)))
        except services.YamlError as error:
            raise CommandError(str(error), returncode=REFUSED) from error
        except services.RuleInvalid as error:
            lines = [f"{p.field}: {p.message} ({p.code})" for p in error.problems]
            text = "\n".join(["Nothing was written:", *lines])
            raise CommandError(text, returncode=REFUSED) from error

    def tell(
        self, found: Sequence[services.Change], *, as_json: bool, whole: bool = False
    ) -> None:
        if as_json:
            told = [
                {
                    "rule": None if whole and not c.before else str(c.rule.pk),
                    "name": c.rule.name,
                    "change": c.kind,
                }
                for c in found
            ]
            self.stdout.write(json.dumps(told, indent=2))
            return
        for change in found:
            self.stdout.write(f"{change.kind}: {change.rule.name}")
            if whole and change.kind != "same":
                self.stdout.write("\n".join(change.lines))


def text_of(file: str) -> str:
    """Return what a file holds; raises CommandError."""
    try:
        raw = sys.stdin.buffer.read() if file == STANDARD else Path(file).read_bytes()
        return raw.decode("utf-8")
    except OSError as error:
        raise CommandError(str(error), returncode=REFUSED) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is no UTF-8", returncode=REFUSED) from error


def workspace_called(told: str | None) -> Workspace:
    """Return a workspace by name or id, or the only one; raises CommandError."""
    rows = Workspace.objects.all()
    if told is not None:
        pk = as_uuid(told)
        rows = rows.filter(pk=pk) if pk else rows.filter(name=told)
    found = list(rows[:2])
    if len(found) == 1:
        return found[0]
    if told is None:
        raise CommandError("Say which --workspace", returncode=REFUSED)
    text = f"{'Several workspaces are' if found else 'No workspace is'} called {told}"
    raise CommandError(text, returncode=REFUSED)


def rule_called(workspace: Workspace, told: str) -> Rule:
    """Return a rule in use by name or id; raises CommandError."""
    rows = Rule.objects.in_use().filter(workspace=workspace)
    pk = as_uuid(told)
    found = list(rows.filter(pk=pk) if pk else rows.filter(name=told))
    if len(found) != 1:
        many = "Several rules are" if found else "No rule is"
        raise CommandError(f"{many} called {told}", returncode=REFUSED)
    return found[0]
