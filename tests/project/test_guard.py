"""Nothing outlives the process that started it, however that one dies."""

from __future__ import annotations

import json
import signal

import psutil
import pytest

# A child with a child of its own, and one that ignores every polite signal.
STARTER = """
import json, os, sys, time
from pathlib import Path
from balsync_project.guard import Guard

guard = Guard()
if len(sys.argv) > 1:
    guard.remove_at_end(Path(sys.argv[1]))
null = os.open(os.devnull, os.O_WRONLY)
family = "sleep 600 & sleep 600"
stubborn = "trap '' TERM INT HUP; while :; do sleep 1; done"
children = [
    guard.spawn(["bash", "-c", script], os.environ, output=null)
    for script in (family, stubborn)
]
children.append(guard.fork(lambda: time.sleep(600), output=null))
print(json.dumps({"guard": guard._process.pid, "children": children}), flush=True)
time.sleep(600)
"""


def family_of(process):
    told = json.loads(process.stdout.readline())
    family = psutil.Process(process.pid).children(recursive=True)
    return told["guard"], [member.pid for member in family]


def test_killed_parent_leaves_no_child_and_no_grandchild(
    start_script, expect_soon, runs
):
    parent = start_script(STARTER)
    expect_soon(lambda: len(psutil.Process(parent.pid).children(recursive=True)) >= 6)
    _, family = family_of(parent)

    parent.kill()

    expect_soon(lambda: not any(map(runs, family)))


def test_children_die_with_the_parent_even_when_the_guard_was_killed_first(
    start_script, expect_soon, runs
):
    parent = start_script(STARTER)
    told = json.loads(parent.stdout.readline())

    psutil.Process(told["guard"]).kill()
    parent.kill()

    expect_soon(lambda: not any(map(runs, told["children"])))


def test_private_folder_goes_with_the_parent(start_script, expect_soon, tmp_path):
    folder = tmp_path / "sockets"
    folder.mkdir()
    parent = start_script(STARTER, folder)
    parent.stdout.readline()

    parent.kill()

    expect_soon(lambda: not folder.exists())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_guard_outlives_the_signals_that_end_its_parent(start_script, runs, number):
    parent = start_script(STARTER)
    guard = json.loads(parent.stdout.readline())["guard"]

    psutil.Process(guard).send_signal(number)

    assert runs(guard)


def test_forked_child_does_not_hold_what_was_its_parents_alone(start_script):
    code = """
import os
from balsync_project.guard import Guard

guard = Guard()
held = os.open(os.devnull, os.O_RDONLY)
read, write = os.pipe()
def work():
    try:
        os.fstat(held)
    except OSError:
        print("closed", flush=True)
pid = guard.fork(work, output=write)
print(os.read(read, 100).decode().strip(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
guard.close()
"""
    assert start_script(code).stdout.read() == "closed 0\n"


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("lambda: None", 0),
        ("lambda: sys.exit(3)", 3),
        ("lambda: sys.exit('why')", 1),
        ("lambda: 1 / 0", 1),
    ],
)
def test_forked_child_ends_with_the_code_of_its_work(start_script, work, code):
    script = f"""
import os, sys
from balsync_project.guard import Guard

guard = Guard()
pid = guard.fork({work}, output=os.open(os.devnull, os.O_WRONLY))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
guard.close()
"""
    assert start_script(script).stdout.read() == f"{code}\n"


def test_closing_does_not_wait_for_children_that_end_at_once(start_script):
    script = """
import os, time
from balsync_project.guard import PATIENCE_SECONDS, Guard

guard = Guard()
guard.spawn(["sleep", "600"], os.environ, output=os.open(os.devnull, os.O_WRONLY))
started = time.monotonic()
guard.close()
print(time.monotonic() - started < PATIENCE_SECONDS / 2)
"""
    assert start_script(script).stdout.read() == "True\n"
