"""The `jinja` engine: Jinja's immutable sandbox, with nothing in it but JSON values, and every operation counted."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import jinja2
from jinja2 import meta
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agents.templates.budget import MAX_OUTPUT, MAX_PARSED, MAX_TEMPLATE, Budget
from agents.templates.errors import TemplateError, shortened
from agents.templates.jinja_filters import FILTERS
from agents.templates.jinja_operators import OPERATORS
from agents.templates.jinja_rewrite import paths, rewrite
from agents.templates.jinja_tests import TESTS
from agents.templates.jinja_values import Missing
from agents.templates.values import Refused

MAX_BRACKETS: Final = 16
"""How deep brackets may stand in each other: the parser goes down them in recursion, ten calls for each."""

_BUDGET: Final = "~budget"
"""Where the context holds the budget: a name that no template can spell."""
_TAGS: Final = ("{{", "{%", "{#")


def render(template: str, variables: dict[str, Any], budget: Budget) -> str:
    """Render a template. Raises `MissingVariable` for what it uses and is not there."""
    if not any(tag in template for tag in _TAGS):
        return template
    with _sentences(budget):
        compiled = _prepared(template, budget)
        context = compiled.new_context({**variables, _BUDGET: budget}, shared=True)
        return _bounded(compiled.root_render_func(context))


def names(template: str, budget: Budget) -> set[str]:
    """Return the variables that a template looks up, dotted where it spells the path; not what it sets itself."""
    if not any(tag in template for tag in _TAGS):
        return set()
    with _sentences(budget):
        budget.parse(_size(template))
        tree = rewrite(_ENVIRONMENT.parse(template))
        return set(paths(tree, meta.find_undeclared_variables(tree)))


def _bounded(pieces: Iterator[str]) -> str:
    kept, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_OUTPUT:
            raise Refused(f"Its text is longer than {MAX_OUTPUT} characters.")
        kept.append(piece)
    return "".join(kept)


def _prepared(template: str, budget: Budget) -> jinja2.Template:
    """Compile a template, or find it compiled."""
    began = time.thread_time()
    budget.parse(_size(template))
    compiled = _compiled(template)
    budget.forgive(time.thread_time() - began)
    return compiled


@lru_cache(maxsize=128)
def _compiled(template: str) -> jinja2.Template:
    tree = rewrite(_ENVIRONMENT.parse(template))
    tree.set_environment(_ENVIRONMENT)
    return _ENVIRONMENT.from_string(tree)


@lru_cache(maxsize=128)
def _size(template: str) -> int:
    """Count a template's tokens, and refuse what would take the parser long or deep."""
    if len(template) > MAX_TEMPLATE:
        raise Refused(f"It is longer than {MAX_TEMPLATE} characters.")
    size = depth = 0
    for _, kind, value in _ENVIRONMENT.lex(template):
        size += kind != "whitespace"
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(value, 0) if kind == "operator" else 0
        if depth > MAX_BRACKETS:
            raise Refused(f"Brackets are nested deeper than {MAX_BRACKETS} levels.")
        if size > MAX_PARSED:
            raise Refused("It has too many tags.")
    return size


_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (jinja2.TemplateError, "It does something that is not allowed."),
    (RecursionError, "It is nested too deep."),
    (SyntaxError, "It is nested too deep."),
    (ArithmeticError, "A number is out of range, or divided by zero."),
    (TypeError, "Something is done with a value that values of its kind cannot do, or arguments do not fit."),
    (ValueError, "Something is done with a value that this value cannot do."),
    (LookupError, "Something is looked up that is not there."),
    (AttributeError, "Something is looked up that is not there."),
    (RuntimeError, "It cannot be run."),
    (AssertionError, "It cannot be compiled."),
)
"""Python's and Jinja's own messages may show values, and values may be secret: none of them gets out."""


@contextmanager
def _sentences(budget: Budget) -> Iterator[None]:
    """Turn what Jinja and Python raise over a template into our errors."""
    try:
        yield
    except TemplateError:
        raise
    except jinja2.UndefinedError as error:
        raise budget.missing(str(error.message)) from None
    except jinja2.TemplateSyntaxError as error:
        raise budget.fault(f"Line {error.lineno}: {shortened(str(error.message))}.") from None
    except tuple(kind for kind, _ in _REASONS) as error:
        raise budget.fault(next(reason for kind, reason in _REASONS if isinstance(error, kind))) from None


def _with_budget(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a filter of a function that takes the budget first."""

    @jinja2.pass_context
    def apply(context: Context, *args: Any, **kwargs: Any) -> Any:
        return function(context.parent[_BUDGET], *args, **kwargs)

    return apply


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=Missing, autoescape=False, loader=None, keep_trailing_newline=True, cache_size=0, optimized=False
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = {
        **{name: _with_budget(function) for name, function in FILTERS.items()},
        **{f"~{name}": _with_budget(function) for name, function in OPERATORS.items()},
        **{f"~is {name}": _with_budget(function) for name, function in TESTS.items()},
    }
    return environment


_ENVIRONMENT: Final = _environment()
