"""A template that a model reads knows a secret's name, and nothing else about it."""

from typing import Any

import pytest

from agents.templates import TemplateFault, render, render_tree

ENGINES = ("text", "jinja", "mustache")


def hidden(template: str, engine: Any, **variables: Any) -> str:
    return render(template, {"token": "sk-1", **variables}, engine=engine, where="instructions", secret={"token"})


@pytest.mark.parametrize("engine", ENGINES)
def test_the_placeholder_stays(engine: str) -> None:
    assert hidden("Use {{token}} for {{name}}.", engine, name="{{token}}") == "Use {{token}} for {{token}}."


@pytest.mark.parametrize("engine", ENGINES)
def test_the_placeholder_stays_without_a_value(engine: Any) -> None:
    assert render("{{token}}", {}, engine=engine, where="instructions", secret=["token"]) == "{{token}}"


@pytest.mark.parametrize("engine", ENGINES)
def test_tools_get_the_value(engine: Any) -> None:
    assert render("Bearer {{token}}", {"token": "sk-1"}, engine=engine, where="headers.a") == "Bearer sk-1"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_placeholder_stays_in_a_tree(engine: Any) -> None:
    assert render_tree(["{{token}}"], {"token": 1}, engine=engine, where="body", secret={"token"}) == ["{{token}}"]


def test_finalize_never_sees_it() -> None:
    seen: list[Any] = []
    for engine in ENGINES:
        template = "{{token}}{{a}}"
        finalize = lambda value: seen.append(value) or "a"  # type: ignore[func-returns-value]  # noqa: E731
        render(template, {"token": "sk-1", "a": 1}, engine=engine, where="b", secret={"token"}, finalize=finalize)  # type: ignore[arg-type]
    assert seen == [1, 1, 1]


@pytest.mark.parametrize(
    "template",
    [
        "{% if token %}{{ token }}{% endif %}",
        "{{ token if token is defined else 'none' }}",
        "{{ token|default('none') }}",
        "{{ token|default('none', true) }}",
        "{{ nope|default(token) }}",
        "{% set t = token %}{{ t }}",
        "{% macro m(t) %}{{ t }}{% endmacro %}{{ m(token) }}",
        "{% for t in [token] %}{{ t }}{% endfor %}",
        "{{ [token]|first }}",
        "{{ {'a': token}.a }}",
        "{{ [{'a': token}]|map(attribute='a')|first }}",
    ],
)
def test_jinja_may_pass_it_around(template: str) -> None:
    assert hidden(template, "jinja") == "{{token}}"


@pytest.mark.parametrize(
    "template",
    [
        *("{{ token|upper }}", "{{ token|length }}", "{{ token|tojson }}", "{{ token|string }}", "{{ token|list }}"),
        *("{{ token|replace('s', 't') }}", "{{ 'a'|replace('a', token) }}", "{{ token|first }}", "{{ token|int }}"),
        *("{{ token == 'sk-1' }}", "{{ 'sk-1' == token }}", "{{ token < 'z' }}", "{{ 's' in token }}", "{{ token in 'sk-1' }}"),
        *("{{ token in ['sk-1'] }}", "{{ 'sk-1' in [token] }}", "{{ [token] == ['sk-1'] }}", "{{ token != token }}"),
        *("{{ token ~ 'x' }}", "{{ token + 'x' }}", "{{ token * 2 }}", "{{ -token }}", "{{ token % 2 }}", "{{ '%s' % token }}"),
        *("{{ token[0] }}", "{{ token[1:] }}", "{{ token.x }}", "{{ token.name }}", "{{ token.__class__ }}", "{{ d[token] }}"),
        *("{{ token.upper() }}", "{{ token() }}", "{{ token.startswith('s') }}", "{{ 'sk-1'.startswith(token) }}"),
        *(
            "{% for c in token %}{% endfor %}",
            "{{ [token] }}",
            "{{ [token]|join }}",
            "{{ [token]|tojson }}",
            "{{ [token]|sort }}",
        ),
        *("{{ [token, 'a']|unique }}", "{{ [token, 'a']|max }}", "{{ ['sk-1', token]|select('eq', 'sk-1')|list }}"),
        *("{{ {token: 1} }}", "{{ {'a': token} }}", "{{ [[token]]|map('join')|list }}", "{{ '%s'|format(token) }}"),
        *("{{ token is string }}", "{{ token is eq 'sk-1' }}", "{{ token is in ['sk-1'] }}", "{{ range(token) }}"),
        *("{{ [1]|map(token)|list }}", "{{ [{'a': 1}]|map(attribute=token)|list }}", "{{ ['a']|join(token) }}"),
    ],
)
def test_jinja_can_do_nothing_else_with_it(template: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        hidden(template, "jinja", d={"sk-1": 1})
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("{{#token}}has {{.}}{{/token}}{{^token}}no{{/token}}", "has {{token}}"),
        ("{{#o}}{{token}}{{/o}}{{{token}}}{{&token}}", "{{token}}{{token}}{{token}}"),
        ("{{#p}}{{token}}{{/p}}", "open"),
    ],
)
def test_mustache_may_ask_whether_it_is_there(template: str, rendered: str) -> None:
    assert hidden(template, "mustache", o={"a": 1}, p={"token": "open"}) == rendered


@pytest.mark.parametrize("template", ["{{token.length}}", "{{#token.0}}{{/token.0}}", "{{^token.x}}a{{/token.x}}"])
def test_mustache_cannot_look_inside(template: str) -> None:
    with pytest.raises(TemplateFault, match="is secret"):
        hidden(template, "mustache")


def test_an_empty_secret_looks_like_any_other() -> None:
    template = "{% if token %}a{% else %}b{% endif %}"
    rendered = {render(template, {"token": value}, engine="jinja", where="i", secret={"token"}) for value in ("", None, 0, "x")}
    assert rendered == {"a"}
