"""No template is too much work: what it costs is counted before it is done, whatever the clock says."""

import re
import time
from typing import Any

import pytest

from agents.templates import TemplateError, TemplateFault, mustache, render, render_tree
from agents.templates.budget import MAX_MADE, Budget
from agents.templates.jinja import render as jinja
from agents.templates.values import Refused, plain

XS = list(range(5000))
BIG = "a" * 1_000_000
TWICE = "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x, x, x] %}{% set y = [y, y, y, y] %}" * 30
STEPS, MADE = "too many steps", f"more than {MAX_MADE} characters"
DEEP = "nested (too deep|deeper)"


def spent(template: str, renders: Any = jinja, **variables: Any) -> Budget:
    """Render without a clock until it is refused, and return what was counted."""
    budget = Budget("instructions", plain)
    budget.forgive(3600)
    with pytest.raises(TemplateError) as caught, budget.faults():
        renders(template, variables, budget)
    budget.where = str(caught.value)
    return budget


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for a in xs %}{% for b in xs %}{% for c in xs %}{% endfor %}{% endfor %}{% endfor %}", STEPS),
        ("{% for a in xs %}{% for b in xs %}{{ a }}{{ b }}{% endfor %}{% endfor %}", STEPS),
        ("{% for a in xs %}{{ loop.length }}{% for b in xs %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}", STEPS),
        ("{% for a in xs if a in xs %}{% endfor %}", STEPS),
        ("{% for a in xs %}" + "y" * 60_000 + "{% endfor %}", "longer than 1048576"),
        ("{% set s %}{% for a in xs %}" + "y" * 60_000 + "{% endfor %}{% endset %}", MADE),
        ("{% macro m() %}{% for a in xs %}" + "y" * 60_000 + "{% endfor %}{% endmacro %}{{ m() }}", MADE),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", DEEP),
        ("{% macro m(n) %}{% if n %}{% for i in xs %}{{ m(n - 1) }}{% endfor %}{% endif %}{% endmacro %}{{ m(15) }}", STEPS),
        ("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", "."),
        ("{{ 'a' * 10 ** 9 }}", MADE),
        ("{{ 10 ** 9 * 'a' }}", "Only a number"),
        ("{{ [1] * 10 ** 9 }}", "Only a number"),
        ("{{ 9 ** 9 ** 9 }}", "out of range"),
        ("{{ 2.0 ** 99999 }}", "out of range"),
        ("{% set i = 3 %}" + "{% set i = i * i %}" * 100 + "{{ i }}", "out of range"),
        ("{{ '%1000000000d' % 1 }}", "Only a number"),
        ("{{ '%1000000000d'|format(1) }}", "format does not fit"),
        ("{{ '%.1000000000f'|format(1) }}", "format does not fit"),
        ("{{ '%*d'|format(1000000000, 1) }}", "format does not fit"),
        ("{{ 'a'|center(10 ** 9) }}", MADE),
        ("{{ ('\n' * 100000)|indent(10 ** 4) }}", MADE),
        ("{{ 'a'|indent(big) }}{{ ('\n' * 100000)|indent(big) }}", MADE),
        ("{{ big|replace('a', 'bbbbbbbb') }}", MADE),
        ("{{ big|replace('', big) }}", MADE),
        ("{{ xs|join(big) }}", MADE),
        ("{{ big.join(xs) }}", MADE),
        ("{{ big ~ big ~ big ~ big ~ big }}", MADE),
        ("{% set s = 'aaaaaaaa' %}" + "{% set s = s ~ s %}" * 100, MADE),
        ("{% set s = 'aaaaaaaa' %}" + "{% set s = s + s %}" * 100, MADE),
        ("{% set s = [1] %}" + "{% set s = s + s %}" * 100, STEPS),
        ("{{ range(10 ** 10) }}", "at most 10000"),
        ("{{ range(0, 10 ** 30, 1) }}", "."),
        ("{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}", STEPS),
        ("{{ xs|slice(10 ** 9) }}", STEPS),
        ("{{ xs|batch(10 ** 9, 0) }}", STEPS),
        ("{% for a in xs %}{% if big in big2 %}{% endif %}{% endfor %}", STEPS),
        ("{% for a in xs %}{% if big == big2 %}{% endif %}{% endfor %}", STEPS),
        ("{% for a in xs %}{{ big|wordcount }}{% endfor %}", STEPS),
        ("{% for a in xs %}{{ xs|sort|first }}{% endfor %}", STEPS),
        ("{% for a in xs %}{{ xs|select('odd')|list|length }}{% endfor %}", STEPS),
        ("{% for a in xs %}{{ xs|map('string')|first }}{% endfor %}", STEPS),
        ("{% for a in xs %}{% set s = xs[1:] %}{% endfor %}", STEPS),
        (TWICE + "{{ x }}", STEPS),
        (TWICE + "{{ x == y }}", STEPS),
        (TWICE + "{{ x in y }}", STEPS),
        (TWICE + "{{ x|join }}", STEPS),
        (TWICE + "{{ x|tojson }}", STEPS),
        (TWICE + "{{ x ~ y }}", STEPS),
        (TWICE + "{{ [x]|select('eq', y)|list }}", STEPS),
        (TWICE + "{{ [x, y]|sort }}", "Only numbers and text"),
        (TWICE + "{{ [x, y]|max }}", "Only numbers and text"),
        (TWICE + "{{ [x, y]|unique }}", "Only numbers and text"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", DEEP),
        ("{{ " + "[" * 3000, DEEP),
        ("{{ " + "not " * 2900 + "1 }}", DEEP),
        ("{{ " + "1 + " * 1400 + "1 }}", DEEP),
        ("{{ " + "1 if 1 else " * 700 + "1 }}", DEEP),
        ("{{ a" + ".b" * 1400 + " }}", DEEP),
        ("{{ 1" + "|abs" * 1400 + " }}", DEEP),
        ("{% if 1 %}" * 300 + "{% endif %}" * 300, DEEP),
        ("{% for x in [1] %}" * 30 + "{% endfor %}" * 30, DEEP),
        ("{{ 1 }}" * 2000, "too many tags"),
        ("{{ 1 }}" + "a" * 70_000, "longer than 65536"),
    ],
)
def test_jinja_is_bounded_by_counting(template: str, reason: str) -> None:
    budget = spent(template, xs=XS, big=BIG, big2=BIG[:-1] + "b")
    assert re.search(reason, budget.where)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{#xs}}" * 20 + "{{/xs}}" * 20, STEPS),
        ("{{#xs}}{{#xs}}{{.}}{{/xs}}{{/xs}}", STEPS),
        ("{{#xs}}" + "y" * 60_000 + "{{/xs}}", "longer than 1048576"),
        ("{{#xs}}{{big}}{{/xs}}", "longer than 1048576"),
        ("{{#xs}}" * 100 + "{{/xs}}" * 100, DEEP),
        ("{{{{" * 10_000, "is not closed"),
        ("{{big}}" * 3001, "too many tags"),
        ("{{big" + ".a" * 30_000 + "}}", "was not given"),
        ("{{big}}" + "a" * 70_000, "longer than 65536"),
    ],
)
def test_mustache_is_bounded_by_counting(template: str, reason: str) -> None:
    budget = spent(template, mustache.render, xs=XS, big=BIG)
    assert re.search(reason, budget.where)


