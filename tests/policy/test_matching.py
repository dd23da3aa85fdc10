from __future__ import annotations

import asyncio

import pytest

from asyncflow.errors import AttemptTimedOut, BreakerOpen, InvalidPolicy, Rejected
from asyncflow.policy.matching import checked, counts, excluded
from asyncflow.signals import ENDRUN, FAIL, RETRY, SKIP, SUCCESS, TRIGGERFAIL, VALIDATIONFAIL, Signal
from asyncflow.states import Failed

REFUSED = BreakerOpen("open", retry_after=1.0)


def is_value_error(error):
    return isinstance(error, ValueError)


def anything(error):
    return True


@pytest.mark.parametrize(
    ("error", "on", "meant"),
    [
        (ValueError("x"), Exception, True),
        (ValueError("x"), ValueError, True),
        (ValueError("x"), KeyError, False),
        (ConnectionResetError("x"), ConnectionError, True),
        (KeyError("x"), (ValueError, KeyError), True),
        (KeyError("x"), (), False),
        (ValueError("x"), is_value_error, True),
        (KeyError("x"), is_value_error, False),
        # Our own timeout is a TimeoutError like any other.
        (AttemptTimedOut("late"), Exception, True),
        (AttemptTimedOut("late"), TimeoutError, True),
        (AttemptTimedOut("late"), ConnectionError, False),
        # Signals that fail count as ordinary failures, or by their name.
        (FAIL("x"), Exception, True),
        (TRIGGERFAIL("x"), (KeyError, Exception), True),
        (FAIL("x"), FAIL, True),
        (FAIL("x"), VALIDATIONFAIL, False),
        (FAIL("x"), ValueError, False),
        (VALIDATIONFAIL("x"), anything, True),
        # Other signals never do.
        (SKIP("x"), Exception, False),
        (SUCCESS("x"), anything, False),
        (RETRY("x"), anything, False),
        (ENDRUN(Failed("x")), Exception, False),
        # A rejection counts only under a name of its own.
        (REFUSED, Exception, False),
        (REFUSED, anything, False),
        (REFUSED, BreakerOpen, True),
        (REFUSED, (ValueError, Rejected), True),
        (REFUSED, (ValueError, Exception), False),
        # What is no Exception is not a policy's business.
        (asyncio.CancelledError(), anything, False),
        (KeyboardInterrupt(), anything, False),
        (BaseExceptionGroup("x", [FAIL(), ValueError()]), anything, False),
        (ExceptionGroup("x", [ValueError()]), Exception, True),
    ],
)
def test_on_means_failures_of_the_body_and_nothing_else(error, on, meant):
    assert counts(error, on) is meant


@pytest.mark.parametrize(
    ("error", "never", "meant"),
    [
        (ValueError("x"), (), False),
        (ValueError("x"), ValueError, True),
        (FAIL("x"), (KeyError, FAIL), True),
        (FAIL("x"), Exception, False),
        (KeyError("x"), is_value_error, False),
    ],
)
def test_never_excludes_exactly_what_it_names(error, never, meant):
    assert excluded(error, never) is meant


async def asks_the_network(error):
    return True


@pytest.mark.parametrize(
    ("errors", "hint"),
    [
        (BaseException, "name an Exception"),
        (asyncio.CancelledError, "name an Exception"),
        (KeyboardInterrupt, "name an Exception"),
        ((ValueError, SystemExit), "SystemExit"),
        (SKIP, "FAIL, TRIGGERFAIL, VALIDATIONFAIL"),
        (Signal, "FAIL, TRIGGERFAIL, VALIDATIONFAIL"),
        (int, "int"),
        ((ValueError, "KeyError"), "'KeyError'"),
        ([ValueError], "a tuple of types"),
        ("ValueError", "a tuple of types"),
        (None, "a tuple of types"),
        (asks_the_network, "write `def`"),
    ],
)
def test_what_no_policy_may_handle_is_refused_when_it_is_declared(errors, hint):
    with pytest.raises(InvalidPolicy) as refused:
        checked(errors, "on")
    assert hint in str(refused.value)
