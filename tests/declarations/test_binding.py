from __future__ import annotations

import functools
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.binding import argument_names, compile_check, signature_of


def plain(a, b=2): ...
def only_positional(a, b=2, /): ...
def mixed(a, /, b, *, c, d=4): ...
def anything(*xs, **options): ...
def rest(a, *xs, b=2): ...
def nothing(): ...


class Loader:
    def __call__(self, a, *, b=1): ...


BODIES = [plain, only_positional, mixed, anything, rest, nothing, Loader(), functools.partial(plain, 1)]
CALLS = st.tuples(
    st.lists(st.integers(), max_size=4), st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=4)
)


@given(st.sampled_from(BODIES), CALLS)
def test_a_check_accepts_what_the_signature_accepts(body, call):
    args, kwargs = call
    check = compile_check(body, "body")
    try:
        inspect.signature(body).bind(*args, **kwargs)
    except TypeError:
        with pytest.raises(TypeError, match="body"):
            check(*args, **kwargs)
    else:
        check(*args, **kwargs)


def test_the_error_is_pythons_own_and_names_the_task():
    with pytest.raises(TypeError, match=r"^load\(\) missing 1 required positional argument: 'a'$"):
        compile_check(plain, "load")()


def test_defaults_are_not_touched():
    marker = object()

    def body(a=marker): ...

    assert compile_check(body, "body")() is None


def test_a_callable_without_a_signature_is_checked_by_python_when_it_runs():
    assert signature_of(dict.update) is None or signature_of(type) is None
    compile_check(type, "type")(1, 2, 3, x=4)
    assert argument_names(type, (1, 2), {"x": 3}) == ["0", "1", "x"]


@pytest.mark.parametrize(
    ("body", "args", "kwargs", "names"),
    [
        (plain, (1,), {"b": 2}, ["a", "b"]),
        (mixed, (1, 2), {"c": 3}, ["a", "b", "c"]),
        (rest, (1, 2, 3), {"b": 4}, ["a", "xs", "xs", "b"]),
        (anything, (1,), {"k": 2}, ["xs", "k"]),
        (nothing, (), {}, []),
    ],
)
def test_each_argument_is_named_after_its_parameter(body, args, kwargs, names):
    assert argument_names(body, args, kwargs) == names
