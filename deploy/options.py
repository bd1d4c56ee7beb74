"""What `make run` can be told by the environment."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy import process


class Refused(Exception):
    """Rondo cannot be started like this. The message is a sentence for the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The supervisor's own settings; those of the API and the worker pass through to them."""

    host: str
    port: int
    state: Path
    api_key: str | None
    database_url: str | None
    redis_url: str | None
    brings_keys: bool
    """Whether the environment names encryption keys."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read `HOST`, `PORT` (0: any free one), `RONDO_STATE_DIR`, `RONDO_API_KEY`, `DATABASE_URL` and `REDIS_URL`.

        Encryption keys are for the children to read. Raises Refused.
        """
        values = {name: text.strip() for name, text in environ.items() if text.strip()}
        raw = values.get("PORT", "8000")
        if not raw.isdecimal() or int(raw) > 65535:
            raise Refused(f"PORT must be a number from 0 to 65535, but is {raw!r}.")
        host = values.get("HOST", "127.0.0.1")
        return cls(
            host=host,
            port=int(raw) or _free_port(),
            state=Path(values.get("RONDO_STATE_DIR", ".local")).resolve(),
            api_key=values.get("RONDO_API_KEY"),
            database_url=values.get("DATABASE_URL"),
            redis_url=values.get("REDIS_URL"),
            brings_keys=not values.keys().isdisjoint({"RONDO_ENCRYPTION_KEYS", "RONDO_ENCRYPTION_KEY_FILE"}),
        )

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.state / "logs"

    def log(self, name: str) -> Path:
        """Return a log's path, after making room if it has grown."""
        path = self.logs / f"{name}.log"
        process.rotate(path)
        return path

    @property
    def address(self) -> str:
        """The host under which this machine reaches the API."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # what it listens on, turned around

    @property
    def url(self) -> str:
        """The API's address for people."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
