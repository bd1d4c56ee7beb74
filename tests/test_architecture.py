"""The rules of this code that no linter knows. Each failure names the place and the rule."""

import ast
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TypeAlias, get_args

import pytest

from shared.status import NEXT, Status

ROOT = Path(__file__).parent.parent
PRODUCT = ("api", "worker", "agents", "shared", "deploy")
TOP_LEVEL = {
    *(".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md"),
    *("docker-compose.yml", "pyproject.toml", "tests", "uv.lock"),
    *PRODUCT,
}

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Branch: TypeAlias = ast.If | ast.For | ast.AsyncFor | ast.While | ast.Match
"""What counts as nesting. `with` and `try` do not: a transaction is an indented block, and a `try` holds one statement."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(*packages: str) -> list[Path]:
    """All modules except migrations, which are history and not prose."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "versions" not in path.parts and "node_modules" not in path.parts]


def name(path: Path, node: ast.AST | None = None) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, get_args(Function)))


def classes(*packages: str) -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in modules(*packages):
        yield from ((path, node) for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def depth(node: ast.AST) -> int:
    """How deep branches and loops stand in each other; functions inside count for themselves."""
    inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, (*get_args(Function), ast.Lambda))]
    return max((depth(child) + _deeper(node, child) for child in inner), default=0)


def _deeper(parent: ast.AST, child: ast.AST) -> bool:
    is_elif = isinstance(parent, ast.If) and isinstance(child, ast.If) and child in parent.orelse
    return isinstance(child, get_args(Branch)) and not is_elif


def imported(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that is imported, whole."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import():
                yield from ((alias.name, node) for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module, node
            case _:
                pass


def test_no_module_is_longer_than_400_lines() -> None:
    long = [name(path) for path in modules(*PRODUCT, "tests") if path.read_text(encoding="utf-8").count("\n") > 400]
    assert long == [], "split by noun, never by layer"


@pytest.mark.parametrize("package", PRODUCT)
def test_nine_in_ten_modules_stay_under_300_lines(package: str) -> None:
    lengths = sorted(path.read_text(encoding="utf-8").count("\n") for path in modules(package))
    assert lengths[int(len(lengths) * 0.9)] <= 300


def test_no_function_is_longer_than_50_lines() -> None:
    long = [
        name(path, function) for path in modules(*PRODUCT, "tests") for function in functions(path) if length(function) > 50
    ]
    assert long == [], "give a part of it a name"


@pytest.mark.parametrize("package", PRODUCT)
def test_nine_in_ten_functions_stay_under_25_lines(package: str) -> None:
    lengths = sorted(length(function) for path in modules(package) for function in functions(path))
    assert lengths[int(len(lengths) * 0.9)] <= 25


def test_branches_and_loops_nest_three_deep_at_most() -> None:
    deep = [name(path, function) for path in modules(*PRODUCT) for function in functions(path) if depth(function) > 3]
    assert deep == [], "guard, then go straight"


def test_transactions_are_committed_by_their_block_alone() -> None:
    commits = [
        name(path, node)
        for path in modules(*PRODUCT)
        if path != ROOT / "shared/db.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr == "commit" and not node.args
    ]
    assert commits == [], "use `async with transaction(pool) as session`"


AT_THE_DOOR = {"shared/settings.py", "shared/migrations/env.py", "api/__main__.py", "api/admin.py", "worker/runtime.py"}


def test_the_environment_is_read_at_the_door() -> None:
    readers = [
        name(path, node)
        for path in modules("api", "worker", "agents", "shared")
        if str(path.relative_to(ROOT)) not in AT_THE_DOOR
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]
    assert readers == [], "settings are values: take them as arguments"


def test_no_class_is_named_for_having_no_name() -> None:
    endings = ("Manager", "Helper", "Helpers", "Util", "Utils", "Service", "Impl")
    assert [f"{name(path, node)} {node.name}" for path, node in classes(*PRODUCT) if node.name.endswith(endings)] == []


def test_no_folder_is_a_layer() -> None:
    layers = {"services", "core", "utils", "util", "common", "crud", "managers", "helpers", "lib", "misc"}
    folders = {folder for path in modules(*PRODUCT, "tests") for folder in path.relative_to(ROOT).parts[:-1]}
    assert folders & layers == set(), "a module lives where its noun lives"


def test_no_base_class_has_a_single_child() -> None:
    """Exceptions are families by nature, and Protocols are there to be matched."""
    ours = {node.name: node for _, node in classes(*PRODUCT)}
    free = ("Error", "Exception", "Protocol")
    children = Counter(base for path, node in classes(*PRODUCT) for base in _bases(node) if base in _own_names(path))
    single = [base for base, count in children.items() if count == 1]
    assert [base for base in single if not any(root.endswith(free) for root in _roots(base, ours))] == []


def _bases(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).split("[")[0] for base in node.bases]


def _own_names(path: Path) -> set[str]:
    """The names of our own classes that a module makes or imports."""
    made = {node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)}
    froms = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    return made | {alias.name for node in froms if (node.module or "").split(".")[0] in PRODUCT for alias in node.names}


def _roots(name: str, ours: dict[str, ast.ClassDef]) -> set[str]:
    """The foreign classes at the end of a class's ancestry, or the class itself if it has no ancestors."""
    bases = _bases(ours[name]) if name in ours else []
    return {root for base in bases for root in _roots(base, ours)} if bases else {name}


def test_the_product_imports_no_provider_sdk_and_no_test_tool() -> None:
    foreign = {"openai", "anthropic", "google", "openresponses_types", "pytest", "hypothesis", "fakeredis", "httpx", "tests"}
    found = [
        f"{name(path, node)} {module}"
        for path in modules(*PRODUCT)
        for module, node in imported(path)
        if module.split(".")[0] in foreign
    ]
    assert found == []


def test_nothing_imports_deploy_but_itself() -> None:
    packages = ("api", "worker", "agents", "shared")
    assert [
        name(path, node) for path in modules(*packages) for module, node in imported(path) if module.split(".")[0] == "deploy"
    ] == []


def test_the_top_level_holds_only_what_it_should() -> None:
    ignored = [".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines())]
    names = {path.name for path in ROOT.iterdir() if not any(fnmatch(path.name, pattern) for pattern in ignored)}
    assert names - TOP_LEVEL == set()


def test_every_status_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(Status)
    assert all(following <= set(Status) for following in NEXT.values())
