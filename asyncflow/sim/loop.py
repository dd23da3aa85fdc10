"""An event loop of virtual time: with nothing ready, the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from itertools import count
from math import inf, isnan
from typing import Any

from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.clock import Clock
from asyncflow.sim.collector import Collector
from asyncflow.sim.crash import Death
from asyncflow.sim.fences import Fenced
from asyncflow.sim.handles import Soon, Timer
from asyncflow.sim.limits import Limits
from asyncflow.sim.net.network import Network
from asyncflow.sim.patience import Patience
from asyncflow.sim.tasks import Numbering
from asyncflow.sim.threads import Threads
from asyncflow.sim.trace.trace import Trace

_COLLECT_EVERY = 100_000
"""Callbacks between two collections of garbage: counted, since what is allocated differs from run to run."""

_FEW = 100
"""Cancelled timers that nobody minds."""

_log = logging.getLogger("asyncio")


class SimLoop(Numbering, Fenced):
    """The stock loop with everything taken out that is not repeatable.

    Args:
        clock: the world's clock, which the loop moves.
        trace: the world's trace.
        network: makes connections.
        threads: runs what goes to the executor.
        escapes: remembers what was asked for that is not simulated.
        limits: how long the world may go on.

    Attributes:
        steps: how many callbacks were called, those of the running turn included.
        crashed: why the process died, or None while it lives.
        collector: collects garbage while the loop runs.
    """

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        network: Network,
        threads: Threads,
        *,
        escapes: Escapes | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__()
        self.escapes = escapes or Escapes(trace)
        self.steps = 0
        self.crashed: str | None = None
        self.collector = Collector()
        self._clock = clock
        self._network = network
        self._threads = threads
        # A number beside each deadline: timers of one instant fire in the order in which they were set.
        self._timers: list[tuple[float, int, Any]] = []
        self._timer_numbers = count()
        self._cancelled_timers = 0
        self._collect_at = _COLLECT_EVERY
        self._patience = Patience(self, clock, limits or Limits())
        self._next_look = 0
        self._is_over = False
        network.attach(self)

    # ------------------------------------------------------------------ time

    def time(self) -> float:
        """Return the virtual seconds since the beginning of the world."""
        return self._clock.now

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call a function at a virtual instant, after those that were to be called then before it.

        Raises:
            ValueError: when the instant is NaN, which would never come.
        """
        if isnan(when):
            raise ValueError("when=nan is no time; give a number of seconds")
        if self._debug or self._closed:
            self._check_closed()
            self._check_thread()
            self._check_callback(callback, "call_at")
        return self._set_timer(when, callback, args, context)

    def _set_timer(
        self, when: float, callback: Callable[..., object], args: Any, context: Any
    ) -> asyncio.TimerHandle:
        kind = asyncio.TimerHandle if self._debug else Timer
        timer = kind(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._timer_numbers), timer))
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """Call a function in the next turn."""
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        """Call a function soon; a body in a thread is heard at the time until which it has slept."""
        if not self._threads.busy:
            return super().call_soon_threadsafe(callback, *args, context=context)
        self._check_closed()
        return self._set_timer(self._clock.now, callback, args, context)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        if not handle._scheduled:
            return
        self._cancelled_timers += 1
        if self._cancelled_timers > _FEW and self._cancelled_timers * 2 > len(self._timers):
            self._timers[:] = [entry for entry in self._timers if not entry[2].cancelled()]
            heapq.heapify(self._timers)
            self._cancelled_timers = 1  # the last one is marked only after this call

    # ------------------------------------------------------------------ turns

    def _run_once(self) -> None:
        """Take turns until somebody stops the loop; the caller's own `while` would only cost time.

        A turn calls what is ready when it begins. What is due joins between two turns, so that nothing which
        keeps itself ready can hold timers off. Deadlines are compared as they are, without the stock loop's
        resolution: a timer that fires early by it and sets itself anew would do so for ever, and where it is
        smaller than the spacing of floats, no timer would be due at all.
        """
        clock, ready, timers = self._clock, self._ready, self._timers
        take = ready.popleft
        handle: asyncio.Handle | None
        while True:
            if not ready and not self._stopping:
                handle = None  # what the last one holds must not outlive its instant
                self._jump()
            if timers and timers[0][0] <= clock.now:
                self._wake()
            if self.steps >= self._next_look:
                self._look_round()
            turn = len(ready)
            self.steps += turn
            if self._debug:
                self._turn_slowly(turn)
            else:
                for _ in range(turn):
                    handle = take()
                    if not handle._cancelled:
                        handle._run()
            if self._stopping:
                return

    def _jump(self) -> None:
        """Move the clock to the next timer."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)[2]._scheduled = False
            self._cancelled_timers -= 1
        when = timers[0][0] if timers else inf
        if when == inf:
            self._patience.nothing_to_wait_for()
        if when > self._clock.now:
            self._patience.wait_until(when)

    def _wake(self) -> None:
        """Put what is due behind what is ready: by deadline, and then in the order in which it was set."""
        timers, now = self._timers, self._clock.now
        while timers and timers[0][0] <= now:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            if timer._cancelled:
                self._cancelled_timers -= 1
            else:
                self._ready.append(timer)

    def _turn_slowly(self, turn: int) -> None:
        """Take a turn in debug mode, which complains about callbacks that block: here those that sleep."""
        for _ in range(turn):
            handle = self._ready.popleft()
            if handle._cancelled:
                continue
            began = self._clock.now
            self._current_handle: asyncio.Handle | None = handle
            try:
                handle._run()
            finally:
                self._current_handle = None
            took = self._clock.now - began
            if took >= self.slow_callback_duration:
                _log.warning("Executing %r took %.3f seconds", handle, took)

    def _write_to_self(self) -> None:
        pass  # the loop never sleeps, so nothing has to wake it

    def _process_events(self, event_list: Any) -> None:
        pass

    # ------------------------------------------------------------------ bounds and ends

    def progress(self) -> tuple[int, int]:
        """Return how far the loop is; it is another value after each callback."""
        return self.steps, len(self._ready)

    def allow(self, limits: Limits) -> None:
        """Let the world go on for so long from now on, whatever it has used up."""
        self._patience.allow(limits)
        self._next_look = min(self._patience.next_look, self._collect_at)

    def _look_round(self) -> None:
        self._patience.look()
        if self.steps >= self._collect_at:
            self.collector.collect()
            # A large world is walked less often. Its size is counted in what a seed decides.
            self._collect_at = self.steps + max(_COLLECT_EVERY, 10 * (len(self._ready) + len(self._timers)))
        self._next_look = min(self._patience.next_look, self._collect_at)

    def crash(self, why: str) -> None:
        """Let the process die as soon as the callback that is running has returned.

        Nothing is cancelled and no `finally` block runs; `Simulation.run` raises `Crashed`. A program that is
        over can't crash any more.

        Args:
            why: what killed it.
        """
        if self.crashed is None and not self._is_over:
            self.crashed = why
            self._ready.appendleft(Death(why, self))

    def end(self, limits: Limits) -> None:
        """Say that the program is over, and give its clean-up code so long."""
        self._is_over = True
        self.allow(limits)

    def close(self) -> None:
        """Close the loop and forget its timers."""
        super().close()
        self._timers.clear()

    # ------------------------------------------------------------------ the rest of the world

    def run_in_executor(self, _executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Run a function as the world's threads do, whatever executor is asked for."""
        self._check_closed()
        return self._threads.submit(self, func, *args)

    async def shutdown_default_executor(self, *_limit: float | None) -> None:
        """Do nothing: there is no executor."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Ask the network."""
        return await self._network.getaddrinfo(host, port, **options)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        """Ask the network."""
        return await self._network.getnameinfo(sockaddr, flags)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Ask the network."""
        await self._network.sock_connect(sock, address)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Ask the network."""
        return await self._network.create_connection(protocol_factory, host, port, **options)

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Ask the network."""
        return await self._network.create_server(protocol_factory, host, port, **options)
