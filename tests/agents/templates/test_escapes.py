"""No template gets at Python: known ways out of Jinja's sandbox, and what a way out would need."""

from typing import Any

import pytest

from agents.templates import TemplateError, render
from agents.templates.jinja import _ENVIRONMENT

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ x['__cl' ~ 'ass__'] }}",
    "{{ xs.__class__ }}{{ xs['__len__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ [x]|map(attribute='__class__')|list }}",
    "{{ [x]|map('attr', '__class__')|list }}",
    "{{ [x]|sum(attribute='__class__') }}",
    "{{ [x]|selectattr('__class__.__name__', 'eq', 'str')|list|length == 1 and 1 or nope }}",
    "{{ [x]|groupby('__class__') }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{a.__class__}'.format_map({'a': x}) }}",
    "{{ '%(a)s'|format(a=x) }}",
    "{{ x.format }}{{ x.upper }}",
    "{{ xs.append(1) }}",
    "{{ xs.pop() }}{{ d.update({'a': 1}) }}{{ d.clear() }}{{ d.setdefault('z', 1) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__ }}",
    "{{ namespace(a=1) }}",
    "{{ dict(a=1) }}",
    "{{ range.__class__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__ }}",
    "{{ super() }}",
    "{{ caller() }}",
    "{{ loop }}",
    "{% for a in xs %}{{ loop._iterable }}{% endfor %}",
    "{% for a in xs %}{{ loop.__class__ }}{% endfor %}",
    "{% for a in xs %}{{ loop['__init__'] }}{% endfor %}",
    "{% for a in xs %}{{ loop }}{% endfor %}",
    "{% for a in xs %}{{ loop|string }}{% endfor %}",
    "{% for a in xs recursive %}{{ loop(xs) }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func }}{{ m['_environment'] }}{{ m.name }}",
    "{% macro m() %}{% endmacro %}{{ m }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}{% endmacro %}{{ [m]|tojson }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ nope.__class__ }}",
    "{{ nope.__init__.__globals__ }}",
    "{{ (nope|default(nope)).__class__ }}",
    "{{ (xs|first).__class__ }}",
    "{{ (empty|first).__class__ }}",
    "{{ x.upper.__self__ }}",
    "{{ d.get.__self__ }}",
    "{{ x|upper|attr('x') }}",
    "{{ x(1) }}{{ 1(2) }}",
    "{{ x() }}",
    "{{ xs|map(x)|list }}",
    "{{ xs|map('__class__')|list }}",
    "{{ xs|map('~member', '__class__', '')|list }}",
    "{{ xs|select('~is defined')|list }}",
    "{{ x|pprint }}{{ x|random }}{{ x|xmlattr }}",
    "{{ x|safe }}{{ x|forceescape }}",
    "{% include 'etc/passwd' %}",
    "{% import 'a' as b %}",
    "{% from 'a' import b %}",
    "{% extends 'a' %}",
    "{% block a %}{% endblock %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% filter upper %}a{% endfilter %}",
    "{% do xs.append(1) %}",
    "{% set d.a = 1 %}",
    "{% set x.__class__ = 1 %}",
    "{{ x.__class__ is defined }}",
    "{{ range(*xs) }}",
    "{{ x.replace(**d) }}",
    "{{ config }}{{ request }}{{ environment }}{{ context }}",
    "{{ context.parent }}",
    "{{ environment.filters }}",
    "{{ _budget }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_no_template_gets_at_python(template: str) -> None:
    variables: dict[str, Any] = {"x": "x", "xs": [1, 2], "d": {"a": 1}, "empty": []}
    with pytest.raises(TemplateError):
        render(template, variables, engine="jinja", where="instructions")
    assert variables == {"x": "x", "xs": [1, 2], "d": {"a": 1}, "empty": []}


def test_nothing_is_global() -> None:
    assert (dict(_ENVIRONMENT.globals), dict(_ENVIRONMENT.tests)) == ({}, {})


@pytest.mark.parametrize(
    "template",
    [
        "{{x.__class__}}",
        "{{x.upper}}",
        "{{d.items}}",
        "{{d.__len__}}",
        "{{#d}}{{__class__}}{{/d}}",
        "{{xs.append}}",
        "{{f}}",
        "{{#f}}{{/f}}",
    ],
)
@pytest.mark.parametrize("engine", ["text", "mustache"])
def test_paths_lead_to_items_only(template: str, engine: Any) -> None:
    called: list[str] = []
    variables = {"x": "x", "d": {"a": 1}, "xs": [1], "f": called.append}
    if template == "{{#f}}{{/f}}":
        render(template, variables, engine=engine, where="instructions")
    else:
        with pytest.raises(TemplateError):
            render(template, variables, engine=engine, where="instructions")
    assert called == []
