"""Fixtures for chats."""

from collections.abc import Iterator

import pytest

from tests.aimock import server


@pytest.fixture(scope="session")
def aimock() -> Iterator[str]:
    """Base URL of the mock of all providers' wires."""
    with server.running() as url:
        yield url
