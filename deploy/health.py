"""Asks running processes how they are; also the containers' health check: `python -m deploy.health api | worker`."""

import http.client
import os
import socket
import sys
from collections.abc import Mapping

import psycopg

from shared.db import conninfo
from shared.settings import Settings


def complaint(host: str, port: int, *, path: str = "/readyz") -> str | None:
    """Return None if the API answers 200 on a path, else what it says, or that it says nothing."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"the API does not answer ({error})."
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"{path} says {answer.status} {body}"


def worker_complaint(settings: Settings) -> str | None:
    """Return None if this host's worker told the database lately that it lives, or if the database cannot be asked.

    Its heartbeat comes from the event loop that does the work, so a stuck worker is seen. While the database is away,
    starting a worker again would help nobody.
    """
    query = "SELECT 1 FROM workers WHERE host = %s AND heartbeat_at > now() - interval '30 seconds'"
    try:
        with psycopg.connect(conninfo(settings.database_url), connect_timeout=3) as connection:
            row = connection.execute(query, (socket.gethostname(),)).fetchone()
    except psycopg.Error:
        return None
    return None if row else "the worker's last heartbeat is older than 30 seconds."


def main(arguments: list[str], environ: Mapping[str, str]) -> str | None:
    """Check what the first argument names; return a complaint or None."""
    match arguments:
        case ["api"]:
            return complaint("127.0.0.1", int(environ.get("PORT", "8000")), path="/healthz")
        case ["worker"]:
            return worker_complaint(Settings.from_env(environ))
        case _:
            return "usage: python -m deploy.health api | worker"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
