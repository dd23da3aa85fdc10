from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.draw.spelling import cells, in_ascii, in_cp1252, readable

ANY_NAME = st.text(st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("name", "shown", "in_pdf", "plain"),
    [
        ("store_complaints", "store_complaints", "store_complaints", "store_complaints"),
        ("año", "año", "año", "a\\xf1o"),
        ("an\u0303o", "año", "año", "a\\xf1o"),
        ("5 €", "5 €", "5 €", "5 \\u20ac"),
        ("数据", "数据", "\\u6570\\u636e", "\\u6570\\u636e"),
        ("go \U0001f680", "go \U0001f680", "go \\U0001f680", "go \\U0001f680"),
        ("two\n lines\t", "two lines", "two lines", "two lines"),
        ("\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb", "a\\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800", "\\ud800", "\\ud800"),
        ("\uffff", "\\uffff", "\\uffff", "\\uffff"),
        ("\x81", "\\x81", "\\x81", "\\x81"),
        (
            "\U0001f469\u200d\U0001f680",
            "\U0001f469\u200d\U0001f680",
            "\\U0001f469\\u200d\\U0001f680",
            "\\U0001f469\\u200d\\U0001f680",
        ),
    ],
)
def test_names_are_spelled_in_the_letters_that_there_are(name, shown, in_pdf, plain):
    assert (readable(name), in_cp1252(name), in_ascii(name)) == (shown, in_pdf, plain)


@given(ANY_NAME)
def test_a_spelled_name_can_be_encoded(name):
    readable(name).encode("utf-8")
    in_cp1252(name).encode("cp1252")
    in_ascii(name).encode("ascii")


@given(ANY_NAME)
def test_spelling_a_spelled_name_changes_nothing(name):
    assert readable(readable(name)) == readable(name)
    assert in_cp1252(in_cp1252(name)) == in_cp1252(name)


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("数据", 4), ("an\u0303o", 3), ("\u200d", 0), ("", 0)]
)
def test_terminal_cells_are_counted_as_terminals_do(text, width):
    assert cells(text) == width
