"""The files of the checkout have nothing of the machine that they were written on, and no dead references."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.shape.documents import PAGES, Page
from tests.shape.source import ROOT

TEXTS = {".cfg", ".ini", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".typed", ".yaml", ".yml", ""}
TOP = ("*.md", "*.toml", "LICENSE", ".gitignore")
PARTS = ("asyncflow", "benchmarks", "docs", "scenarios", "tests", ".ci", ".github")

STRANGERS = {
    "a path of one machine": r"/(?:home|Users|root|work)/\w|\b[A-Z]:\\+(?:Users|Documents)",
    "the host of a registry": r"\b(?:pypi|pythonhosted|npmjs|anaconda|crates|rubygems)\.(?:org|com|io)\b",
    "an e-mail address": r"(?<![\w/:@])[\w.+-]+@(?!example\.)(?:[\w-]+\.)+(?:com|org|net|io|dev|es|de|edu)\b",
}


def files() -> Iterator[Path]:
    """Yield the text files of the checkout."""
    yield from (path for pattern in TOP for path in sorted(ROOT.glob(pattern)))
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path


def readable() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file but this one, which says what must not be there."""
    for path in files():
        if path != Path(__file__):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", STRANGERS)
def test_no_file_has_what_belongs_to_one_machine_or_one_person(what: str):
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in readable()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(STRANGERS[what], line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", "see /home/ana/x"),
        ("a path of one machine", "C:\\Users\\ana"),
        ("the host of a registry", "https://pypi.org/simple"),
        ("an e-mail address", "write to ana@university.es"),
    ],
)
def test_what_must_not_be_there_would_be_found(what: str, line: str):
    assert re.search(STRANGERS[what], line)


@pytest.mark.parametrize(
    "line", ["parse@key", "@pytest.mark.process", "ana@example.org", "x/home", "a @ b.com"]
)
def test_what_only_looks_so_is_left_alone(line: str):
    assert not any(re.search(pattern, line) for pattern in STRANGERS.values())


# ------------------------------------------------------------------ links and paths

_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:asyncflow|benchmarks|docs|scenarios|tests)/[\w./-]*)`")
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


def prose(page: Page) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Page) -> set[str]:
    """Return the anchors that a page's headings make."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(page))
    }


def targets() -> list[tuple[str, str]]:
    return [
        (page.name, link)
        for page in PAGES.values()
        for link in _LINK.findall(prose(page))
        if "://" not in link
    ]


@pytest.mark.parametrize(("page", "link"), targets())
def test_every_link_between_pages_leads_somewhere(page: str, link: str):
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists(), link
    if anchor:
        assert anchor in anchors(PAGES[target.resolve().relative_to(ROOT).as_posix()])


def test_every_path_that_a_page_names_is_there():
    missing = [
        f"{page.name}: {path}"
        for page in PAGES.values()
        for path in _PATH.findall(prose(page))
        if not ((ROOT / path).exists() or (ROOT / "asyncflow" / path).exists())
    ]
    assert missing == []


# ------------------------------------------------------------------ commands

_COMMAND = re.compile(r"(?:^|[ `/])(?:python3? -m )?asyncflow (?P<rest>[a-z][^`\n]*|-[^`\n]*)")


def commands(page: Page) -> Iterator[tuple[str, ...]]:
    """Yield the words behind `asyncflow` wherever a page shows something to type."""
    typed = [
        line
        for block in page.blocks
        if block.language in ("sh", "console", "")
        for line in block.text.splitlines()
    ]
    typed += re.findall(r"^    (\S.*)$", prose(page), re.MULTILINE)
    typed = [match["rest"] for line in typed if (match := _COMMAND.search(line.partition("  #")[0]))]
    typed += re.findall(r"`(?:python3? -m )?asyncflow ([^`]+)`", prose(page))
    for line in typed:
        yield tuple(shlex.split(re.split(r" [|&>]", line)[0]))


TYPED = list(dict.fromkeys((name, words) for name, page in PAGES.items() for words in commands(page)))


def test_the_pages_show_commands():
    assert {"scenario", "scenarios", "show"} <= {words[0] for _, words in TYPED}


@pytest.mark.parametrize(
    ("page", "words"), TYPED, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_every_command_that_a_page_shows_exists_with_its_options(page: str, words: tuple[str, ...]):
    from asyncflow.cli.app import cli

    context = click.Context(cli)
    command = cli if words[0].startswith("-") else cli.get_command(context, words[0])
    assert command is not None, f"{page} speaks of `asyncflow {words[0]}`"
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"} <= known
