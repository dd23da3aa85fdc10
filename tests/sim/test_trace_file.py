from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asyncflow.errors import NotFound, UsageError
from asyncflow.sim.trace.file import TraceHeader, read, write

HEADER = TraceHeader(
    scenario="fail_parse",
    variant=None,
    seed=7,
    python="3.11",
    asyncflow="0.1.0",
    aiohttp="3.12.15",
    hash_seed="0",
)
LINES = ["0.000000 begin", '0.500000 end "two words"']
TEXT = """asyncflow trace 1
scenario fail_parse
variant none
seed 7
python "3.11"
asyncflow "0.1.0"
aiohttp "3.12.15"
hash_seed "0"
lines 2

0.000000 begin
0.500000 end "two words"
"""


def test_a_trace_is_written_as_a_header_and_its_lines(tmp_path: Path) -> None:
    write(tmp_path / "a.trace", HEADER, LINES)
    assert (tmp_path / "a.trace").read_bytes() == TEXT.encode()


@pytest.mark.parametrize("lines", [LINES, []], ids=len)
def test_what_was_written_is_read(tmp_path: Path, lines: list[str]) -> None:
    write(tmp_path / "a.trace", HEADER, lines)
    found = read(tmp_path / "a.trace")
    assert (found.header, found.lines, found.first) == (HEADER, lines, 11)


def test_other_line_ends_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.trace").write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert read(tmp_path / "a.trace").lines == LINES


def test_a_variant_whose_name_has_blanks_is_kept(tmp_path: Path) -> None:
    header = TraceHeader(scenario="my own", variant="no policy", seed=-3)
    write(tmp_path / "a.trace", header, [])
    assert read(tmp_path / "a.trace").header == header


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: is not a trace: a trace begins with 'asyncflow trace 1'"),
        ("format = 1\n", ":1: is not a trace"),
        (TEXT.replace("trace 1", "trace 2"), ":1: is a trace of format 2, and this version reads format 1"),
        (TEXT.replace("seed 7", 'seed "7'), ":4: field 1 has no end"),
        (TEXT.replace("seed 7", "seed seven"), ": its header does not say seed"),
        (TEXT.replace('python "3.11"\n', ""), ": its header does not say python"),
        (TEXT.replace("scenario fail_parse", "scenario 3"), ": its header does not say scenario"),
        (TEXT.split("\n\n")[0], ": ends in its header"),
        (TEXT.replace("lines 2", "lines 3"), ": holds 2 lines, and its header says 3; it was cut short or"),
        (TEXT[:-1], "it was cut short or changed"),
        (TEXT.replace("0.500000 end", "half past end"), ":12: a line begins with a time in seconds"),
        (TEXT.replace("two words", "zwei W\u00f6rter"), ": is not a trace: a trace is ASCII text"),
    ],
)
def test_what_is_no_trace_is_refused_with_the_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "a.trace"
    file.write_bytes(text.encode())
    with pytest.raises(UsageError) as refused:
        read(file)
    assert str(refused.value).startswith(str(file))
    assert told in str(refused.value)


def test_a_file_that_is_not_there_or_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no file .*gone\.trace.*--trace FILE"):
        read(tmp_path / "gone.trace")
    with pytest.raises(UsageError, match="can't be read"):
        read(tmp_path)


def test_the_header_of_a_process_has_what_decides_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    monkeypatch.setenv("PYTHONHASHSEED", "3")
    made = TraceHeader.of_this_process("x", "v", 7, asyncflow="1", aiohttp="2")
    assert (made.python, made.hash_seed, made.asyncflow, made.aiohttp) == (minor, "3", "1", "2")
    monkeypatch.delenv("PYTHONHASHSEED")
    assert TraceHeader.of_this_process("x", None, 7, asyncflow="1", aiohttp="2").hash_seed == "random"
