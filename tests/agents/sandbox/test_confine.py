"""The second wall: what a program could do that had taken over the interpreter itself."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from agents.sandbox import confine

MEMORY = 64 << 20


def confined(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run real Python behind the wall."""
    return subprocess.run(
        [
            sys.executable,
            "-IS",
            confine.__file__,
            str(os.getpid()),
            str(MEMORY),
            sys.executable,
            "-ISc",
            code,
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RONDO_CANARY": "canary"},
    )


def test_it_has_no_environment() -> None:
    assert confined("import os; print(dict(os.environ).get('RONDO_CANARY'))").stdout == "None\n"


def test_it_writes_no_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.touch(mode=0o666)
    tmp_path.chmod(0o777)
    assert confined("import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY), b'x')", target).returncode != 0
    assert target.read_text(encoding="utf-8") == ""


def test_it_holds_no_more_memory_than_it_may() -> None:
    assert "MemoryError" in confined(f"x = 'a' * {confine.OWN_MEMORY + MEMORY}").stderr


def test_its_processor_time_is_bounded() -> None:
    code = "import resource; print(*resource.getrlimit(resource.RLIMIT_CPU))"
    assert confined(code).stdout == f"{confine.CPU_SECONDS} {confine.CPU_SECONDS}\n"


def test_it_reaches_no_network_where_the_system_allows_that() -> None:
    allowed = subprocess.run([sys.executable, "-c", _UNSHARE], check=False).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)"
        reached = confined(code, listening.getsockname()[1]).returncode == 0
    assert reached is not allowed


_UNSHARE = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({confine.NAMESPACES}) != 0)"


def test_it_does_not_start_once_its_parent_is_gone() -> None:
    command = [sys.executable, "-IS", confine.__file__, "1", str(MEMORY), sys.executable, "-c", "print('started')"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""
