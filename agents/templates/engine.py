"""The one way into the engines, for a string and for all strings inside a JSON value."""

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol, assert_never

from agents.plan import Engine
from agents.templates import mustache, text
from agents.templates.budget import Budget, Finalize
from agents.templates.values import plain, scope

MAX_DEPTH: Final = 100
"""How deep a JSON value with templates in it may be nested."""


class _Renderer(Protocol):
    """A module that renders one syntax. Raises `Refused` and `MissingVariable`."""

    def render(self, template: str, variables: dict[str, Any], budget: Budget) -> str: ...

    def names(self, template: str, budget: Budget) -> set[str]: ...


def render(
    template: str,
    variables: Mapping[str, Any],
    *,
    engine: Engine,
    where: str,
    secret: Collection[str] = frozenset(),
    finalize: Finalize | None = None,
) -> str:
    """Render one template with JSON values; `where` is the member that holds it, for errors.

    The placeholder of a `secret` variable stays as it is, whatever `variables` holds under that name. `finalize` writes
    each substituted value (it may raise `ValueError` with a sentence); by default strings are written as they are, None
    as nothing, the rest as compact JSON. Raises `MissingVariable` and `TemplateFault`.
    """
    renderer = _renderer(engine)
    budget = Budget(where, finalize or plain)
    with budget.faults():
        return renderer.render(template, scope(variables, secret), budget)


def render_tree(
    value: Any,
    variables: Mapping[str, Any],
    *,
    engine: Engine,
    where: str,
    secret: Collection[str] = frozenset(),
    finalize: Finalize | None = None,
) -> Any:
    """Render every string inside a JSON value, but not the keys; errors name the string, as in `where.headers[0]`.

    In the `text` engine, without `finalize`, a string that is one placeholder becomes the variable's value with its
    type. All strings together have the budget of one template. Raises as `render` does.
    """
    typed = engine == "text" and finalize is None
    tree = _Tree(scope(variables, secret), _renderer(engine), Budget(where, finalize or plain), typed=typed)
    return tree.render(value, where, depth=0)


def names(template: str, *, engine: Engine, where: str = "template") -> set[str]:
    """Return the variables that a template uses, dotted where that is plain to see, needed or not.

    Raises `TemplateFault` for a template that is not valid.
    """
    renderer = _renderer(engine)
    budget = Budget(where, plain)
    with budget.faults():
        return renderer.names(template, budget)


class _Tree:
    """A JSON value that is being rendered."""

    def __init__(self, variables: dict[str, Any], renderer: _Renderer, budget: Budget, *, typed: bool) -> None:
        self.variables = variables
        self.renderer = renderer
        self.budget = budget
        self.typed = typed

    def render(self, value: Any, where: str, *, depth: int) -> Any:
        """Return the value with its strings rendered."""
        self.budget.where = where
        if depth > MAX_DEPTH:
            raise self.budget.fault(f"It is nested deeper than {MAX_DEPTH} levels.")
        match value:
            case str():
                return self._string(value)
            case Mapping():
                return {key: self.render(each, f"{where}.{key}", depth=depth + 1) for key, each in value.items()}
            case list():
                return [self.render(each, f"{where}[{index}]", depth=depth + 1) for index, each in enumerate(value)]
            case _:
                return value

    def _string(self, template: str) -> Any:
        render_one = text.typed if self.typed else self.renderer.render
        with self.budget.faults():
            return render_one(template, self.variables, self.budget)


def _renderer(engine: Engine) -> _Renderer:
    match engine:
        case "text":
            return text
        case "jinja":
            import agents.templates.jinja as sandbox  # noqa: PLC0415  # 160 ms, for the few who use it

            return sandbox
        case "mustache":
            return mustache
        case _:
            assert_never(engine)
