"""A template's tree before it is compiled: everything it does to a value is made one of our operators, the rest is refused."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from agents.templates.jinja_filters import FILTERS
from agents.templates.jinja_tests import TESTS
from agents.templates.values import Refused

MAX_DEPTH: Final = 40
"""How deep a template's tree may be: the compiler goes down it in recursion."""

_STATEMENTS: Final = (nodes.Template, nodes.Output, nodes.For, nodes.If, nodes.With)
_STATEMENTS_THAT_NAME: Final = (nodes.Assign, nodes.AssignBlock, nodes.Macro)
_EXPRESSIONS: Final = (nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Filter)
_LOGIC: Final = (nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Test, nodes.Compare, nodes.Concat)
_ACCESS: Final = (nodes.Getattr, nodes.Getitem, nodes.Call, nodes.BinExpr, nodes.UnaryExpr)
_ALLOWED: Final = (*_STATEMENTS, *_STATEMENTS_THAT_NAME, *_EXPRESSIONS, *_LOGIC, *_ACCESS)
_OF_PYTHON: Final = frozenset({"self", "super", "caller", "varargs", "kwargs"})


def rewrite(template: nodes.Template) -> nodes.Template:
    """Return the tree with operators in it. Raises `Refused` for what templates may not do."""
    level: list[nodes.Node] = [template]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter_child_nodes()]
    if level:
        raise Refused(f"It is nested deeper than {MAX_DEPTH} levels.")
    _Rewriter().visit(template)
    return template


def paths(template: nodes.Template, roots: set[str]) -> Iterator[str]:
    """Yield the longest dotted names in a rewritten tree that begin at one of `roots`."""
    pending: list[nodes.Node] = [template]
    while pending:
        node = pending.pop()
        path = _path(node)
        if path is None:
            pending.extend(node.iter_child_nodes())
        elif path.split(".", 1)[0] in roots:
            yield path


def _path(node: nodes.Node) -> str | None:
    """Return what an expression spells, if it is a name and members by name or index alone."""
    match node:
        case nodes.Name(ctx="load"):
            return node.name
        case nodes.Filter(name="~member", node=nodes.Expr() as inner, args=[nodes.Const(value=str() | int() as key), _]):
            before = _path(inner)
            return None if before is None else f"{before}.{key}"
        case _:
            return None


def _apply(name: str, node: nodes.Expr, args: Sequence[nodes.Expr] = (), kwargs: Sequence[nodes.Keyword] = ()) -> nodes.Filter:
    """Write an operator into the tree, as a filter with a name that no template can spell."""
    return nodes.Filter(node, f"~{name}", list(args), list(kwargs), None, None, lineno=node.lineno)


class _Rewriter(NodeTransformer):
    """Goes down the tree. What has no method here stays, if it is allowed at all."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Rewrite one node."""
        if not isinstance(node, _ALLOWED):
            raise Refused(f"{type(node).__name__.lower()!r} is not available.")
        return super().visit(node, *args, **kwargs)

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802  # Jinja's
        node.nodes = [self._shown(child) for child in node.nodes]
        return node

    def _shown(self, node: nodes.Expr) -> nodes.Filter:
        if isinstance(node, nodes.TemplateData):
            return _apply("literal", nodes.Const(node.data, lineno=node.lineno))
        return _apply("show", self.visit(node))

    def visit_Name(self, node: nodes.Name) -> nodes.Name:  # noqa: N802  # Jinja's
        if node.name in _OF_PYTHON:
            raise Refused(f"{node.name!r} is not available.")
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # Jinja's
        if node.recursive:
            raise Refused("Recursive loops are not available.")
        self.generic_visit(node)
        node.iter = _apply("each", cast("nodes.Expr", node.iter))
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802  # Jinja's
        if node.filter is not None:
            raise Refused("A filter on a 'set' block is not available.")
        self.generic_visit(node)
        node.filter = nodes.Filter(None, "~done", [], [], None, None, lineno=node.lineno)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802  # Jinja's
        node.expr2 = node.expr2 or nodes.Const("", lineno=node.lineno)
        return self.generic_visit(node)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802  # Jinja's
        if node.name not in FILTERS:
            raise Refused(f"There is no filter {node.name!r}.")
        self._spelled_out(node)
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802  # Jinja's
        if node.name not in TESTS:
            raise Refused(f"There is no test {node.name!r}.")
        self._spelled_out(node)
        self.generic_visit(node)
        return _apply(f"is {node.name}", node.node, node.args)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  # Jinja's
        pairs = [(nodes.Const(operand.op), self.visit(operand.expr)) for operand in node.ops]
        return _apply("compare", self.visit(node.expr), [each for pair in pairs for each in pair])

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # Jinja's
        first, *rest = [self.visit(child) for child in node.nodes]
        return _apply("concat", first, rest)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802  # Jinja's
        return self._member(node, nodes.Const(node.attr))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  # Jinja's
        if isinstance(node.arg, nodes.Slice):
            bounds = [
                self.visit(each) if each else nodes.Const(None) for each in (node.arg.start, node.arg.stop, node.arg.step)
            ]
            return _apply("cut", self.visit(node.node), bounds)
        return self._member(node, self.visit(node.arg))

    def _member(self, node: nodes.Getattr | nodes.Getitem, key: nodes.Expr) -> nodes.Filter:
        found = _apply("member", self.visit(node.node), [key, nodes.Const("")])
        last = str(key.value) if isinstance(key, nodes.Const) else "[…]"
        found.args[1] = nodes.Const(_path(found) or last)
        return found

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  # Jinja's
        self._spelled_out(node)
        args, kwargs = [self.visit(each) for each in node.args], [self.visit(each) for each in node.kwargs]
        match node.node:
            case nodes.Name(name="range") if args and not kwargs:
                return _apply("range", args[0], args[1:])
            case nodes.Getattr(attr=name) as callee:
                path = _path(self._member(callee, nodes.Const(name))) or name
                return _apply("method", self.visit(callee.node), [nodes.Const(name), nodes.Const(path), *args], kwargs)
            case callee:
                return _apply("call", self.visit(callee), args, kwargs)

    @staticmethod
    def _spelled_out(node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Refused("Arguments cannot be given by '*' or '**'.")

    def _operator(self, node: nodes.BinExpr) -> nodes.Node:
        return _apply(type(node).__name__.lower(), self.visit(node.left), [self.visit(node.right)])

    visit_Add = visit_Sub = visit_Mul = visit_Div = visit_FloorDiv = visit_Mod = visit_Pow = _operator  # noqa: N815

    def _sign(self, node: nodes.UnaryExpr) -> nodes.Node:
        return _apply(type(node).__name__.lower(), self.visit(node.node))

    visit_Neg = visit_Pos = _sign  # noqa: N815
