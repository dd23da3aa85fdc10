"""Faults of a replica, as they are typed."""

from __future__ import annotations

import pytest

from asyncflow.cli.faults import fault_from
from asyncflow.errors import UsageError
from asyncflow.net.http_faults import HttpFault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("status=503", HttpFault(do="status", status=503)),
        (
            "status=429,retry_after=2,requests=1-3",
            HttpFault(do="status", status=429, retry_after=2.0, requests=(1, 3)),
        ),
        ("slow=1.5, path=/posts", HttpFault(do="slow", seconds=1.5, path="/posts")),
        ("slow,seconds=2", HttpFault(do="slow", seconds=2.0)),
        ("reset=120,requests=2", HttpFault(do="reset", byte=120, requests=2)),
        ("wrong-length=-4", HttpFault(do="wrong-length", byte=-4)),
        ("hang", HttpFault(do="hang")),
        (
            "status=503,retry_after=Fri 31 Dec 2027 23:59:59 GMT",
            HttpFault(do="status", status=503, retry_after="Fri 31 Dec 2027 23:59:59 GMT"),
        ),
    ],
)
def test_a_word_with_its_value_and_keys_after_commas_is_a_fault(text: str, fault: HttpFault) -> None:
    assert fault_from(text) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stats=503", "'stats' takes no value. Did you mean 'status'?"),
        ("hangs", "Did you mean 'hang'?"),
        ("hang=3", "'hang' takes no value"),
        ("status=503,reqests=1", "unknown key 'reqests'"),
        ("status=abc", "'abc' is no value for status"),
        ("status=99", "must be 200 to 599"),
        ("status=503,requests=3-1", "requests=(3, 1)"),
        ("slow", "needs seconds above 0"),
        ("", "is not an HTTP fault"),
    ],
)
def test_what_is_no_fault_says_which_part_of_it(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        fault_from(text)

    assert str(caught.value).startswith(f"--fault {text}: ")
    assert told in str(caught.value)
