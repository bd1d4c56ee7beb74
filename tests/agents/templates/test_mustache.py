"""The `mustache` engine: logic-less templates over JSON values."""

from typing import Any

import pytest

from agents.templates import MissingVariable, TemplateFault, names, render


def mustache(template: str, **variables: Any) -> str:
    return render(template, variables, engine="mustache", where="instructions")


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("{{a}} {{ a }} {{{a}}} {{&a}}", "<&> <&> <&> <&>"),
        ("{{o.x.y}}{{o.l.0}}", "deep1"),
        ("{{#xs}}{{n}},{{/xs}}{{#ys}}{{.}};{{/ys}}", "1,2,7;8;"),
        ("{{#o}}{{x.y}}{{a}}{{/o}}", "deep<&>"),
        ("{{#yes}}y{{/yes}}{{#no}}n{{/no}}{{^no}}N{{/no}}{{^xs}}none{{/xs}}{{^e}}none{{/e}}", "yNnone"),
        ("{{#xs}}{{#m}}m{{/m}}{{^m}}-{{/m}}{{/xs}}", "-m"),
        ("a{{! what }}b{{=<% %>=}}<%a%>{{a}}<%={{ }}=%>{{a}}", "ab<&>{{a}}<&>"),
        ("x\n  {{#xs}}  \n- {{n}}\n{{/xs}}\ny\n{{! gone }}\n", "x\n- 1\n- 2\ny\n"),
        ("{{#xs}}\r\n{{n}}\r\n{{/xs}}", "1\r\n2\r\n"),
        ("  {{a}}\n {{#yes}} b {{/yes}}\n", "  <&>\n  b \n"),
    ],
)
def test_it_renders(template: str, rendered: str) -> None:
    values = {"a": "<&>", "o": {"x": {"y": "deep"}, "l": [1]}, "xs": [{"n": 1}, {"n": 2, "m": 1}], "ys": [7, 8], "e": []}
    assert mustache(template, yes=True, no=False, **values) == rendered


@pytest.mark.parametrize(
    ("template", "name"), [("{{b}}", "b"), ("{{o.b}}", "o.b"), ("{{#b}}{{/b}}", "b"), ("{{#o}}{{b.c}}{{/o}}", "b.c")]
)
def test_a_missing_variable_is_named(template: str, name: str) -> None:
    with pytest.raises(MissingVariable) as caught:
        mustache(template, o={"x": 1})
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{a", "is not closed"),
        ("{{#a}}", "section 'a' is not closed"),
        ("{{/a}}", "no open section 'a'"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", "no open section 'a'"),
        ("{{> partial}}", "Partials are not available"),
        ("{{a b}}", "not the name of a variable"),
        ("{{}}", "not the name of a variable"),
        ("{{=x=}}", "delimiters 'x' are not valid"),
    ],
)
def test_a_fault_says_what_is_wrong(template: str, reason: str) -> None:
    with pytest.raises(TemplateFault, match=reason):
        mustache(template, a={"b": 1}, b=1)


def test_names_leave_out_what_may_belong_to_an_item() -> None:
    assert names("{{a.b}}{{#xs}}{{n}}{{/xs}}{{^ys}}{{c}}{{.}}{{/ys}}", engine="mustache") == {"a.b", "xs", "ys", "c"}
