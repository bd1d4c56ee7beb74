"""What can be wrong with a template: one sentence each, for the person who wrote it."""

from typing import Final

_SHOWN: Final = 200


def shortened(text: str) -> str:
    """Return what an error shows of a text from elsewhere."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class TemplateError(ValueError):
    """The template cannot be rendered."""


class MissingVariable(TemplateError):
    """A template uses a variable that has no value."""

    def __init__(self, name: str, where: str) -> None:
        """Name the variable, dotted, and the member that uses it."""
        self.name = name
        self.where = where
        super().__init__(f"The variable {shortened(name)!r} is used in {shortened(where)!r} but was not given.")


class TemplateFault(TemplateError):
    """A template is not valid, asks for what templates may not do, or is too much work."""

    def __init__(self, reason: str, where: str) -> None:
        """Give the reason as a sentence, and the member that holds the template."""
        self.reason = reason
        self.where = where
        super().__init__(f"The template in {shortened(where)!r} cannot be rendered: {reason}")
