"""`python -m worker`: one Celery worker in this process, with one event loop."""

import argparse
import secrets
import socket
import sys
import warnings

from celery.platforms import SecurityWarning

from shared import queue
from worker.app import app


def main() -> int:
    """Run until told to stop; return the exit code."""
    options = _parser().parse_args()
    # Celery advises root against pickled messages; we take none.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        hostname=f"rondo-{secrets.token_hex(4)}@{socket.gethostname()}",
        queues=options.queues,
        concurrency=options.concurrency,
        quiet=True,
    )
    worker.start()
    return worker.exitcode or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Move responses forward.")
    parser.add_argument("--queues", type=_queues, default=list(queue.QUEUES), help=f"of {','.join(queue.QUEUES)}; default all")
    parser.add_argument("--concurrency", type=int, default=1000, help="how many tasks may run at once; default 1000")
    return parser


def _queues(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(queue.QUEUES):
        raise argparse.ArgumentTypeError(
            f"there is no queue {', '.join(sorted(unknown))}; choose from {', '.join(queue.QUEUES)}"
        )
    return names


if __name__ == "__main__":
    sys.exit(main())
