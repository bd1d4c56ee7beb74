"""What differs between two versions, as a list of changed places."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from api.definitions.sealing import is_secret, shown
from shared.items import Json

_ABSENT: Final = object()


def diff(old: Any, new: Any, path: str = "") -> Iterator[Json]:
    """Yield `{path, op, from, to}` for each place that was added, removed or replaced; secrets differ without being shown."""
    both = (type(old), type(new))
    if is_secret(old) or is_secret(new) or both not in {(dict, dict), (list, list)}:
        if old != new:
            yield _change(old, new, path)
    elif both == (dict, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from diff(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{path}.{name}" if path else name)
    else:
        for index, (left, right) in enumerate(zip_longest(old, new, fillvalue=_ABSENT)):
            yield from diff(left, right, f"{path}[{index}]")


def _change(old: Any, new: Any, path: str) -> Json:
    mark = "secret" if path.startswith("variables") else "encrypted"
    change: Json = {"path": path, "op": "add" if old is _ABSENT else "remove" if new is _ABSENT else "replace"}
    if old is not _ABSENT:
        change["from"] = shown(old, mark=mark)
    if new is not _ABSENT:
        change["to"] = shown(new, mark=mark)
    return change
