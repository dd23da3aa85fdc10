"""Calls a policy's hooks; one that fails is reported, and what was decided stands."""

from __future__ import annotations

import asyncio

from asyncflow.errors import full_text_of
from asyncflow.outcomes import ENOUGH, Again, Decision, Enough, Outcome
from asyncflow.policy.hooks import Hook, Judged, called
from asyncflow.policy.retry import Retry


def told(retry: Retry, attempt: int, outcome: Outcome, decision: Decision) -> Decision:
    """Tell the hook that is meant, if there is one, what was decided, and return the decision.

    What a hook raises goes to the exception handler of the event loop, as with asyncio's own callbacks, and
    the decision says it.

    Args:
        retry: the policy with the hooks.
        attempt: the number of the attempt, from 1.
        outcome: what it came to.
        decision: what follows.
    """
    judged = Judged(attempt, outcome, decision)
    name, hook = _meant(retry, judged)
    problem = None if hook is None else called(hook, judged)
    if problem is None:
        return decision
    said = f"the hook {name} raised {full_text_of(problem)}"
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"asyncflow: {said}, after attempt {attempt}", "exception": problem}
    )
    if decision is ENOUGH:
        return decision
    detail = {**(decision.detail or {}), "hook_failed": said}
    reason = f"{decision.reason}; {said}"
    if isinstance(decision, Again):
        return Again(decision.delay, reason, detail, decision.afresh)
    return Enough(reason, detail)


def _meant(retry: Retry, judged: Judged) -> tuple[str, Hook | None]:
    if judged.is_retried():
        return "on_retry", retry.on_retry
    if judged.is_given_up():
        return "on_give_up", retry.on_give_up
    return "on_success", retry.on_success if judged.is_success() and judged.attempt > 1 else None
