"""Laws of all engines, for any template and any value."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.templates import TemplateError, names, render, render_tree

ENGINES = ("text", "jinja", "mustache")
engines: st.SearchStrategy[Any] = st.sampled_from(ENGINES)

pieces = st.sampled_from(
    [
        *("{{", "}}", "{%", "%}", "{#", "#}", "{", "}", " ", "\n", "'", '"', "|", ".", "(", ")", "[", "]", ",", "~", "-", ":"),
        *("a", "b", "token", "loop", "1", "9", "0.5", "=", "==", "<", "*", "**", "+", "%", "/", "in", "not", "is", "and"),
        *("if", "else", "for", "endfor", "endif", "set", "endset", "macro", "endmacro", "m", "raw", "with", "upper", "join"),
        *("items", "range", "default", "defined", "map", "sort", "__class__", "format", "tojson", "#", "/", "^", "&", "!", ">"),
        *(
            "{{a}}",
            "{{ b.x }}",
            "{{token}}",
            "{% for a in b %}",
            "{% endfor %}",
            "{% if a %}",
            "{% endif %}",
            "{{#b}}",
            "{{/b}}",
        ),
        *(
            "{{ a|upper }}",
            "{{ b|length }}",
            "{{ a ~ token }}",
            "{{ [token] }}",
            "{{ a[1:] }}",
            "{{ a * 99 }}",
            "{{ b.items() }}",
        ),
        *(
            "{% macro m(a) %}",
            "{% endmacro %}",
            "{{ m(1) }}",
            "{% set a = b %}",
            "{{ a == token }}",
            "{{ a + b }}",
            "é",
            "\ud800",
        ),
    ]
)
templates = st.one_of(st.lists(pieces, max_size=12).map("".join), st.text(max_size=40))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), templates),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("xyab_", max_size=2), inner, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None)
@given(templates, engines)
def test_what_a_value_says_comes_out_as_it_is(value: str, engine: Any) -> None:
    assert render("<{{a}}>", {"a": value, "token": "t"}, engine=engine, where="input") == f"<{value}>"


@settings(deadline=None)
@given(templates)
def test_what_a_value_says_comes_out_as_it_is_however_it_gets_there(value: str) -> None:
    made = "{% macro m(x) %}{{ x }}{% endmacro %}{% set b %}{{ a }}{% endset %}"
    jinja = made + "{{ m(a) }}{{ b }}{% for x in [a] %}{{ x }}{% endfor %}"
    assert render(jinja, {"a": value}, engine="jinja", where="input") == value * 3
    assert (
        render("{{#o}}{{a}}{{/o}}{{#l}}{{.}}{{/l}}", {"o": {"a": value}, "l": [value]}, engine="mustache", where="i")
        == value * 2
    )


@settings(deadline=None)
@given(st.text().filter(lambda text: not any(tag in text for tag in ("{{", "{%", "{#"))), engines)
def test_text_without_tags_is_itself(template: str, engine: Any) -> None:
    assert render(template, {}, engine=engine, where="input") == template
    assert render_tree({"a": [template]}, {}, engine=engine, where="input") == {"a": [template]}


@settings(max_examples=400, deadline=None)
@given(templates, values, values, engines)
def test_nothing_is_raised_but_template_errors(template: str, a: Any, b: Any, engine: Any) -> None:
    with Allowed():
        render(template, {"a": a, "b": b}, engine=engine, where="input", secret={"token"})
    with Allowed():
        render_tree([template], {"a": a, "b": b}, engine=engine, where="input")
    with Allowed():
        names(template, engine=engine)


@settings(max_examples=300, deadline=None)
@given(templates, st.integers(10**11, 10**12), engines)
def test_a_secret_never_comes_out(template: str, secret: int, engine: Any) -> None:
    """Nor does it change anything: another secret gives the same text, or the same error."""

    def outcome(value: Any) -> str:
        variables = {"a": "x", "b": {"x": [1]}, "token": value}
        try:
            return render(template, variables, engine=engine, where="input", secret={"token"})
        except TemplateError as error:
            return str(error)

    assert outcome(f"sk-{secret}") == outcome({"x": [secret]}) == outcome("")


@pytest.mark.parametrize("engine", ENGINES)
def test_unusual_values_are_faults_or_text(engine: Any) -> None:
    for value in (2**70, [2**70], "\ud800", ["\ud800"], float("nan"), {1: 2}, object()):
        with Allowed():
            render("{{a}}", {"a": value}, engine=engine, where="input")


class Allowed:
    """Lets template errors pass, and nothing else."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, TemplateError)
