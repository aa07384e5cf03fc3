"""manage.py makes .venv once, from the lock, and not again until the lock changes."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from pathlib import Path

import pytest

from balsync_project.management.commands import test

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def manage(tmp_path, monkeypatch):
    """manage.py, in a folder of its own with locks of its own."""
    spec = importlib.util.spec_from_file_location("manage", ROOT / "manage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    locks = tmp_path / "requirements"
    locks.mkdir()
    for name in ("base", "demo", "dev"):
        (locks / f"{name}.txt").write_text(f"{name}==1\n")
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "LOCKS", locks)
    module.VENV.mkdir()
    return module


@pytest.fixture
def builds(manage, monkeypatch):
    """What was installed; nothing is, really."""
    built = []

    def build(lock):
        built.append(lock)
        manage.stamp_of(lock).write_text(manage.digest_of(lock))

    monkeypatch.setattr(manage, "build", build)
    return built


def test_second_start_installs_nothing(manage, builds):
    manage.install("demo")
    manage.install("demo")

    assert builds == ["demo"]


def test_demo_is_content_with_what_the_tests_installed(manage, builds):
    manage.install("dev")
    manage.install("demo")

    assert builds == ["dev"]


def test_tests_need_more_than_the_demo_installed(manage, builds):
    manage.install("demo")
    manage.install("dev")

    assert builds == ["demo", "dev"]


def test_changed_lock_is_installed_anew(manage, builds):
    manage.install("demo")
    (manage.LOCKS / "demo.txt").write_text("demo==2\n")
    manage.install("demo")

    assert builds == ["demo", "demo"]


def test_another_python_makes_another_venv(manage, builds, monkeypatch):
    manage.install("demo")
    monkeypatch.setattr(manage.sys, "version_info", (3, 99, 0, "final", 0))
    manage.install("demo")

    assert builds == ["demo", "demo"]


def test_first_starts_at_the_same_time_install_once(manage, monkeypatch):
    built, both = [], threading.Barrier(2, timeout=10)

    def build(lock):
        built.append(lock)
        manage.stamp_of(lock).write_text(manage.digest_of(lock))

    def start():
        both.wait()
        manage.install("demo")

    monkeypatch.setattr(manage, "build", build)
    starts = [threading.Thread(target=start) for _ in range(2)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join()

    assert built == ["demo"]


@pytest.mark.parametrize(
    ("command", "lock"),
    [("demo", "demo"), ("serve", "demo"), ("test", "dev"), ("chaos", "dev")],
)
def test_command_enters_the_venv_with_what_it_needs(
    manage, builds, monkeypatch, command, lock
):
    entered = []
    monkeypatch.setattr(manage.os, "execv", lambda python, words: entered.extend(words))
    monkeypatch.setattr(manage.sys, "argv", ["manage.py", command, "-k", "name"])

    manage.enter_venv(command)

    assert builds == [lock]
    python = str(manage.VENV / "bin" / "python")
    assert entered == [python, str(manage.HERE / "manage.py"), command, "-k", "name"]


def test_other_commands_run_where_they_are_when_django_is_there(manage, builds):
    manage.enter_venv("migrate")

    assert builds == []


def test_old_python_is_told_what_is_needed(manage, monkeypatch):
    monkeypatch.setattr(manage.sys, "version_info", (3, 10, 2, "final", 0))

    with pytest.raises(SystemExit, match=r"needs Python 3\.11"):
        manage.enter_venv("demo")


def test_missing_venv_module_is_named_with_its_cure(manage, monkeypatch):
    monkeypatch.setattr(manage, "working_uv", lambda: None)
    monkeypatch.setattr(manage, "find_spec", lambda name: None)

    with pytest.raises(SystemExit, match="apt install python3-venv"):
        manage.build("demo")


def test_failed_installation_leaves_no_stamp(manage, monkeypatch):
    monkeypatch.setattr(manage, "working_uv", lambda: sys.executable)

    with pytest.raises(SystemExit, match="Run it again"):
        manage.build("demo")

    assert not manage.is_installed("demo")


def test_uv_that_does_not_start_is_not_used(manage, monkeypatch, tmp_path):
    shim = tmp_path / "uv"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert manage.working_uv() is None


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Return a maker of something that is called like Python, and tells what it was asked."""

    def make(*, settings="", fails="nothing"):
        script = tmp_path / "python"
        script.write_text(
            "#!/bin/sh\n"
            f'echo "$*" >> {tmp_path}/asked\n'
            'case "$*" in\n'
            f"    *'pip config list'*) echo \"{settings}\";;\n"
            f"    *{fails}*) exit 1;;\n"
            "esac\n"
        )
        script.chmod(0o755)
        return str(script)

    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    return make


