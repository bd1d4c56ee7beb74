"""The `jinja` engine: the language that people know, as far as it goes."""

from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agents.templates import MissingVariable, TemplateFault, names, render, render_tree

VALUES: dict[str, Any] = {
    "name": "Ada Lovelace",
    "n": 7,
    "xs": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "user": {"name": "Ada", "city": {"name": "Oslo"}},
    "orders": [{"id": 1, "total": 9.5, "paid": True}, {"id": 2, "total": 3.25, "paid": False}],
    "empty": [],
}


def jinja(template: str, **variables: Any) -> str:
    return render(template, variables or VALUES, engine="jinja", where="instructions")


@pytest.mark.parametrize(
    "template",
    [
        "Hi {{ name }}, {{ user.city.name }} {{ user['name'] }} {{ xs[0] }} {{ xs[-1] }} {{ name[0] }}",
        "{% if n > 5 and not empty %}a{% elif n == 5 %}b{% else %}c{% endif %}{{ 'x' if n is odd else 'y' }}{{ 'z' if empty }}",
        "{% for x in xs %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% for x in xs if x > 1 %}{{ loop.index0 }}{{ x }}{% else %}none{% endfor %}",
        "{% for x in empty %}{{ x }}{% else %}none{% endfor %}{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}",
        "{% for k, v in user.items() %}{{ k }};{% endfor %}{% for k in user %}{{ k }}{% endfor %}{{ user.keys()|list|length }}",
        "{% macro row(a, b='-') %}<{{ a }}{{ b }}>{% endmacro %}{{ row(1) }}{{ row(2, b=3) }}{{ row(1)|upper }}",
        "{% set a = n * 2 %}{{ a }}{% set b %}[{{ a }}]{% endset %}{{ b }}{% set c, d = 1, 2 %}{{ c + d }}",
        "{% with x = 3 %}{{ x }}{% endwith %}{# no #}{% raw %}{{ raw }}{% endraw %}",
        "{{ n + 1 }} {{ n - 1 }} {{ n * 3 }} {{ n / 2 }} {{ n // 2 }} {{ n % 4 }} {{ n ** 2 }} {{ -n }} {{ +n }} {{ 'a' * 3 }}",
        "{{ name ~ n ~ '!' }} {{ 'a' + 'b' }} {{ name[1:4] }} {{ name[::-1] }} {{ xs[1:]|join(',') }} {{ ([1] + [2])|join }}",
        "{% if 1 < n <= 7 != 8 %}y{% endif %}{% if 'da' in name and 9 not in xs and 'name' in user %}y{% endif %}",
        "{{ name|upper }}{{ name|lower }}{{ 'ab cd'|title }}{{ 'aB'|capitalize }}{{ ' a '|trim }}{{ name|replace('a', 'b') }}",
        "{{ name.upper() }}{{ ' a'.strip() }}{{ 'a-b'.split('-')|join('+') }}{{ name.replace('A', 'a') }}",
        "{{ user.get('x', 1) }}{{ user.get('name') }}",
        "{{ 'a b c d e f g h'|truncate(9) }}|{{ 'abc'|truncate(2, true, '', 0) }}|",
        "{{ 'ab'|center(6) }}|{{ 'a\nb\n\nc'|indent(2) }}|",
        "{{ '%s is %.2f, %03d%%'|format('x', 1.5, 7) }} {{ 'a b c'|wordcount }} {{ '<a&b>'|escape }} {{ 'a b/c'|urlencode }}",
        "{{ xs|sort|join }} {{ words|sort|join }} {{ words|unique|join }} {{ xs|reverse|join }} {{ xs|first }}{{ xs|last }}",
        "{{ xs|sum }} {{ xs|min }} {{ xs|max }} {{ xs|length }} {{ orders|sum('total') }} {{ (-3)|abs }} {{ 2.345|round(2) }}",
        "{{ orders|map(attribute='id')|join(',') }} {{ words|map('upper')|join }} {{ orders|join(',', attribute='total') }}",
        "{{ orders|selectattr('paid')|map(attribute='id')|join }} ",
        "{{ orders|rejectattr('total', 'gt', 5)|map(attribute='id')|join }}",
        "{{ xs|select('odd')|join }} {{ xs|reject('odd')|join }} {{ (orders|sort(attribute='total')|first).id }}",
        "{% for row in [1, 2, 3, 4, 5]|batch(2, 0) %}{{ row|join }};{% endfor %}",
        "{% for c in [1, 2, 3, 4]|slice(3, 9) %}{{ c|join }};{% endfor %}",
        "{{ nope|default('d') }}{{ ''|default('e', true) }}{{ n|d(1) }}{{ nope is defined|int }}{{ n is defined|int }}",
        "{{ '42'|int + 1 }} {{ 'x'|int(9) }} {{ '1.5'|float }} {{ 4.7|int }} {{ 2.5|round(0, 'ceil') }} {{ 12|string|length }}",
        "{% for i in range(3) %}{{ i }}{% endfor %}{{ range(2, 9, 3)|join }}",
        "{% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}",
        "a  {%- if true -%}  b  {%- endif %}\n",
    ],
)
def test_it_renders_what_jinja_renders(template: str) -> None:
    stock = ImmutableSandboxedEnvironment(keep_trailing_newline=True).from_string(template).render(VALUES)
    assert jinja(template) == stock


