"""What the generations of Claude accept, told by their names: the wire is one, its settings are not."""

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(r"claude-(?:[a-z]+-)*(\d+)(?:-(\d{1,2}))?(?!\d)")
_NEWEST: Final = (99, 0)


@dataclass(frozen=True, slots=True)
class Generation:
    """A model's version. `None` is a model that is not Claude, behind a server that speaks the same wire."""

    version: tuple[int, int] | None
    always_thinks: bool = False

    @property
    def adaptive(self) -> bool:
        """Whether it decides by itself how much to think, within an effort; the others take a budget of tokens."""
        return self.version is not None and self.version >= (4, 6)

    @property
    def samples(self) -> bool:
        """Whether it takes temperature, top_p and top_k."""
        return self.version is None or self.version < (4, 7)

    @property
    def structured(self) -> bool:
        """Whether it constrains answers and calls to a schema."""
        return self.version is not None and self.version >= (4, 5)

    @property
    def max_tokens(self) -> int:
        """The limit of output that is asked for where the client gives none; the wire demands one."""
        match self.version:
            case None | (3, 5):
                return 8192
            case version if version < (3, 5):
                return 4096
            case _:
                return 32_000


def generation(model: str) -> Generation:
    """Read a model's generation from its name, such as `claude-haiku-4-5-20251001`; an unnumbered Claude is a new one."""
    if "claude-" not in model:
        return Generation(None)
    found = _NAME.search(model)
    version = (int(found[1]), int(found[2] or 0)) if found else _NEWEST
    return Generation(version, always_thinks="-fable-" in model or "-mythos-" in model)
