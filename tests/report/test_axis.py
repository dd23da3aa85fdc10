import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.report.axis import Axis
from asyncflow.report.canvas import text_of


@pytest.mark.parametrize(
    ("span", "width", "text"),
    [
        (6.58, 67, "0 s                 2 s                 4 s                  6 s"),
        (6.58, 18, "0 s          5 s"),
        (0.413, 60, "0 s           100 ms         200 ms        300 ms"),
        (0.0002, 40, "0 s                 0.1 ms"),
        (1.2, 40, "0 s             500 ms           1 s"),
        (200, 60, "0 s               1 min             2 min             3 min"),
        (149, 60, "0 s         30 s        60 s        90 s        2:00 min"),
        (660, 40, "0 s               5 min"),
        (14400, 40, "0 s                 2 h"),
        (86400 * 9, 40, "0 s              4 d               8 d"),
        (0, 20, "0 s"),
        (5, 3, "0 s"),
        (5, 2, ""),
    ],
)
def test_ticks_stand_at_round_instants_with_room_for_their_labels(span, width, text):
    assert text_of(Axis(span, width).labels()) == text


@given(st.floats(0, 1e8), st.integers(1, 200))
def test_labels_are_exactly_as_wide_as_the_axis_and_few(span, width):
    axis = Axis(span, width)
    assert sum(len(piece.text) for piece in axis.labels()) == width
    assert len(axis.ticks()) <= max(2, width // 11) + 2
    assert all(0 < cell < width for cell in axis.grid()) or width == 1


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 200))
def test_cells_keep_the_order_of_instants(one, other, width):
    axis = Axis(1e6, width)
    early, late = sorted((one, other))
    assert 0 <= axis.cell(early) <= axis.cell(late) < width
    assert 0 <= axis.edge(early) <= axis.edge(late) <= width