def installed_by(tmp_path):
    """Return which program was let install what, in order."""
    words = [line.split() for line in (tmp_path / "asked").read_text().splitlines()]
    return [(line[1], Path(line[-1]).name) for line in words if "install" in line]


def test_machine_without_uv_has_pip_fetch_it_and_uv_install_the_rest(
    manage, python, tmp_path
):
    assert manage.install_by_fetched_uv(python(), ["-r", "dev.txt"])
    assert installed_by(tmp_path) == [("pip", "uv.txt"), ("uv", "dev.txt")]


@pytest.mark.parametrize("fails", ["uv.txt", "dev.txt"])
def test_what_uv_cannot_install_is_left_to_pip(manage, python, capfd, fails):
    assert not manage.install_by_fetched_uv(python(fails=fails), ["-r", "dev.txt"])
    assert "pip goes on" in capfd.readouterr().out


@pytest.mark.parametrize(
    "setting", ["global.index-url='the firm'", ":env:.no-index='1'"]
)
def test_index_that_pip_was_told_of_is_not_passed_by(manage, python, tmp_path, setting):
    assert not manage.install_by_fetched_uv(python(settings=setting), ["-r", "dev.txt"])
    assert installed_by(tmp_path) == []


def test_further_indexes_of_pip_do_not_keep_uv_away(manage, python):
    extra = python(settings="global.extra-index-url='one more'")

    assert manage.install_by_fetched_uv(extra, ["-r", "dev.txt"])


def test_long_installation_shows_that_it_goes_on(manage, monkeypatch, capfd):
    monkeypatch.setattr(manage, "QUIET_SECONDS", 0.05)

    manage.run([sys.executable, "-c", "import time; time.sleep(0.5)"])

    assert "still installing" in capfd.readouterr().out


def handed_on(monkeypatch, line, cores):
    """Return what `manage.py test` hands on to pytest on a machine of so many cores."""
    asked = []
    monkeypatch.setattr(test.pytest, "main", lambda words: asked.extend(words) or 5)
    monkeypatch.setattr(test.os, "sched_getaffinity", lambda _: set(range(cores)))
    with pytest.raises(SystemExit) as end:
        test.Command().run_from_argv(["manage.py", "test", *line])

    assert end.value.code == 5
    return asked


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (["--", "-k", "name"], ["-k", "name"]),
        (["tests/project", "-x"], ["tests/project", "-x"]),
        (["-x"], ["-x"]),
        (["-n0"], ["-n0"]),
        (["-p", "no:randomly"], ["-p", "no:randomly"]),
        (["--durations=9", "tests/crash"], ["--durations=9", "tests/crash"]),
    ],
)
def test_part_of_the_suite_runs_as_it_is_asked_for(monkeypatch, line, wanted):
    assert handed_on(monkeypatch, line, cores=8) == wanted


@pytest.mark.parametrize("line", [[], ["--durations=9"], ["--", "-v"]])
@pytest.mark.parametrize(("cores", "processes"), [(2, "3"), (8, "9"), (96, "17")])
def test_whole_suite_is_shared_among_the_cores(monkeypatch, line, cores, processes):
    asked = handed_on(monkeypatch, line, cores)

    assert asked[:4] == ["-n", processes, "--dist", "loadfile"]
    assert asked[5:] == [word for word in line if word != "--"]


def test_one_core_runs_the_suite_in_one_process(monkeypatch):
    assert handed_on(monkeypatch, [], cores=1) == []
