"""The digest of a task's code: what counts as other code and what does not."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from asyncflow.caching.fingerprint import fingerprint


def made(source: str, **names: Any) -> Callable[..., Any]:
    """Return the function `f` that a source defines."""
    namespace: dict[str, Any] = dict(names)
    exec(textwrap.dedent(source), namespace)
    found: Callable[..., Any] = namespace["f"]
    return found


PLAIN = made("""
def f(x, y=2):
    '''Return the sum.'''
    return x + y + 10
""")

SAME = [
    (
        "comments and blank lines",
        "def f(x, y=2):\n    '''Return the sum.'''\n\n    # the sum\n    return x + y + 10",
    ),
    ("the docstring's wording", "def f(x, y=2):\n    '''Give x and y and ten.'''\n    return x + y + 10"),
    ("annotations", "def f(x: int, y: int = 2) -> int:\n    '''Return the sum.'''\n    return x + y + 10"),
    ("where it stands", "\n\n\nz = 3\n\ndef f(x, y=2):\n    '''Return the sum.'''\n    return x + y + 10"),
]

OTHER = [
    ("a constant", "def f(x, y=2):\n    '''Return the sum.'''\n    return x + y + 11"),
    ("the type of a constant", "def f(x, y=2):\n    '''Return the sum.'''\n    return x + y + 10.0"),
    ("an operator", "def f(x, y=2):\n    '''Return the sum.'''\n    return x - y + 10"),
    ("a default", "def f(x, y=3):\n    '''Return the sum.'''\n    return x + y + 10"),
    ("an argument's name", "def f(a, y=2):\n    '''Return the sum.'''\n    return a + y + 10"),
    ("a name that it uses", "def f(x, y=2):\n    '''Return the sum.'''\n    return x + y + ten"),
    ("being async", "async def f(x, y=2):\n    '''Return the sum.'''\n    return x + y + 10"),
    ("a function inside", "def f(x, y=2):\n    '''Return the sum.'''\n    return (lambda: x + y + 10)()"),
]


@pytest.mark.parametrize(("what", "source"), SAME, ids=[what for what, _ in SAME])
def test_what_does_not_count(what: str, source: str) -> None:
    assert fingerprint(made(source)) == fingerprint(PLAIN)


@pytest.mark.parametrize(("what", "source"), OTHER, ids=[what for what, _ in OTHER])
def test_what_is_other_code(what: str, source: str) -> None:
    assert fingerprint(made(source)) != fingerprint(PLAIN)


def factory(enclosed: Any) -> Callable[[], Any]:
    def f() -> Any:
        return enclosed

    return f


def one() -> int:
    return 1


def two() -> int:
    return 2


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a.db", "a.db", True),
        ("a.db", "b.db", False),
        ([1], [2], True),
        ({"a": 1}, [1], False),
        (one, two, False),
        (one, one, True),
        (object(), object(), True),
        (functools.partial(one, 1), functools.partial(one, 2), False),
    ],
)
def test_of_enclosed_values_those_count_that_can_not_change(first: Any, second: Any, same: bool) -> None:
    assert (fingerprint(factory(first)) == fingerprint(factory(second))) is same


def test_a_function_that_encloses_itself_has_a_digest() -> None:
    def again(n: int) -> int:
        return again(n - 1) if n else 0

    assert fingerprint(again) == fingerprint(again)


def test_methods_partials_and_objects_that_can_be_called_have_digests() -> None:
    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

        def other(self, x: int) -> int:
            return x + 2

    adder = Adder()
    found = {fingerprint(fn) for fn in (adder, adder.other, functools.partial(adder, 1), len, one)}
    assert len(found) == 5


def test_constant_sets_have_no_order() -> None:
    program = """
def f(x):
    return x in {"a", "b", "c", "d"}
from asyncflow.caching.fingerprint import fingerprint
print(fingerprint(f))
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
