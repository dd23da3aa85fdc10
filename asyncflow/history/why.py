"""Why an attempt was or was not retried, in one sentence made from the numbers behind the decision."""

from __future__ import annotations

from asyncflow.history.record import Attempt
from asyncflow.human import duration

_WHAT = {
    "running": "is in flight",
    "succeeded": "succeeded",
    "failed": "failed",
    "timed out": "ran out of time",
    "refused": "was refused before the body ran",
    "signalled": "ended by a signal",
    "skipped": "was skipped",
    "paused": "was paused",
    "cancelled": "was cancelled",
    "crashed": "was cut short when the process died",
}
_HEDGE, _FALLBACK = "hedge", "fallback"
_SETTLED = frozenset(("running", "succeeded", "signalled", "skipped", "paused"))


def explain(attempt: Attempt) -> str:
    """Return one sentence that says what an attempt came to, what followed, and why."""
    of = attempt.detail.get("max_attempts")
    head = f"Attempt {attempt.number} of {of}" if of else f"Attempt {attempt.number}"
    clauses = [clause for clause in (_reason(attempt), _drawn(attempt)) if clause]
    tail = f": {'; '.join(clauses)}" if clauses else ""
    follows = "" if _tells_next(attempt) else _next(attempt)
    what = "was given up" if _HEDGE in attempt.detail else _WHAT[attempt.outcome]
    return f"{head} {what}{_error(attempt)}{follows}{tail}."


def _reason(attempt: Attempt) -> str:
    """Return the decision's reason as a part of a sentence."""
    reason = attempt.reason.rstrip(". ")
    own = _HEDGE in attempt.detail or _FALLBACK in attempt.detail
    return reason[:1].lower() + reason[1:] if own else reason


def _tells_next(attempt: Attempt) -> bool:
    """Whether the reason speaks of the attempt that followed."""
    return attempt.retried and f"attempt {attempt.number + 1}" in attempt.reason


def _error(attempt: Attempt) -> str:
    """Return the error's type, unless the reason names it."""
    if attempt.error is None or attempt.outcome != "failed" or attempt.error.type in attempt.reason:
        return ""
    return f" with {attempt.error.type}"


def _next(attempt: Attempt) -> str:
    """Return what followed."""
    if attempt.retried:
        delay = attempt.detail.get("delay")
        after = f" after {duration(delay)}" if isinstance(delay, int | float) and delay > 0 else ""
        return f" and was retried{after}"
    stood_in = _HEDGE in attempt.detail or _FALLBACK in attempt.detail
    return "" if stood_in or attempt.outcome in _SETTLED else " and was not retried"


def _drawn(attempt: Attempt) -> str:
    """Return how the delay was drawn, when it was drawn and the reason does not say so."""
    jitter, bound, delay = (attempt.detail.get(key) for key in ("jitter", "bound", "delay"))
    if not attempt.retried or not jitter or jitter == "none" or "jitter" in attempt.reason:
        return ""
    if not isinstance(bound, int | float) or not isinstance(delay, int | float):
        return ""
    return f"{jitter} jitter drew {duration(delay)} of at most {duration(bound)}"
