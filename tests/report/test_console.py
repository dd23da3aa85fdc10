import io
import subprocess
import sys

import pytest

from asyncflow.report.canvas import Look, Piece, cropped, cut, fit, wrapped
from asyncflow.report.console import look_at, write
from asyncflow.report.words import EVERY_SIGN, MARKS, mark
from asyncflow.states import STATES


class Out(io.TextIOWrapper):
    def __init__(self, encoding="utf-8", terminal=True):
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")
        self._terminal = terminal

    def isatty(self):
        return self._terminal

    def fileno(self):
        raise OSError

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("env", "out", "options", "expected"),
    [
        ({}, {}, {}, {"colour": True, "live": True, "unicode": True, "width": 100}),
        ({}, {"terminal": False}, {}, {"colour": False, "live": False}),
        ({"NO_COLOR": "1"}, {}, {}, {"colour": False, "live": True}),
        ({"NO_COLOR": "1"}, {}, {"colour": True}, {"colour": True}),
        ({"FORCE_COLOR": "1"}, {"terminal": False}, {}, {"colour": True, "live": False}),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, {}, {}, {"colour": False}),
        ({"FORCE_COLOR": "1"}, {}, {"colour": False}, {"colour": False}),
        ({"TERM": "dumb"}, {}, {}, {"colour": False, "live": False}),
        ({"TERM": "linux"}, {}, {}, {"unicode": False, "colour": True}),
        ({"CI": "true"}, {}, {}, {"colour": True, "live": False}),
        ({}, {}, {"plain": True}, {"colour": False, "live": False, "unicode": False}),
        ({}, {"encoding": "cp1252"}, {}, {"unicode": False, "encoding": "cp1252"}),
        ({}, {"encoding": "ascii"}, {}, {"unicode": False}),
        ({"COLUMNS": "77"}, {}, {}, {"width": 77}),
        ({"COLUMNS": "wide"}, {}, {}, {"width": 100}),
        ({"COLUMNS": "900"}, {}, {}, {"width": 200}),
        ({"COLUMNS": "3"}, {}, {}, {"width": 20}),
        ({"COLUMNS": "77"}, {}, {"width": 64}, {"width": 64}),
    ],
)
def test_what_a_stream_can_show_follows_flags_environment_and_stream(env, out, options, expected):
    look = look_at(Out(**out), env=env, **options)
    assert {name: getattr(look, name) for name in expected} == expected


def test_a_stream_without_encoding_takes_the_signs():
    assert look_at(io.StringIO(), env={}) == Look()


def test_an_unknown_encoding_gets_ascii_signs():
    class Odd(io.StringIO):
        encoding = "martian"

    assert not look_at(Odd(), env={}).unicode


LINES = [
    [Piece("plain "), Piece("bad", "failed"), Piece(" 1", "bar.failed"), Piece("   ")],
    [],
    [Piece("x" * 50)],
]


def test_plain_output_has_no_escapes_and_no_spaces_at_line_ends():
    out = Out()
    write(LINES, Look(width=30), out)
    assert out.text() == "plain bad 1\n\n" + "x" * 29 + "…\n"


def test_coloured_output_has_them(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Out()
    write(LINES, Look(width=30, colour=True), out)
    first = out.text().split("\n")[0]
    assert first.startswith("plain \x1b[31mbad\x1b[0m\x1b[7;31m 1\x1b[0m")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_any_name_can_be_written_in_any_encoding(encoding):
    out = Out(encoding)
    look = look_at(out, env={}, colour=False)
    write([[Piece(look.clean("naïve 名前 \ud800 \x1b[31m")), Piece(look.of(mark("Failed")))]], look, out)
    assert out.text().endswith(f"{look.of(mark('Failed'))}\n")


def test_a_clean_text_is_one_line_that_steers_nothing():
    assert Look().clean("a\tb\r\nc\x07\u200b\u202e\ufe0f") == "a b  c?"
    assert Look(encoding="ascii").clean("naïve 名前") == "na?ve ??"


def test_texts_are_cut_by_cells_and_not_by_characters():
    assert (cut("名前名前", 5, Look()), cut("abc", 3, Look()), cut("abc", 0, Look())) == ("名前…", "abc", "")
    assert (fit("名", 4, Look()), fit("7", 3, Look(), right=True)) == ("名  ", "  7")
    assert cropped([Piece("abc"), Piece("名前"), Piece("rest")], 6, Look()) == [Piece("abc"), Piece("名…")]


def test_paragraphs_break_between_words_where_they_can():
    assert wrapped("one two three", 7, Look()) == ["one two", "three"]
    assert wrapped("unbreakable", 6, Look()) == ["unbre…"]
    assert wrapped("unbreakable so", 6, Look()) == ["unbre…", "so"]
    assert wrapped("", 6, Look()) == [""]


def test_every_state_has_a_sign_a_word_and_an_ascii_sign_of_its_own():
    assert set(MARKS) == {state.__name__ for state in STATES}
    for column in ("sign", "ascii", "word"):
        shown = [getattr(known, column) for known in MARKS.values()]
        assert len(set(shown)) == len(shown)
    assert all(len(known.sign) == len(known.ascii) == 1 and known.ascii.isascii() for known in MARKS.values())


def test_a_state_that_is_not_known_is_shown_by_name():
    assert mark("Levitating") == ("?", "?", "Levitating", "plain")
    assert mark("").word == "?"


@pytest.mark.process
def test_nothing_heavy_is_imported_until_something_is_drawn_or_logged():
    code = (
        "import sys, asyncflow.logs, asyncflow.report.live, asyncflow.report.runs, asyncflow.report.show;"
        "from asyncflow.report.console import look_at, write; write([], look_at(colour=False));"
        "sys.exit(int('rich' in sys.modules or 'structlog' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_signs_are_not_in_the_encodings_that_get_ascii():
    with pytest.raises(UnicodeEncodeError):
        EVERY_SIGN.encode("cp1252")
