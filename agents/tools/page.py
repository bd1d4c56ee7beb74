"""What there is to read in a web page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from agents.tools.base import ToolError

MAX_ELEMENTS: Final = 20_000
"""A larger page is read as bare text: looking for its article would take more than two seconds."""

_THOROUGH: Final = 5_000
"""Up to so many elements, more than one way of finding the article is tried."""

FAILURES: Final = (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, RecursionError)
"""What the extractor can raise for pages that it does not expect, besides its parser's own errors."""


class Page(NamedTuple):
    """A page's title, description and text; the text is Markdown."""

    title: str | None
    description: str | None
    text: str


def read(html: str, url: str) -> Page:
    """Find the title, the description and the article of a page. Takes up to two seconds; raises `ToolError`."""
    import trafilatura  # noqa: PLC0415  # 0.3 s and 20 MB, for processes that read no pages

    with _failures():
        tree = trafilatura.load_html(html)
        if tree is None:
            return Page(None, None, "")
        size = sum(1 for _ in tree.iter())
        if size > MAX_ELEMENTS:
            return Page(tree.findtext(".//title"), None, trafilatura.html2txt(tree))
        about = trafilatura.extract_metadata(tree, date_config={"extensive_search": False}, extensive=False)
        text = trafilatura.extract(
            tree,
            url=url,
            fast=size > _THOROUGH,
            output_format="markdown",
            include_comments=False,
            include_links=True,
            include_formatting=True,
        )
        return Page(about.title, about.description, text or trafilatura.html2txt(tree))


@contextmanager
def _failures() -> Iterator[None]:
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415  # comes with the extractor

    try:
        yield
    except (*FAILURES, etree.Error) as error:
        raise ToolError("The page is not built in a way that can be read.") from error
