"""The pages of the project as blocks of code, and what is run of them. `tests/README.md` has the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asyncflow import names
from tests.shape.source import ROOT

_FENCE = re.compile(
    r"(?P<above>(?:^[ ]*<!-- [^\n]* -->\n)*)^```(?P<language>\w*)\n(?P<text>.*?)^```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- (.*?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: the word behind the fence; empty when there is none.
        text: what stands in it.
        line: the line of its fence, from 1.
        marks: the comments right above it.
        follows: whether nothing but blank lines lies between it and the block before.
    """

    language: str
    text: str
    line: int
    marks: tuple[str, ...] = ()
    follows: bool = False

    def mark(self, name: str) -> str | None:
        """Return what a comment `<!-- name: value -->` says: its value, empty for `<!-- name -->`."""
        for mark in self.marks:
            word, _, value = mark.partition(":")
            if word == name:
                return value.strip()
        return None


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.end("above")) + 1
        marks = tuple(_MARK.findall(match["above"]))
        follows = bool(found) and not text[end : match.start()].strip()
        found.append(Block(match["language"], match["text"], line, marks, follows))
        end = match.end()
    return found


@dataclass
class Program:
    """A Python program of a page: one block, or several that go on with one another.

    Attributes:
        page: the page's name.
        line: the line of its first block.
        text: the program.
        prints: what the page says that it prints, or None when the page does not say.
    """

    page: str
    line: int
    text: str
    prints: str | None = None

    @property
    def file(self) -> str:
        return f"{Path(self.page).stem}_{self.line}.py"


@dataclass
class Page:
    """A page of the documentation."""

    name: str
    text: str
    blocks: list[Block] = field(init=False)

    def __post_init__(self) -> None:
        self.blocks = blocks_of(self.text)

    def programs(self) -> list[Program]:
        """Return the Python programs of the page; blocks marked `not run` and `file` are left out."""
        found: list[Program] = []
        fresh = False
        for block in self.blocks:
            if block.language == "python" and block.mark("file") is None:
                fresh = block.mark("not run") is None
                if fresh and block.mark("goes on") is not None:
                    found[-1].text += "\n\n" + block.text
                elif fresh:
                    found.append(Program(self.name, block.line, block.text))
            elif block.language == "text" and block.follows and fresh:
                found[-1].prints = (found[-1].prints or "") + block.text
            else:
                fresh = False
        return found

    def files(self) -> dict[str, str]:
        """Return the files that the page tells its readers to write, by name."""
        return {name: block.text for block in self.blocks if (name := block.mark("file"))}

    @property
    def has_sessions(self) -> bool:
        """Whether commands of the page are run."""
        return any(block.mark("run") is not None for block in self.blocks)

    @property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return re.sub(r"^```.*?^```", "", self.text, flags=re.DOTALL | re.MULTILINE)

    def anchors(self) -> set[str]:
        """Return what a link to a heading of the page may end with."""
        headings = re.findall(r"^#+ (.*)", self.prose, flags=re.MULTILINE)
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def links(self) -> list[str]:
        """Return where the links of the page lead to, those out of the project left out."""
        return [link for link in re.findall(r"\]\(([^)\s]+)\)", self.prose) if "://" not in link]

    def answer_to(self, block: Block) -> str | None:
        """Return what the page says that a block prints, or None when it does not say."""
        position = self.blocks.index(block) + 1
        after = self.blocks[position] if position < len(self.blocks) else None
        return after.text if after is not None and after.language == "text" and after.follows else None


def typed_programs(page: Page) -> Iterator[tuple[str, str]]:
    """Yield name and text of every Python program and file of a page, for a type checker."""
    for program in page.programs():
        yield program.file, program.text
    for name, text in page.files().items():
        if name.endswith(".py"):
            yield f"{Path(page.name).stem}_{name}", text


def _pages() -> dict[str, Page]:
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "README.md"]
    names_of = {file.relative_to(ROOT).as_posix(): file for file in sorted(files)}
    return {name: Page(name, file.read_text(encoding="utf-8")) for name, file in names_of.items()}


PAGES = _pages()
"""The pages by their path from the top of the checkout."""

# ------------------------------------------------------------------ what differs from run to run

_RUN = re.compile(rf"\b(?:{'|'.join(names._ADJECTIVES)})-(?:{'|'.join(names._ANIMALS)})\b")
_TIME = re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|min|h)\b")


def plain(text: str) -> list[str]:
    """Return the lines of a text without what differs from run to run: names of runs, and lengths of time."""
    return [_TIME.sub("TIME", _RUN.sub("RUN", line.rstrip())) for line in text.rstrip().splitlines()]


def matches(printed: str, said: str) -> bool:
    """Whether a program printed what a page says; `...` is any text there, and as a line any lines."""
    lines = ["(?:.*\n)*?" if line == "..." else f"{_any_text(line)}\n" for line in plain(said)]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in plain(printed))) is not None


def _any_text(line: str) -> str:
    return ".*".join(map(re.escape, line.split("...")))
