"""What the tests of the simulated network share: a world with a plan, a server in it, and recorders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NamedTuple

from aiohttp import web

from asyncflow.sim import Simulation
from asyncflow.wire.plan import WireFault, WirePlan

HOST = "www.example.org"
URL = f"https://{HOST}"


class Played(NamedTuple):
    """What became of a program in a simulated world."""

    value: Any
    seconds: float
    lines: list[str]
    fired: dict[str, int]
    digest: str


def fault(do: str, **keys: Any) -> WireFault:
    return WireFault(**{"id": do, "host": HOST, "do": do, **keys})


def play(
    program: Callable[[Simulation], Coroutine[Any, Any, Any]], *faults: WireFault, seed: int = 7
) -> Played:
    sim = Simulation(seed)
    sim.network.plan = plan = WirePlan(faults, chance=Random(seed))
    value = sim.run(program(sim))
    return Played(value, sim.clock.now, sim.trace.lines, dict(plan.fired), sim.trace.digest())


@asynccontextmanager
async def website(sim: Simulation, app: web.Application, host: str = HOST) -> AsyncIterator[int]:
    """Serve an application on a port of this machine, and lead a name there."""
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        sim.network.publish(host, port)
        yield port
    finally:
        await runner.cleanup()


class Recorder(asyncio.Protocol):
    """Notes what a transport tells its protocol."""

    def __init__(self, notes: list[Any] | None = None, *, stays_open: bool = False) -> None:
        self.notes = [] if notes is None else notes
        self.stays_open = stays_open
        self.transport: Any = None
        self.received = b""
        self.lost: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.notes.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.notes[-1] != "data":
            self.notes.append("data")

    def eof_received(self) -> bool:
        self.notes.append("eof")
        self.ended.set()
        return self.stays_open

    def pause_writing(self) -> None:
        self.notes.append("pause")

    def resume_writing(self) -> None:
        self.notes.append("resume")

    def connection_lost(self, error: BaseException | None) -> None:
        self.notes.append(f"lost {type(error).__name__}")
        self.lost.set_result(error)


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Recorder, Recorder]]:
    """Connect two recorders through a server on this machine; give the client's first."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Queue[Recorder] = asyncio.Queue(1)

    class Server(Recorder):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            accepted.put_nowait(self)

    server = await loop.create_server(lambda: Server(**options), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        _, client = await loop.create_connection(lambda: Recorder(**options), "127.0.0.1", port)
        far = await accepted.get()
        yield client, far
        for end in (client, far):
            if not end.lost.done():
                end.transport.abort()
        await asyncio.sleep(0)
    finally:
        server.close()
