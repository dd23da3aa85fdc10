"""Who hears what becomes of a schedule's fires."""

from __future__ import annotations

import logging
from datetime import datetime

from asyncflow.engine import FlowRun, log_failure
from asyncflow.human import plural

_log = logging.getLogger("asyncflow")


class Teller:
    """Hears what becomes of the fires of scheduled flows; this one writes log lines."""

    def waiting(self, flow: str, at: datetime) -> None:
        """Hear that a flow waits for its next fire.

        Args:
            flow: the flow's name.
            at: when the fire is due.
        """
        _log.info("Waiting for next scheduled run at %s (%s)", at.isoformat(), flow)

    def left_out(self, flow: str, count: int, until: datetime, why: str) -> None:
        """Hear that fires are left out.

        Args:
            flow: the flow's name.
            count: how many they are.
            until: the newest instant that was due.
            why: the reason, as the rest of a sentence.
        """
        runs = plural(count, "scheduled run")
        _log.warning("Left out %s of %r until %s: %s", runs, flow, until.isoformat(), why)

    def exhausted(self, flow: str) -> None:
        """Hear that a flow's schedule has no more fires.

        Args:
            flow: the flow's name.
        """
        _log.info("Flow %r has no more scheduled runs.", flow)

    def ended(self, run: FlowRun, at: datetime) -> None:
        """Hear that a run has ended.

        Args:
            run: the run, which is final.
            at: the fire that it was made for.
        """
        del at
        log_failure(run)