def test_values_are_printed_as_json() -> None:
    assert jinja("{{ a }}{{ b }}{{ c }}", a=True, b=None, c={"x": [1, "é"]}) == 'true{"x":[1,"é"]}'


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ who }}", "who"),
        ("{{ user.zip.code }}", "user.zip"),
        ("{% if who %}{% endif %}", "who"),
        ("{% for x in who %}{% endfor %}", "who"),
        ("{{ who|upper }}", "who"),
        ("{{ who.upper() }}", "who"),
        ("{{ who() }}", "who"),
        ("{{ xs[9] }}", "xs.9"),
        ("{% for o in orders %}{{ o.price }}{% endfor %}", "o.price"),
        ("{{ who == 1 }}", "who"),
        ("{{ [who] }}", "who"),
        ("{{ 1 + who }}", "who"),
    ],
)
def test_a_missing_variable_is_named(template: str, name: str) -> None:
    with pytest.raises(MissingVariable) as caught:
        jinja(template)
    assert (caught.value.name, caught.value.where) == (name, "instructions")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% if %}", "Line 1: Expected an expression"),
        ("a\n{{ b", "Line 2: unexpected"),
        ("{{ a|nope }}", "no filter 'nope'"),
        ("{{ 1 is nope }}", "no test 'nope'"),
        ("{{ 1 / 0 }}", "divided by zero"),
        ("{{ 'a' - 1 }}", "Only a number"),
        ("{{ 'a' < 1 }}", "cannot do"),
        ("{{ 'a'|replace() }}", "arguments do not fit"),
    ],
)
def test_a_fault_says_what_is_wrong(template: str, reason: str) -> None:
    with pytest.raises(TemplateFault, match=reason):
        jinja(template)


def test_errors_show_no_values() -> None:
    with pytest.raises(TemplateFault) as caught:
        jinja("{{ [1]|map(a)|list }}{{ a % 2 }}{{ a.index(a) }}{{ {}[a] }}", a="hush-hush")
    assert "hush" not in f"{caught.value} {caught.value.__cause__}"


def test_finalize_writes_each_value_once() -> None:
    template = "{% macro m(x) %}({{ x }}){% endmacro %}{% set b %}{{ m('a b') }}{% endset %}{{ m('c d') }}{{ b }} {{ b ~ '' }}"
    rendered = render(template, {}, engine="jinja", where="url", finalize=lambda value: str(value).replace(" ", "+"))
    assert rendered == "(c+d)(a+b) (a+b)"


def test_names_are_what_it_looks_up() -> None:
    template = """{{ a.b }}{% for x in c.d %}{{ x.y }}{{ z }}{{ loop.index }}{% endfor %}{{ e.f.items() }}{% set q = w %}
        {{ q.r }}{{ range(n)|join }}{{ g[0].h }}{{ i|default(1) }}
        {% macro m(p) %}{{ p }}{{ o is defined }}{% endmacro %}{{ m(1) }}"""
    assert names(template, engine="jinja") == {"a.b", "c.d", "z", "e.f", "w", "n", "g.0.h", "i", "o"}


def test_the_strings_of_a_tree_are_templates() -> None:
    tree = {"a": ["{{ n }}", "{% if n %}yes{% endif %}"], "b": 1}
    assert render_tree(tree, {"n": 3}, engine="jinja", where="body") == {"a": ["3", "yes"], "b": 1}
