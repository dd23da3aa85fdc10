import pytest

from asyncflow.human import ago, duration, named, plural


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (1e-9, "<1 ms"),
        (0.00099, "<1 ms"),
        (0.001, "1 ms"),
        (0.159, "159 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1.236, "1.24 s"),
        (5, "5 s"),
        (59.99, "59.99 s"),
        (59.996, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (11520, "3 h 12 min"),
        (86400 * 2 + 3600 * 4, "2 d 4 h"),
        (float("inf"), "without end"),
        (float("nan"), "without end"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (0.4, "just now"),
        (12.9, "12 s ago"),
        (60, "1 min ago"),
        (190, "3 min ago"),
        (7200, "2 h ago"),
        (200_000, "2 d ago"),
        (float("nan"), "just now"),
    ],
)
def test_an_age_is_told_in_one_unit(seconds, text):
    assert ago(seconds) == text


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [(0, None, "0 tasks"), (1, None, "1 task"), (1200, None, "1,200 tasks"), (2, "tasken", "2 tasken")],
)
def test_a_count_and_its_word_agree(count, words, text):
    assert plural(count, "task", words) == text


@pytest.mark.parametrize(
    ("name", "text"), [("payments", "bulkhead 'payments'"), (None, "the bulkhead"), ("", "the bulkhead")]
)
def test_what_has_no_name_is_told_by_its_kind(name, text):
    assert named("bulkhead", name) == text
