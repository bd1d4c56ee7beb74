"""The real processes under load: stores as durable as in `make run`, an API, a worker, the upstream; their CPU and memory."""

import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy import embedded, health, process
from deploy.daemon import last_line, run_to_end
from deploy.process import Child

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_READY_WITHIN: Final = 30.0


class NotReady(Exception):
    """A process did not come up."""


@dataclass(frozen=True, slots=True)
class System:
    """What runs, and where it listens."""

    api: int
    second_api: int
    upstream: int
    key: str
    children: dict[str, Child]

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds so far: of each process with its descendants, both APIs as one, of others, and idle ones."""
        table = dict(_processes())
        used = {name: _with_descendants(child.pid, table) for name, child in self.children.items()}
        used["api"] += used.pop("second api")
        times = os.times()
        used["client"] = times.user + times.system
        busy, idle = _machine()
        return {**used, "others": busy - sum(used.values()), "idle": idle}

    def memory(self, name: str) -> int:
        """Return a process's resident memory in bytes."""
        status = Path(f"/proc/{self.children[name].pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    own: float
    reaped: float
    """CPU seconds of children that have ended."""


def _processes() -> Iterator[tuple[int, _Process]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        values = stat.rpartition(")")[2].split()
        own, reaped = int(values[11]) + int(values[12]), int(values[13]) + int(values[14])
        yield int(entry.name), _Process(int(values[1]), own / _TICKS, reaped / _TICKS)


def _with_descendants(pid: int, table: dict[int, _Process]) -> float:
    if pid not in table:
        return 0.0
    below = sum(_with_descendants(child, table) for child, its in table.items() if its.parent == pid)
    return table[pid].own + table[pid].reaped + below


def _machine() -> tuple[float, float]:
    """Return the busy and the idle seconds of all cores since the machine started."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, idle, waiting, *rest = (int(value) / _TICKS for value in line.split()[1:9])
    return user + nice + system + sum(rest), idle + waiting


@contextmanager
def running(state: Path) -> Iterator[System]:
    """Start everything on an empty state below `state`, and stop and remove it all afterwards. Raises NotReady."""
    state.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=state.resolve()))
    children: dict[str, Child] = {}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        database = embedded.postgres(home / "postgres", log=home / "postgres.log")
        stack.callback(database.stop)
        cache = embedded.valkey(home / "valkey", log=home / "valkey.log")
        stack.callback(cache.stop)
        api, second_api, upstream = _free_port(), _free_port(), _free_port()
        env = _environment(home, database.url, cache.url, api=api, upstream=upstream)
        for command in ("migrate", "bootstrap"):
            run_to_end(command, "-m", "api.admin", command, env=env, logs=home)
        for name, arguments, more in (
            ("upstream", ["tests.bench.upstream", str(upstream)], {}),
            ("api", ["api"], {}),
            ("second api", ["api"], {"PORT": str(second_api)}),
            ("worker", ["worker"], {}),
        ):
            children[name] = process.start([sys.executable, "-m", *arguments], log=home / f"{name}.log", env={**env, **more})
            stack.callback(process.stop, children[name])
        for port in (api, second_api):
            _wait(port, children, home)
        everybody = {**children, "postgres": database.child, "valkey": cache.child}
        yield System(api, second_api, upstream, env["RONDO_API_KEY"], everybody)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(home: Path, database: str, cache: str, *, api: int, upstream: int) -> dict[str, str]:
    providers = home / "providers.toml"
    providers.write_text(
        f'[providers.bench]\nwire = "openai-chat"\nbase_url = "http://127.0.0.1:{upstream}/v1"\n', encoding="ascii"
    )
    return {
        **os.environ,
        "DATABASE_URL": database,
        "REDIS_URL": cache,
        "HOST": "127.0.0.1",
        "PORT": str(api),
        "RONDO_API_KEY": f"rk_{secrets.token_hex(24)}",
        "RONDO_PROVIDERS_FILE": str(providers),
        "RONDO_PROJECT_SLOTS": "1000",
        "RONDO_DRAIN": "2",
        "PYTHONUNBUFFERED": "1",
    }


def _wait(port: int, children: dict[str, Child], home: Path) -> None:
    """Wait until the API is ready to accept responses, and a worker to move them."""
    deadline = time.monotonic() + _READY_WITHIN
    while (missing := health.complaint("127.0.0.1", port)) is not None:
        for name, child in children.items():
            if child.poll() is not None:
                raise NotReady(f"{name} ended: {last_line(home / f'{name}.log')}")
        if time.monotonic() > deadline:
            raise NotReady(f"not ready after {_READY_WITHIN:.0f} s: {missing}")
        time.sleep(0.05)
