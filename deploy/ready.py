"""Asks a running API whether it is ready; also the container's health check: `python -m deploy.ready`."""

import http.client
import os
import sys


def missing(host: str, port: int) -> str | None:
    """Return None once `GET /readyz` answers 200, else what it says is missing."""
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"the API does not answer ({error})."
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"/readyz says {answer.status} {body}"


if __name__ == "__main__":
    sys.exit(missing("127.0.0.1", int(os.environ.get("PORT", "8000"))))
