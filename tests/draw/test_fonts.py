from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.draw.fonts import fitted, is_measured, text_width
from asyncflow.draw.spelling import in_cp1252, readable


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("i", 222),
        ("m", 833),
        ("_", 556),
        ("W", 944),
        ("0", 556),
        ("@", 1015),
        ("ñ", 556),
        ("Ñ", 722),
        ("…", 1000),
        ("~", 584),
    ],
)
def test_widths_are_helvetica_s(text, thousandths):
    assert text_width(text, 1000) == thousandths


def test_every_letter_of_page_1252_is_measured():
    letters = bytes(range(32, 256)).decode("cp1252", "ignore").replace("\x7f", "")
    assert len(letters) == 218
    assert is_measured(letters)


@pytest.mark.parametrize(
    ("text", "thousandths"), [("数", 1000), ("\U0001f680", 1000), ("ж", 650), ("\u0301", 0), ("\u200d", 0)]
)
def test_other_letters_are_estimated(text, thousandths):
    assert not is_measured(text)
    assert text_width(text, 1000) == thousandths


@pytest.mark.parametrize(
    ("name", "room", "shown"),
    [
        ("short", 100, "short"),
        ("extract_orders_2024_first_quarter", 100, "extract_or…st_quarter"),
        ("extract_orders_2024_second_quarter", 100, "extract_or…d_quarter"),
        ("ab", 1, "…"),
        ("e\u0301" * 20, 40, "ééé…éé"),
        ("\U0001f469\u200d\U0001f680" * 9, 35, "\U0001f469…\U0001f680"),
    ],
)
def test_a_long_name_loses_its_middle(name, room, shown):
    assert fitted(name, readable, 10, room) == shown


def test_no_escape_is_cut_in_two():
    shown = fitted("数" * 20, in_cp1252, 10, 120)
    assert shown == "\\u6570\\u6570…\\u6570"


@given(st.text(max_size=80), st.floats(12, 200))
def test_a_fitted_name_fits(name, room):
    assert text_width(fitted(name, readable, 10, room), 10) <= room
