"""Who dies is started again, with growing pauses; who keeps dying is named."""

from __future__ import annotations

import os
import signal
import time

import pytest

from balsync_project.processes.child import LONGEST_PAUSE, Child
from balsync_project.processes.console import Console
from balsync_project.processes.supervisor import StartError, Stopped, Supervisor


@pytest.fixture
def supervisor(tmp_path):
    before = {
        n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    made = Supervisor(Console(), tmp_path / "processes.json")
    yield made
    made.shut_down(made.children)
    for number, handler in before.items():
        signal.signal(number, handler)


def shell(name, script):
    command = ["bash", "-c", script]
    return Child(name, lambda guard, out: guard.spawn(command, os.environ, output=out))


def ended_process():
    """Return the pid of a process that has ended and waits to be taken away."""
    pid = os.posix_spawn("/bin/true", ["true"], {}, setsid=True)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_child_that_is_killed_is_started_again(supervisor, capfd):
    child = shell("web", "sleep 600")
    supervisor.start(child)
    first = child.pid
    os.kill(first, signal.SIGKILL)

    supervisor.wait_until(lambda: child.pid not in (None, first), "web", 10)

    assert "web ended (-9); starting it" in capfd.readouterr().err


def test_whatever_a_dead_child_left_is_ended_before_the_next_start(supervisor, runs):
    child = shell("worker", "sleep 600 & echo $!; wait")
    supervisor.start(child)
    supervisor.wait_until(lambda: bool(child.lines), "the grandchild", 10)
    first, grandchild = child.pid, int(child.lines[0])

    os.kill(first, signal.SIGKILL)
    supervisor.wait_until(lambda: child.pid not in (None, first), "worker", 10)

    assert not runs(grandchild)


def test_pauses_grow_up_to_a_limit():
    child, pauses = shell("web", "exit 1"), []
    for _ in range(12):
        child.pid = ended_process()
        child._started_at = time.monotonic()
        child.take_away()
        pauses.append(child.due_at - time.monotonic())

    assert pauses == pytest.approx(sorted(pauses), abs=0.05)
    assert pauses[0] < 0.3
    assert LONGEST_PAUSE - 1 < pauses[-1] <= LONGEST_PAUSE


def test_child_that_ran_long_is_started_again_at_once():
    child = shell("web", "exit 1")
    child.failures = 9
    child.pid = ended_process()
    child._started_at = time.monotonic() - 3600

    child.take_away()

    assert child.due_at - time.monotonic() < 0.3


def test_child_that_keeps_dying_stops_the_start_with_its_last_words(supervisor):
    supervisor.start(shell("web", "echo no such module; exit 1"))

    with pytest.raises(StartError, match=r"web keeps dying:\nno such module"):
        supervisor.wait_until(lambda: False, "web", 30)


def test_waiting_ends_with_a_name(supervisor):
    with pytest.raises(StartError, match="the sandbox took longer than 0 s"):
        supervisor.wait_until(lambda: False, "the sandbox", 0)


def test_waiting_is_shown(supervisor, monkeypatch, capfd):
    monkeypatch.setattr("balsync_project.processes.supervisor.QUIET_SECONDS", 0.0)

    with pytest.raises(StartError):
        supervisor.wait_until(lambda: False, "migrating", 0.5)

    assert "… migrating," in capfd.readouterr().out


def test_command_runs_once_and_its_code_comes_back(supervisor):
    assert supervisor.run(shell("migrate", "exit 3")) == 3
    assert supervisor.children == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_the_waiting(supervisor, number):
    os.kill(os.getpid(), number)

    with pytest.raises(Stopped):
        supervisor.wait_until(lambda: False, "anything", 10)


def test_stubborn_child_is_ended_in_the_end(supervisor, runs, monkeypatch):
    monkeypatch.setattr("balsync_project.processes.supervisor.STOP_SECONDS", 0.5)
    child = shell("web", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    supervisor.start(child)
    supervisor.wait_until(lambda: bool(child.lines), "web", 10)
    pid = child.pid

    supervisor.shut_down([child])

    assert not runs(pid)


def test_lines_are_shown_whole_under_their_name(supervisor, capfd):
    child = shell("beat", "printf 'one\\ntw'; sleep 0.2; printf 'o\\n'; sleep 600")
    supervisor.start(child)
    supervisor.wait_until(lambda: len(child.lines) == 2, "lines", 10)

    shown = capfd.readouterr().out

    assert "beat │ one\n" in shown
    assert "beat │ two\n" in shown


@pytest.mark.parametrize(
    ("console", "shown"),
    [
        (Console(quiet=True), ""),
        (Console(only="table"), "row\n"),
    ],
)
def test_console_can_be_quiet_or_show_one_child(console, shown, capsys):
    console.child("web", "line")
    console.child("table", "row") if console.only else None

    assert capsys.readouterr().out == shown


def test_pids_are_told_to_whoever_wants_to_kill(supervisor):
    child = shell("web", "sleep 600")
    supervisor.start(child)

    assert supervisor._pids.read_text() == f'{{\n  "web": {child.pid}\n}}\n'


def test_unknown_program_is_a_death_with_a_reason(supervisor):
    child = Child(
        "web",
        lambda guard, out: guard.spawn(["/no/such"], os.environ, output=out),
        restarts=False,
    )
    supervisor.start(child)
    supervisor.wait_until(lambda: child.returncode is not None, "web", 10)

    assert child.returncode == 1
    assert "FileNotFoundError" in child.last_words()
