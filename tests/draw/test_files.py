from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.draw import render, save
from asyncflow.draw.files import file_stem
from asyncflow.errors import NotInThisVersion, UsageError
from tests.draw.graphs import COMPLAINTS


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_path_a_pdf_named_like_the_flow_goes_into_the_current_folder(here):
    path = save(COMPLAINTS)
    assert path == Path("complaints etl.pdf")
    assert (here / "complaints etl.pdf").read_bytes() == render(COMPLAINTS, "pdf")


@pytest.mark.parametrize("name", ["flow.svg", "flow.PDF", "flow.gv", "flow.mmd", "flow.txt"])
def test_the_suffix_says_the_format(here, name):
    path = save(COMPLAINTS, name)
    assert path == Path(name)
    assert path.read_bytes() == render(COMPLAINTS, Path(name).suffix)


def test_a_path_without_a_suffix_gets_one(here):
    assert save(COMPLAINTS, Path("drawing")) == Path("drawing.pdf")


def test_a_folder_gets_a_file_named_like_the_flow(tmp_path):
    assert save(COMPLAINTS, tmp_path) == tmp_path / "complaints etl.pdf"


def test_an_older_drawing_is_replaced(here):
    Path("flow.txt").write_text("something much longer than the drawing " * 100, encoding="utf-8")
    save(COMPLAINTS, "flow.txt")
    assert Path("flow.txt").read_bytes() == render(COMPLAINTS, "txt")


def test_png_is_refused_before_anything_is_written(here):
    with pytest.raises(NotInThisVersion, match="SVG or PDF"):
        save(COMPLAINTS, "flow.png")
    assert list(here.iterdir()) == []


def test_an_unknown_suffix_is_answered_with_the_known_ones(here):
    with pytest.raises(UsageError, match=r"'\.jpg' is no format for a drawing; there are \.pdf, \.svg"):
        save(COMPLAINTS, "flow.jpg")


def test_a_folder_that_does_not_exist_is_named(here):
    with pytest.raises(UsageError) as caught:
        save(COMPLAINTS, "charts/flow.svg")
    assert f"there is no folder {str(here / 'charts')!r}; create it" in str(caught.value)


def test_a_place_where_one_may_not_write_is_named(here, monkeypatch):
    def refuse(path: Path, data: bytes) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(
        UsageError, match=r"can't write the drawing to 'flow.svg': it is not allowed; name a file"
    ):
        save(COMPLAINTS, "flow.svg")


def test_another_trouble_is_told_in_the_system_s_words(here, monkeypatch):
    def fail(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UsageError, match="No space left on device; name another file"):
        save(COMPLAINTS, "flow.svg")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("complaints etl", "complaints etl"),
        ("señal", "señal"),
        ("数据", "数据"),
        ("a/b\\c:d", "a_b_c_d"),
        ('what? "why"*<|>', "what_ _why_____"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("two\nlines", "two lines"),
        ("bell\x07", "bell_"),
        ("a\u202eb", "a_b"),
        (" . ", "flow"),
        ("", "flow"),
        ("trailing. ", "trailing"),
        ("CON", "_CON"),
        ("nul.old", "_nul.old"),
        ("com1", "_com1"),
        ("lpt¹", "_lpt¹"),
        ("console", "console"),
        ("com10", "com10"),
        ("v1.2", "v1.2"),
        ("x" * 300, "x" * 200),
        ("é" * 300, "é" * 100),
    ],
)
def test_file_names_are_fit_for_every_file_system(name, stem):
    assert file_stem(name) == stem


@given(st.text(st.characters(), max_size=300))
def test_any_flow_s_name_makes_a_file_name(name):
    stem = file_stem(name)
    assert stem
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', stem)
    assert stem[-1] not in " ."
    assert len(stem.encode("utf-8")) <= 210


def test_a_flow_with_an_awkward_name_is_drawn_all_the_same(here):
    path = save(replace(COMPLAINTS, name="etl v1.2: CON/\ud800"))
    assert path == Path("etl v1.2_ CON__.pdf")
    assert path.exists()
