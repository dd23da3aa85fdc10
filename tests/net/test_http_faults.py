import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import UsageError
from asyncflow.net.http_faults import HttpFault


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"do": "resett"}, "Did you mean 'reset'?"),
        ({"do": "status", "status": 199}, "status=199 must be 200 to 599"),
        ({"do": "status", "status": 600}, "status=600"),
        ({"do": "status", "retry_after": -1}, "0 seconds or more"),
        ({"do": "status", "retry_after": float("nan")}, "0 seconds or more"),
        ({"do": "status", "retry_after": "1\r\nX: y"}, "one line of plain ASCII"),
        ({"do": "hang", "retry_after": 1}, "retry_after has no meaning for do='hang'"),
        ({"do": "slow"}, "needs seconds above 0, not None"),
        ({"do": "drip", "seconds": 0}, "needs seconds above 0, not 0"),
        ({"do": "slow", "seconds": float("inf")}, "needs seconds above 0"),
        ({"do": "hang", "seconds": 1}, "seconds has no meaning for do='hang'"),
        ({"do": "truncate", "byte": -1}, "byte=-1 must be 0 or more"),
        ({"do": "wrong-length", "byte": 0}, "would make the length right"),
        ({"do": "drip", "seconds": 1, "byte": 3}, "byte has no meaning for do='drip'"),
        ({"do": "hang", "requests": 0}, "requests=0 must be a number from 1"),
        ({"do": "hang", "requests": (3, 2)}, "requests=(3, 2)"),
        ({"do": "hang", "requests": (1, 2, 3)}, "a pair (first, last)"),
        ({"do": "hang", "path": "posts"}, "path='posts' must begin with '/'"),
    ],
)
def test_values_that_make_no_fault_are_refused_with_the_value_and_the_rule(values, reason):
    with pytest.raises(UsageError) as caught:
        HttpFault(**values)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("requests", "struck"), [(None, [1, 2, 3, 4, 5]), (2, [2]), ((2, 4), [2, 3, 4]), ((5, 9), [5])]
)
def test_a_fault_is_due_for_the_requests_that_it_names(requests, struck):
    fault = HttpFault("hang", requests=requests)
    assert [number for number in range(1, 6) if fault.is_due(number)] == struck


@pytest.mark.parametrize(
    ("path", "asked", "covered"),
    [
        (None, "/anything", True),
        ("/posts", "/posts", True),
        ("/posts", "/posts/1", True),
        ("/posts", "/postscript", False),
        ("/posts/", "/posts/1", True),
        ("/posts/1", "/posts", False),
        ("/", "/posts", True),
    ],
)
def test_a_fault_covers_its_path_and_what_lies_below(path, asked, covered):
    assert HttpFault("hang", path=path).covers(asked) is covered


@given(st.integers(1, 50), st.integers(0, 50))
def test_a_range_strikes_as_many_requests_as_it_is_long(first, more):
    fault = HttpFault("reset", requests=(first, first + more))
    assert sum(fault.is_due(number) for number in range(1, 200)) == more + 1


@pytest.mark.process
def test_a_fault_and_a_redirect_can_be_described_without_loading_aiohttp():
    program = (
        "import asyncflow.net.http_faults, asyncflow.net.redirect, sys; sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
