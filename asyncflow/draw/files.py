"""Drawings as files: where they go, what they are called, and what to say when they can't be written."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from asyncflow.draw.formats import known_format, render
from asyncflow.errors import UsageError
from asyncflow.graph import Graph

_DEFAULT_SUFFIX = ".pdf"
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever suffix follows."""
_MOST_BYTES = 200
"""File systems allow 255 bytes; this leaves room for a suffix and for programs that add to it."""


def save(graph: Graph, path: str | Path | None = None) -> Path:
    """Write a drawing of the graph and return where it is.

    Args:
        graph: the tasks and what depends on what.
        path: the file, whose suffix says in which format, PDF if it has none; or a folder, which gets
            `<flow name>.pdf`. Without a path that file goes into the current folder.

    Raises:
        UsageError: when the suffix stands for no format or the file can't be written.
        InvalidFlow: when the edges close a cycle or lead nowhere.
    """
    target = Path() if path is None else Path(path)
    if target.is_dir():
        target /= file_stem(graph.name) + _DEFAULT_SUFFIX
    if not target.suffix:
        target = target.with_suffix(_DEFAULT_SUFFIX)
    data = render(graph, known_format(target.suffix))
    try:
        target.write_bytes(data)
    except OSError as error:
        raise UsageError(f"can't write the drawing to {str(target)!r}: {_remedy(target, error)}") from error
    return target


def _remedy(target: Path, error: OSError) -> str:
    folder = target.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {str(folder)!r}; create it or name another file"
    if isinstance(error, PermissionError):
        return (
            "it is not allowed; name a file in a folder of yours, and close other programs that hold this one"
        )
    return f"{error.strerror or error}; name another file"


def file_stem(name: str) -> str:
    """Return the flow's name as a file name without suffix that Linux, macOS and Windows all take."""
    text = unicodedata.normalize("NFC", " ".join(name.split()))
    text = "".join(
        "_" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") else char for char in text
    )
    text = _FORBIDDEN.sub("_", text)
    text = text.encode("utf-8")[:_MOST_BYTES].decode("utf-8", "ignore").strip(" .")
    if _DEVICES.fullmatch(text.split(".")[0].rstrip()):
        text = "_" + text
    return text or "flow"
