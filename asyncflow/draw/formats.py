"""Which formats there are, and the one call that draws them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from asyncflow.draw.dot import as_dot
from asyncflow.draw.mermaid import as_mermaid
from asyncflow.draw.pdf import as_pdf
from asyncflow.draw.svg import as_svg
from asyncflow.draw.text import as_text
from asyncflow.errors import NotInThisVersion, UsageError, did_you_mean
from asyncflow.graph import Graph


def _encoded(draw: Callable[[Graph], str]) -> Callable[[Graph], bytes]:
    return lambda graph: draw(graph).encode("utf-8")


FORMATS: Mapping[str, Callable[[Graph], bytes]] = MappingProxyType(
    {
        "pdf": as_pdf,
        "svg": _encoded(as_svg),
        "dot": _encoded(as_dot),
        "mermaid": _encoded(as_mermaid),
        "txt": _encoded(lambda graph: as_text(graph) + "\n"),
    }
)
"""How each format is drawn."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".pdf": "pdf",
        ".svg": "svg",
        ".dot": "dot",
        ".gv": "dot",
        ".mmd": "mermaid",
        ".mermaid": "mermaid",
        ".txt": "txt",
    }
)
"""The format that each file suffix stands for."""


def render(graph: Graph, format: str) -> bytes:
    """Return the graph in a format.

    Args:
        graph: the tasks and what depends on what.
        format: `pdf`, `svg`, `dot`, `mermaid` or `txt`, or one of their file suffixes.

    Raises:
        UsageError: when there is no such format.
        InvalidFlow: when the edges close a cycle or lead nowhere.
    """
    return FORMATS[known_format(format)](graph)


def known_format(word: str) -> str:
    """Return the name of the format that a name or a suffix stands for.

    Raises:
        NotInThisVersion: for PNG.
        UsageError: when there is no such format.
    """
    name = word.lower().removeprefix(".")
    if name == "png":
        raise NotInThisVersion("PNG is not drawn in this version; write SVG or PDF instead (.svg, .pdf)")
    if name in FORMATS:
        return name
    found = SUFFIXES.get(f".{name}")
    if found is None:
        hint = did_you_mean(name, FORMATS)
        raise UsageError(f"{word!r} is no format for a drawing; there are {', '.join(SUFFIXES)}.{hint}")
    return found