def test_errors_are_short() -> None:
    assert len(spent("{{a" + ".a" * 30_000 + "}}", mustache.render, a={}).where) < 500


def test_the_strings_of_a_tree_share_what_parsing_may_cost() -> None:
    with pytest.raises(TemplateFault, match="too many tags"):
        render_tree(["{{ a }}" * 100] * 20, {"a": 1}, engine="jinja", where="body")


def test_the_clock_stops_what_counting_misses() -> None:
    budget = Budget("instructions", plain)
    budget.forgive(-3600)
    with pytest.raises(Refused, match="too long"):
        budget.tick()


def test_what_has_no_tags_may_be_long() -> None:
    long = "a { b } % } " * 200_000
    assert [render(long, {}, engine=engine, where="input") for engine in ("text", "jinja", "mustache")] == [long] * 3


def test_text_is_read_in_linear_time() -> None:
    """Hostile beginnings of names, doubled in length, take about twice the time; the bound leaves room for noise."""

    def seconds(repeats: int) -> float:
        template = ("{{ " + " " * 7 + "a.a" * 50 + "{{" * 50) * repeats
        began = time.thread_time()
        render(template, {}, engine="text", where="instructions")
        return time.thread_time() - began

    best = [min(seconds(repeats) for _ in range(5)) for repeats in (200, 1600)]
    assert best[1] < best[0] * 8 * 4


def test_a_template_is_rendered_deep_in_the_stack() -> None:
    """Rendering happens below a web framework or a worker, so it must not need the whole stack itself."""
    template = "{{ a" + "|upper" * 34 + " }}" + "{% if 1 %}" * 16 + "{% endif %}" * 16

    def below(frames: int) -> str:
        return below(frames - 1) if frames else render(template, {"a": "x"}, engine="jinja", where="instructions")

    assert below(500) == "X"
