"""The embedded stores: they survive what machines do to them, and are open to their owner alone."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis

from deploy import embedded, process


def test_postgres_keeps_its_data_from_start_to_start(tmp_path: Path) -> None:
    for statement in ("CREATE TABLE kept AS SELECT 1 AS one", "SELECT one FROM kept"):
        server = embedded.postgres(tmp_path / "postgres", log=tmp_path / "log")
        with psycopg.connect(server.url) as connection:
            connection.execute(statement)
        server.stop()
        assert server.child.returncode is not None


def test_a_folder_too_deep_for_a_socket_still_works(tmp_path: Path) -> None:
    home = tmp_path / ("d" * 60) / ("e" * 60)
    server = embedded.postgres(home, log=tmp_path / "log", durable=False)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.stop()
    assert server.scratch is not None
    assert not server.scratch.exists()


def test_a_dead_servers_lock_does_not_stop_the_next_one(tmp_path: Path) -> None:
    """The number in it may by now belong to another process of ours, which PostgreSQL alone would take for the server."""
    embedded.postgres(tmp_path / "postgres", log=tmp_path / "log", durable=False).stop()
    (tmp_path / "postgres/data/postmaster.pid").write_text(f"{os.getppid()}\n/elsewhere\n", encoding="utf-8")
    server = embedded.postgres(tmp_path / "postgres", log=tmp_path / "log", durable=False)
    server.stop()


def test_a_half_made_data_folder_is_made_anew(tmp_path: Path) -> None:
    draft = tmp_path / "postgres/data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n", encoding="utf-8")
    embedded.postgres(tmp_path / "postgres", log=tmp_path / "log", durable=False).stop()
    assert not draft.exists()


def test_a_store_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    embedded.postgres(tmp_path / "postgres", log=tmp_path / "log", durable=False).stop()
    (tmp_path / "postgres/data/postgresql.conf").write_text("no such setting = 1\n", encoding="utf-8")
    with pytest.raises(embedded.StoreFailed, match=r"PostgreSQL ended while starting; .*/log says why\."):
        embedded.postgres(tmp_path / "postgres", log=tmp_path / "log", durable=False)


def test_valkey_asks_for_its_password(tmp_path: Path) -> None:
    server = embedded.valkey(tmp_path / "a folder", log=tmp_path / "log", durable=False)
    port = server.url.rpartition(":")[2]
    with closing(redis.Redis.from_url(f"redis://127.0.0.1:{port}")) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    command = Path(f"/proc/{server.child.pid}/cmdline").read_text(encoding="utf-8")
    server.stop()
    assert server.url.split("@")[0].rpartition(":")[2] not in command


PARENT = "import sys, pathlib; from deploy import process; "
PARENT += "print(process.start(['sleep', '600'], log=pathlib.Path(sys.argv[1])).pid, flush=True); sys.stdin.read()"


def test_a_tied_child_dies_with_its_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        while not process.alive(child, mentions="sleep"):
            time.sleep(0.01)
        parent.send_signal(signal.SIGKILL)
    assert process.wait_until_gone(child, mentions="sleep", within=5)


def test_a_child_is_killed_if_it_does_not_stop_in_time(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    child = process.start([sys.executable, "-c", deaf], log=tmp_path / "log")
    while not (tmp_path / "log").read_bytes():
        time.sleep(0.01)
    process.stop(child, within=0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_log_that_has_grown_makes_room_once(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for content in (b"old" * process.LOG_LIMIT, b"new" * process.LOG_LIMIT, b"short"):
        log.write_bytes(content)
        process.rotate(log)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api.1.log", "api.log"]
    assert (tmp_path / "api.1.log").read_bytes()[:3] == b"new"
