"""Numbers of versions: `major.minor.patch`."""

import re
from typing import Final

FIRST: Final = "1.0.0"
INCREMENTS: Final = ("major", "minor", "patch")

VERSION: Final = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


def bump(version: str, increment: str) -> str:
    """Return the next version; what is smaller than the part that grows begins again at 0."""
    place = INCREMENTS.index(increment)
    parts = [int(part) for part in version.split(".")]
    return ".".join(str(part) for part in [*parts[:place], parts[place] + 1, *([0] * (2 - place))])
