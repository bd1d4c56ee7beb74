"""`make run`'s supervisor: starts everything, says clearly why it cannot, and leaves nothing behind."""

import base64
import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from shared import keyring

ROOT = Path(__file__).parents[2]
SUPERVISOR = (sys.executable, "-m", "deploy.local")


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor that said that it is ready."""

    process: subprocess.Popen[bytes]
    output: Path
    state: Path

    @property
    def client(self) -> httpx2.Client:
        url = re.search(r"URL +(\S+)", self.text)
        key = re.search(r"API key +(\S+)", self.text)
        assert url
        assert key
        return httpx2.Client(base_url=url[1], headers={"Authorization": f"Bearer {key[1]}"}, timeout=30)

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def children(self) -> dict[int, str]:
        """The processes below, with their command lines."""
        return dict(_below(self.process.pid))


def _below(pid: int) -> Iterator[tuple[int, str]]:
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()):
        yield child, Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        yield from _below(child)


def wait(condition: Callable[[], bool], *, within: float) -> float:
    """Wait until something is so; return how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, f"not so within {within} s"
        time.sleep(0.05)
    return time.monotonic() - began


def gone(pids: dict[int, str]) -> bool:
    return not any(_lives(pid) for pid in pids)


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(") ")[2][0] != "Z"


def environment(state: Path, **more: str) -> dict[str, str]:
    own = {"DATABASE_URL", "REDIS_URL", "RONDO_API_KEY", "RONDO_ENCRYPTION_KEYS", "RONDO_ENCRYPTION_KEY_FILE"}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return {**inherited, "PORT": "0", "RONDO_STATE_DIR": str(state), **more}


@contextlib.contextmanager
def running(state: Path) -> Iterator[Running]:
    output = state.with_name(f"{state.name}-{time.monotonic_ns()}.out")
    with output.open("wb") as sink:
        process = subprocess.Popen(SUPERVISOR, cwd=ROOT, env=environment(state), stdout=sink, stderr=subprocess.STDOUT)
    started = Running(process, output, state)
    try:
        wait(lambda: "Ctrl-C" in started.text or process.poll() is not None, within=60)
        assert process.poll() is None, started.text
        yield started
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def rondo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("a folder with spaces") / "state") as started:
        yield started


def test_it_serves_with_the_key_that_it_prints(rondo: Running) -> None:
    tools = [{"type": "orq:current_date"}]
    with rondo.client as client:
        body = {"model": "demo/assistant", "input": "What is the date today?", "tools": tools}
        answer = client.post("/v1/responses", json=body)
    assert answer.status_code == 200
    assert "orq:current_date" in [item["type"] for item in answer.json()["output"]]


def test_the_line_to_try_that_it_prints_works(rondo: Running) -> None:
    line = rondo.text[rondo.text.index("  curl ") : rondo.text.index("Ctrl-C")]
    _, url, *options = shlex.split(line.replace("\\\n", ""))
    headers = dict(value.split(": ", 1) for flag, value in zip(options[::2], options[1::2], strict=True) if flag == "-H")
    answer = httpx2.post(url, headers=headers, content=options[options.index("-d") + 1], timeout=30)
    assert answer.json()["status"] == "completed"


def test_its_key_is_for_its_owners_eyes_only(rondo: Running) -> None:
    assert (rondo.state / "api_key").stat().st_mode & 0o777 == 0o600
    assert rondo.state.stat().st_mode & 0o777 == 0o700


def test_its_encryption_key_is_for_its_owners_eyes_only_and_never_shown(rondo: Running) -> None:
    path = rondo.state / "encryption_keys"
    assert path.stat().st_mode & 0o777 == 0o600
    [key] = keyring.read(path)
    encoded = base64.b64encode(key.material).decode()
    assert encoded not in rondo.text
    assert not any(encoded in log.read_text(encoding="utf-8") for log in (rondo.state / "logs").iterdir())


def test_an_encryption_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state" / "encryption_keys"
    path.parent.mkdir()
    keyring.write(path, [keyring.new_key()])
    path.chmod(0o644)
    env = environment(tmp_path / "state")
    refused = subprocess.run(SUPERVISOR, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 1
    assert refused.stderr == f"rondo: The key file {path} must be its owner's alone (mode 0600), but has mode 0644.\n"


def test_a_second_one_on_the_same_data_is_refused(rondo: Running) -> None:
    second = subprocess.run(SUPERVISOR, cwd=ROOT, env=environment(rondo.state), capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith(f"rondo: Another Rondo already runs on {rondo.state}")


def test_a_worker_that_dies_is_started_again(rondo: Running) -> None:
    [worker] = [pid for pid, command in rondo.children().items() if command.endswith("-m worker ")]
    os.kill(worker, signal.SIGKILL)
    wait(lambda: any(" -m worker " in command for pid, command in rondo.children().items() if pid != worker), within=10)
    assert "The worker ended" in rondo.text


def test_a_store_that_dies_ends_everything(tmp_path: Path) -> None:
    with running(tmp_path / "state") as started:
        children = started.children()
        os.kill(next(pid for pid, command in children.items() if "valkey-server" in command), signal.SIGKILL)
        wait(lambda: started.process.poll() is not None, within=6)
        assert started.process.returncode == 1
        assert "rondo: Valkey ended unexpectedly" in started.text
        assert gone(children)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_within_five_seconds(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path / "state") as started:
        children = started.children()
        started.process.send_signal(number)
        assert wait(lambda: started.process.poll() is not None and gone(children), within=6) < 5
        assert started.process.returncode == 0


def test_killing_it_leaves_nothing_behind_and_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "state") as first, first.client as client:
        made = client.post("/v1/responses", json={"model": "demo/echo", "input": "keep me"}).json()
        children = first.children()
        assert len(children) >= 4
        first.process.kill()
        wait(lambda: gone(children), within=5)
    with running(tmp_path / "state") as second, second.client as client:
        assert client.get(f"/v1/responses/{made['id']}").json() == made


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "eighty"}, "PORT must be a number from 0 to 65535, but is 'eighty'."),
        ({"HOST": "203.0.113.1"}, "on 203.0.113.1 cannot be used"),
        ({"DATABASE_URL": "mysql://db/rondo"}, "DATABASE_URL must begin with postgresql://, but begins with mysql://."),
        ({"DATABASE_URL": "postgresql://me:geheim@127.0.0.1:1/rondo"}, "DATABASE_URL does not lead to a PostgreSQL"),
        ({"REDIS_URL": "http://127.0.0.1"}, "REDIS_URL must begin with redis:// or rediss://, but begins with http."),
        ({"REDIS_URL": "redis://:geheim@127.0.0.1:1/0"}, "REDIS_URL does not lead to a Redis"),
        ({"RONDO_STATE_DIR": "/proc/rondo"}, "The state folder /proc/rondo cannot be used"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path, variables: dict[str, str], sentence: str) -> None:
    env = {**environment(tmp_path / "state"), **variables}
    refused = subprocess.run(SUPERVISOR, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 1
    assert re.fullmatch(rf"rondo: [^\n]*{re.escape(sentence)}[^\n]*\n", refused.stderr)
    assert "geheim" not in refused.stderr


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = environment(tmp_path / "state", PORT=port)
        refused = subprocess.run(SUPERVISOR, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert refused.returncode == 1
    assert (
        refused.stderr
        == f"rondo: Port {port} on 127.0.0.1 cannot be used: Address already in use. Set PORT or HOST to choose another.\n"
    )
    assert refused.stdout == ""
