"""An event loop of virtual time: with nothing ready, the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import heapq
from typing import Any

from asyncflow.errors import Stuck
from asyncflow.sim.clock import Clock
from asyncflow.sim.network import Network
from asyncflow.sim.threads import Threads
from asyncflow.sim.trace import Trace


class SimLoop(asyncio.BaseEventLoop):
    """The stock loop with everything taken out that is not repeatable.

    Args:
        clock: the world's clock, which the loop moves.
        trace: the world's trace.
        network: makes connections.
        threads: runs what goes to the executor.
    """

    _ready: Any
    _scheduled: Any
    _stopping: bool

    def __init__(self, clock: Clock, trace: Trace, network: Network, threads: Threads) -> None:
        super().__init__()
        self._clock = clock
        self._clock_resolution = 1e-6  # above the spacing of floats up to 1e9 s, or a due timer is never due
        self._trace = trace
        self._network = network
        self._threads = threads
        network.attach(self)

    def time(self) -> float:
        return self._clock.now

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready and not self._stopping:
            if not scheduled:
                raise Stuck("nothing can run any more")
            self._clock.now = max(self._clock.now, scheduled[0]._when)
        end = self._clock.now + self._clock_resolution  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._when < end:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _process_events(self, events: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _timer_handle_cancelled(self, handle: Any) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return self._threads.submit(self, func, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        return

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        return await self._network.getaddrinfo(host, port, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await self._network.sock_connect(sock, address)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        return await self._network.create_connection(protocol_factory, host, port, **options)

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        return await self._network.create_server(protocol_factory, host, port, **options)
