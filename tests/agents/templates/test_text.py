"""The `text` engine: names in braces are replaced, everything else is text."""

from typing import Any

import pytest

from agents.templates import MissingVariable, TemplateFault, names, render, render_tree


def text(template: str, **variables: Any) -> str:
    return render(template, variables, engine="text", where="instructions")


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("Hi {{name}}!", "Hi Ada!"),
        ("{{ name }}{{\tname }}", "AdaAda"),
        ("{{user.city}} {{user.pets.1}}", "Oslo cat"),
        ("{{user.pets}} {{n}} {{yes}} [{{none}}] {{dashed-name}}", '["dog","cat"] 1.5 true [] d'),
        ("{{{name}}}", "{Ada}"),
    ],
)
def test_names_and_paths_are_replaced_by_values(template: str, rendered: str) -> None:
    user = {"city": "Oslo", "pets": ["dog", "cat"]}
    assert text(template, name="Ada", user=user, n=1.5, yes=True, none=None, **{"dashed-name": "d"}) == rendered


@pytest.mark.parametrize(
    "template", ['{{"a": 1}}', '{"a": {"b": 1}}', "{{}}", "{{1a}}", "{{a b}}", "{{a", "{% if a %}", "{{a|b}}"]
)
def test_other_braces_stay(template: str) -> None:
    assert text(template, a=1) == template


@pytest.mark.parametrize(
    ("template", "name"), [("{{ who }}", "who"), ("{{a.b}}", "a.b"), ("{{l.1}}", "l.1"), ("{{l.x}}", "l.x")]
)
def test_a_missing_variable_is_named_with_its_place(template: str, name: str) -> None:
    with pytest.raises(MissingVariable) as caught:
        text(template, a={}, l=[0])
    assert str(caught.value) == f"The variable '{name}' is used in 'instructions' but was not given."


def test_a_value_is_written_by_finalize() -> None:
    assert render("{{a}}/{{a}}", {"a": 1}, engine="text", where="url", finalize=lambda value: f"<{value}>") == "<1>/<1>"


def test_what_finalize_refuses_is_a_fault() -> None:
    def refuse(value: Any) -> str:
        raise ValueError("A header has no line breaks.")

    with pytest.raises(TemplateFault, match=r"'headers\.a' cannot be rendered: .*no line breaks"):
        render("{{a}}", {"a": "\n"}, engine="text", where="headers.a", finalize=refuse)


def test_values_cannot_be_multiplied_without_bound() -> None:
    with pytest.raises(TemplateFault, match="more than 4194304 characters"):
        text("{{a}}" * 100, a="x" * 100_000)


def test_names_are_the_dotted_names_it_uses() -> None:
    assert names('{{a}} {{ b.c }} {{"d": 1}}', engine="text") == {"a", "b.c"}


def test_a_tree_keeps_keys_and_types() -> None:
    tree = {"{{n}}": ["{{n}}", "{{ o }}", "n={{n}}", 7, None, {"x": "{{no}}"}]}
    rendered = render_tree(tree, {"n": 5, "o": {"a": [1]}, "no": False}, engine="text", where="body")
    assert rendered == {"{{n}}": [5, {"a": [1]}, "n=5", 7, None, {"x": False}]}


def test_a_tree_with_finalize_has_text_only() -> None:
    assert render_tree(["{{n}}"], {"n": 5}, engine="text", where="body", finalize=str) == ["5"]


def test_a_tree_names_the_string_that_misses_a_variable() -> None:
    with pytest.raises(MissingVariable, match=r"'tools\[0\]\.http\.blueprint\.headers\[1\]'"):
        render_tree({"headers": ["", "{{x}}"]}, {}, engine="text", where="tools[0].http.blueprint")


def test_all_strings_of_a_tree_have_one_budget() -> None:
    with pytest.raises(TemplateFault, match="more than 4194304 characters"):
        render_tree(["{{a}}"] * 100, {"a": ["x" * 100_000]}, engine="text", where="body")


def test_a_tree_is_not_bottomless() -> None:
    tree: Any = "{{a}}"
    for _ in range(200):
        tree = [tree]
    with pytest.raises(TemplateFault, match="nested deeper"):
        render_tree(tree, {"a": 1}, engine="text", where="body")
