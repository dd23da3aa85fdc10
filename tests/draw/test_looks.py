from __future__ import annotations

import re

import pytest

from asyncflow.draw.looks import CARD, INK, LOOKS, MUTED, PLAIN, PLAIN_TINT, TINT, channels, look_of, mixed
from asyncflow.states import BY_NAME

STATES = sorted(LOOKS)


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [channel / 255 for channel in channels(colour)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted([luminance(a), luminance(b)])
    return (lighter + 0.05) / (darker + 0.05)


def test_every_state_has_a_look():
    assert set(LOOKS) == set(BY_NAME)


@pytest.mark.parametrize("part", ["word", "mark", "sign"])
def test_no_two_states_share_a_word_a_mark_or_a_sign(part):
    assert len({getattr(look, part) for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_can_be_read_on_their_box(state, theme):
    colour, card = getattr(LOOKS[state].shade, theme), getattr(CARD, theme)
    ground = mixed(colour, card, TINT)
    assert contrast(colour, ground) >= 4.5
    assert contrast(getattr(INK, theme), ground) >= 7


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_labels_names_and_borders_can_be_seen_without_a_state(theme):
    card, border = getattr(CARD, theme), getattr(PLAIN, theme)
    assert contrast(getattr(MUTED, theme), card) >= 4.5
    assert contrast(getattr(INK, theme), mixed(border, card, PLAIN_TINT)) >= 7
    assert contrast(border, card) >= 3


@pytest.mark.parametrize("state", STATES)
def test_signs_stay_in_their_field_and_use_four_commands(state):
    sign = LOOKS[state].sign
    assert re.fullmatch(r"([MLC][\d. ]+|Z)+", sign)
    assert all(0 <= float(number) <= 16 for number in re.findall(r"[\d.]+", sign))


@pytest.mark.parametrize("state", STATES)
def test_marks_take_one_cell_of_a_terminal(state):
    assert len(LOOKS[state].mark) == 1


def test_an_unknown_state_is_shown_by_its_own_name():
    look = look_of("Odd")
    assert look is not None
    assert (look.word, look.mark) == ("Odd", "?")


def test_no_state_has_no_look():
    assert look_of(None) is None


def test_colours_mix_by_share():
    assert mixed("#ff0000", "#0000ff", 0.25) == "#4000bf"
