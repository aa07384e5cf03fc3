from __future__ import annotations

import pytest

from balsync_project import locks

HASHED = "django==5.2.19 \\\n    --hash=sha256:00\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "FOLDER", tmp_path)
    for name in locks.NAMES:
        (tmp_path / f"{name}.in").write_text("# why\nDjango~=5.2.19\n")
        (tmp_path / f"{name}.txt").write_text(HASHED)
    return tmp_path


def test_locks_of_this_repository_fit():
    assert [fault for name in locks.NAMES for fault in locks.faults_of(name)] == []


def test_lock_that_fits_is_passed(folder, capsys):
    assert locks.run(["--check"]) == 0


def test_requirement_that_was_never_locked_is_found(folder, capsys):
    (folder / "base.in").write_text("django~=5.2.19\nholidays\n")

    assert locks.run(["--check"]) == 1
    assert "base.txt has no holidays" in capsys.readouterr().out


def test_locked_version_outside_the_asked_range_is_found(folder):
    (folder / "demo.in").write_text("django>=6\n")

    assert list(locks.faults_of("demo")) == [
        "demo.txt has no django>=6: run `manage.py lock`"
    ]


def test_included_requirements_are_checked_too(folder):
    (folder / "base.in").write_text("rich\n")
    (folder / "demo.in").write_text("-r base.in\n")

    assert "no rich" in next(iter(locks.faults_of("demo")))


def test_entry_without_a_hash_is_found(folder):
    (folder / "dev.txt").write_text(HASHED + "rich==15.0.0\n")

    assert list(locks.faults_of("dev")) == ["dev.txt: no hash for rich==15.0.0"]


def test_locks_name_no_index(folder):
    monkey = locks.COMPILE

    assert "--no-emit-index-url" in monkey
    assert "--no-emit-find-links" in monkey
