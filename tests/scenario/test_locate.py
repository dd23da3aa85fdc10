from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.scenario.locate import Path, ScanError, Scanner, Source, shown_path
from tests.scenario.strategies import plain, words
from tests.scenario.toml import write, write_tables

TEXT = '''\
# a comment with [brackets] and = signs
format = 1
a.b."c.d" = 2   # dotted
list = [
  1,  # one
  [2, 3],
  { x = 4 },
]
long = """
not = a key
\\"""" # the end"""
raw = \'\'\'
[not.a.table]\'\'\'
"quoted # key" = 'a # b'
date = 1979-05-27 07:32:00

[table]
key = "x" # comment
inline = { p = 1, q = { r = [1,
  2] } }

[[fault]]
at = { task = "t" }
[fault.more]
deep = true

[[fault]]
do = "raise"
[[fault.inner]]
z = 1
[[fault.inner]]
z = 2

[service."www.x.org"]
tls = false
'''

LINES: dict[Path, int] = {
    ("format",): 2,
    ("a",): 3,
    ("a", "b"): 3,
    ("a", "b", "c.d"): 3,
    ("list",): 4,
    ("list", 0): 5,
    ("list", 1): 6,
    ("list", 1, 1): 6,
    ("list", 2): 7,
    ("list", 2, "x"): 7,
    ("long",): 9,
    ("raw",): 12,
    ("quoted # key",): 14,
    ("date",): 15,
    ("table",): 17,
    ("table", "key"): 18,
    ("table", "inline"): 19,
    ("table", "inline", "q", "r", 1): 20,
    ("fault",): 22,
    ("fault", 0): 22,
    ("fault", 0, "at", "task"): 23,
    ("fault", 0, "more"): 24,
    ("fault", 0, "more", "deep"): 25,
    ("fault", 1): 27,
    ("fault", 1, "do"): 28,
    ("fault", 1, "inner", 0, "z"): 30,
    ("fault", 1, "inner", 1): 31,
    ("service", "www.x.org"): 34,
    ("service", "www.x.org", "tls"): 35,
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_key_is_found_on_its_line(ends: str) -> None:
    source = Source("x.toml", TEXT.replace("\n", ends))
    assert tomllib.loads(source.text)
    assert {path: source.line(path) for path in LINES} == LINES


def test_what_is_missing_is_located_at_the_nearest_table_around_it() -> None:
    source = Source("x.toml", TEXT)
    assert source.line(("fault", 1, "at")) == 27
    assert source.line(("fault", 1, "at", "task")) == 27
    assert source.line(("nothing",)) == 1
    assert source.locate((), "is odd") == "x.toml:1: is odd"
    assert source.locate(("fault", 1, "do"), "is odd") == "x.toml:28: fault[2].do: is odd"


def test_paths_are_shown_as_in_the_file_with_elements_counted_from_one() -> None:
    assert shown_path(("service", "www.x.org", "list", 0, "a-b")) == 'service."www.x.org".list[1].a-b'
    assert shown_path(('say "x"',)) == '"say \\"x\\""'


def paths_in(data: Any, path: Path = ()) -> list[Path]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, item in pairs for found in ((*path, key), *paths_in(item, (*path, key)))]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(words, plain, max_size=4), st.booleans())
def test_every_path_of_any_document_has_a_line_that_shows_its_key(data: dict[str, Any], headed: bool) -> None:
    text = (write_tables if headed else write)(data)
    places = Source("x.toml", text).places
    assert set(paths_in(tomllib.loads(text))) == set(places)
    lines = text.split("\n")
    for key in data:
        assert write({key: 1}).split(" = ")[0] in lines[places[key,] - 1]


@settings(deadline=None)
@given(st.text("[]{}=\"',.# \nab\\", max_size=40))
def test_a_text_that_is_not_toml_is_left_alone(text: str) -> None:
    try:
        Scanner(text).scan()
    except (ScanError, tomllib.TOMLDecodeError):
        assert Source("x.toml", text).line(("a",)) == 1
