"""What can be wrong with a template: one sentence each, for the person who wrote it."""


class TemplateError(ValueError):
    """The template cannot be rendered."""


class MissingVariable(TemplateError):
    """A template uses a variable that has no value."""

    def __init__(self, name: str, where: str) -> None:
        """Name the variable, dotted, and the member that uses it."""
        self.name = name
        self.where = where
        super().__init__(f"The variable {name!r} is used in {where!r} but was not given.")


class TemplateFault(TemplateError):
    """A template is not valid, asks for what templates may not do, or is too much work."""

    def __init__(self, reason: str, where: str) -> None:
        """Give the reason as a sentence, and the member that holds the template."""
        self.reason = reason
        self.where = where
        super().__init__(f"The template in {where!r} cannot be rendered: {reason}")
