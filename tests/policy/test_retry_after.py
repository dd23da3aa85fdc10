from __future__ import annotations

import math
from datetime import timedelta
from email.message import Message
from types import SimpleNamespace

import pytest
from multidict import CIMultiDict

from asyncflow.policy.retry_after import wish_of

WALL = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def error(**attributes):
    made = ConnectionError("refused")
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def mail_headers(value):
    headers = Message()
    headers["Retry-After"] = value
    return headers


@pytest.mark.parametrize(
    ("carried", "wish"),
    [
        ({}, None),
        ({"retry_after": None}, None),
        ({"retry_after": 7}, 7.0),
        ({"retry_after": 0.5}, 0.5),
        ({"retry_after": timedelta(seconds=3)}, 3.0),
        ({"retry_after": -4}, 0.0),
        ({"retry_after": "12"}, 12.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": math.inf}, None),
        ({"retry_after": math.nan}, None),
        ({"retry_after": True}, None),
        ({"headers": None}, None),
        ({"headers": {"Date": "x"}}, None),
        ({"headers": {"Retry-After": "120"}}, 120.0),
        ({"headers": {"retry-after": "2"}}, 2.0),
        ({"headers": CIMultiDict({"RETRY-AFTER": "4"})}, 4.0),
        ({"headers": mail_headers("6")}, 6.0),
        ({"response": SimpleNamespace(headers={"Retry-After": "9"})}, 9.0),
        ({"headers": {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}}, 30.0),
        ({"headers": {"Retry-After": "Tuesday, 14-Nov-23 22:13:50 GMT"}}, 30.0),
        ({"headers": {"Retry-After": "Tue Nov 14 22:13:50 2023"}}, 30.0),
        ({"headers": {"Retry-After": "Tue, 14 Nov 2023 23:13:50 +0100"}}, 30.0),
        ({"headers": {"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT"}}, 0.0),
        ({"headers": {"Retry-After": "later, please"}}, None),
        ({"headers": {"Retry-After": "Tue, 14 Nov 99999 22:00:00 GMT"}}, None),
        ({"headers": {"Retry-After": ""}}, None),
        ({"headers": ["Retry-After"]}, None),
    ],
)
def test_a_wish_is_read_wherever_an_error_carries_it(carried, wish):
    assert wish_of(error(**carried), WALL) == wish


def test_the_attribute_goes_before_the_header():
    assert wish_of(error(retry_after=1, headers={"Retry-After": "50"}), WALL) == 1.0
