"""Triggers and reference tasks: what runs after a failure, and whose state is the flow's.

    python -m asyncflow run asyncflow.examples.afterwards:cleaned_up

Both flows do the same. They end differently when fetching fails, since they go by different tasks.
"""

from __future__ import annotations

from asyncflow import Flow, flow, task, triggers


@task
async def fetch() -> list[int]:
    """Return numbers."""
    return [1, 2, 3]


@task
async def add_up(numbers: list[int]) -> int:
    """Return the sum; without numbers there is none."""
    return sum(numbers)


@task(trigger=triggers.any_failed)
async def apologize() -> str:
    """Say sorry, when something went wrong."""
    return "sorry"


@task(trigger=triggers.always_run)
async def clean_up() -> str:
    """Run last, whatever happened."""
    return "clean"


@flow(name="cleaned up")
def cleaned_up() -> None:
    """Fetch and add up; the cleaning is the last task, and its state is the flow's."""
    numbers = fetch()
    total = add_up(numbers.later)
    sorry = apologize.after(numbers)()
    clean_up.after(total, sorry)()


with Flow("cleaned up and honest") as cleaned_up_and_honest:
    fetched = fetch()
    added = add_up(fetched.later)
    said = apologize.after(fetched)()
    clean_up.after(added, said)()
    cleaned_up_and_honest.set_reference_tasks([added])
