"""PostgreSQL and Valkey out of wheels: as this user, on sockets, never left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis

from balsync_project import embedded

THROWAWAY = """
import time
from balsync_project import embedded
print(embedded.throwaway_postgres(), flush=True)
print(embedded.throwaway_valkey(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def sockets():
    folder = embedded.private_sockets()
    yield folder
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


@pytest.fixture
def start(expect_soon):
    """Start a server that nobody guards, as a killed parent leaves it."""
    started = []

    def start(server):
        server.prepare()
        process = subprocess.Popen(
            list(map(str, server.command)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append((process, server.stop_signal))
        server.wait(lambda: process.poll() is None)
        return process

    yield start
    for process, number in started:
        process.send_signal(number)
        process.wait()


def folder_of(postgres_url):
    return parse_qs(urlsplit(postgres_url).query)["host"][0]


def test_throwaway_servers_answer_and_are_gone_with_a_killed_parent(
    start_script, expect_soon
):
    parent = start_script(THROWAWAY)
    postgres, valkey = (parent.stdout.readline().strip() for _ in range(2))
    folder = folder_of(postgres)
    with psycopg.connect(postgres) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with redis.Redis.from_url(valkey) as client:
        assert client.ping()
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700

    parent.kill()

    expect_soon(lambda: not os.path.exists(folder))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres)


def test_servers_listen_on_no_port(sockets, start, tmp_path):
    start(embedded.postgres(tmp_path / "postgres", sockets, careless=True))
    url = f"postgresql://balsync@/postgres?host={sockets}"

    with psycopg.connect(url) as connection:
        listens = connection.execute("SHOW listen_addresses").fetchone()

    assert listens == ("",)


def test_next_start_stops_the_server_that_a_killed_parent_left(
    sockets, start, tmp_path
):
    left = start(embedded.postgres(tmp_path / "postgres", sockets))
    with psycopg.connect(f"postgresql://balsync@/postgres?host={sockets}") as kept:
        kept.execute("CREATE TABLE kept AS SELECT 2 ^ 100::numeric AS amount")

    start(embedded.postgres(tmp_path / "postgres", sockets))

    assert left.wait(10) is not None
    with psycopg.connect(f"postgresql://balsync@/postgres?host={sockets}") as again:
        assert again.execute("SELECT amount FROM kept").fetchone() == (2**100,)


def test_valkey_keeps_its_queue_over_a_kill(sockets, start, tmp_path):
    server = embedded.valkey(tmp_path / "valkey", sockets)
    first = start(server)
    with redis.Redis.from_url(server.url) as client:
        client.rpush("queue", "message")
        client.waitaof(1, 0, 2000)
    first.kill()
    first.wait()

    start(server)

    with redis.Redis.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"message"]
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_foreign_process_with_a_reused_number_is_left_alone(tmp_path):
    pid_file = tmp_path / "postmaster.pid"
    bystander = subprocess.Popen(["sleep", "600"])
    pid_file.write_text(f"{bystander.pid}\n{tmp_path}\n")

    embedded.stop_leftover(pid_file, tmp_path, signal.SIGKILL)

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.parametrize("content", ["", "no number", "0"])
def test_damaged_pid_file_stops_nothing(tmp_path, content, monkeypatch):
    pid_file, stopped = tmp_path / "postmaster.pid", []
    pid_file.write_text(content)
    monkeypatch.setattr(embedded.os, "kill", lambda *asked: stopped.append(asked))

    embedded.stop_leftover(pid_file, tmp_path, signal.SIGKILL)

    assert stopped == []


def test_cluster_of_another_major_version_is_refused_with_advice(tmp_path, sockets):
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")

    with pytest.raises(embedded.EmbeddedServerError, match="made by PostgreSQL 16"):
        embedded.postgres(data, sockets).prepare()


def test_unfinished_cluster_is_made_anew(tmp_path, sockets, start):
    unfinished = tmp_path / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")

    start(embedded.postgres(tmp_path / "postgres", sockets, careless=True))

    assert not unfinished.exists()


def test_socket_paths_fit_however_long_the_temporary_folder_is(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 60) / ("y" * 60)
    long.mkdir(parents=True)
    monkeypatch.setattr(embedded.tempfile, "tempdir", str(long))

    folder = embedded.private_sockets()

    assert len(bytes(folder / ".s.PGSQL.5432.lock")) <= embedded.SOCKET_PATH_MAX
    folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another name")
def test_root_falls_back_to_nobody_where_user_namespaces_are_forbidden(
    tmp_path, sockets, start, monkeypatch
):
    monkeypatch.setattr(embedded, "AS_ANOTHER", ["unshare", "--no-such-option"])
    embedded._unprivileged.cache_clear()
    try:
        start(embedded.postgres(tmp_path / "postgres", sockets, careless=True))
        owner = os.stat(tmp_path / "postgres").st_uid
    finally:
        embedded._unprivileged.cache_clear()

    assert owner == embedded.NOBODY
    assert os.stat(tmp_path).st_uid == 0


def test_user_without_a_name_borrows_one(monkeypatch):
    monkeypatch.setattr(embedded.os, "geteuid", lambda: 4_000_000)
    embedded._unprivileged.cache_clear()
    try:
        words = embedded._unprivileged()
    finally:
        embedded._unprivileged.cache_clear()

    assert words in (embedded.AS_ANOTHER, embedded.AS_NOBODY)


def test_nobody_has_a_name_here():
    assert embedded._has_name(embedded.NOBODY)


def test_user_whom_nothing_helps_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(embedded.os, "geteuid", lambda: 0)
    monkeypatch.setattr(embedded, "AS_ANOTHER", ["/no/unshare"])
    monkeypatch.setattr(embedded, "AS_NOBODY", ["/no/setpriv"])
    embedded._unprivileged.cache_clear()
    try:
        with pytest.raises(embedded.EmbeddedServerError, match="set DATABASE_URL"):
            embedded._unprivileged()
    finally:
        embedded._unprivileged.cache_clear()


def test_missing_wheel_says_what_to_set(monkeypatch):
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)

    with pytest.raises(embedded.EmbeddedServerError, match="DATABASE_URL"):
        embedded._postgres_binary("postgres")
