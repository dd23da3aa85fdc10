"""Bodies that the tests run in processes of their own; a process imports them from here."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from asyncflow import current, signals, task


class Odd(Exception):
    """An exception that pickles and can't be unpickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


class Unpicklable(Exception):
    """An exception that can't be pickled."""

    def __init__(self) -> None:
        super().__init__("held")
        self.lock = threading.Lock()


@task(process=True)
def add(a: int, b: int = 2) -> int:
    return a + b


@task(process=True)
def whereabouts() -> tuple[int, int]:
    return os.getpid(), os.getppid()


@task(process=True)
async def on_a_loop_of_its_own() -> tuple[int, str]:
    await asyncio.sleep(0)
    return os.getpid(), current().name


@task(process=True)
def changes(values: list[int]) -> list[int]:
    values.append(4)
    return values


@task(process=True, timeout=60)
def about() -> dict[str, object]:
    me = current()
    return {
        "name": me.name,
        "key": me.key,
        "attempt": me.attempt,
        "hedge": me.hedge,
        "remaining": me.remaining,
        "idempotency_key": me.idempotency_key,
        "log": me.log_context(),
        "stdin": sys.stdin.read(),
    }


@task(process=True)
def raises(kind: str) -> None:
    match kind:
        case "value":
            error = ValueError("no")
            error.add_note("a note")
            raise error
        case "odd":
            raise Odd("a", "b")
        case "unpicklable":
            raise Unpicklable
        case "skip":
            raise signals.SKIP("nothing to do")
        case "endrun":
            from asyncflow.states import Failed

            raise signals.ENDRUN(Failed("enough"))
        case "calls a task":
            add(1)


@task(process=True)
def returns_a_lock() -> object:
    return threading.Lock()


@task(process=True)
def takes(_value: object) -> None: ...


@task(process=True)
def dies(how: str) -> None:
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@task(process=True)
def prints() -> None:
    sys.stdout.write("to stdout\n")
    sys.stderr.write("to stderr\n")


@task(process=True)
def waits(folder: str, stubborn: bool = False, helper: bool = False) -> None:
    """Write the numbers of its process, and of one that it starts, and wait."""
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pids = [os.getpid()]
    if helper:
        pids.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
    ready = Path(folder, "ready")
    ready.write_text(" ".join(map(str, pids)), encoding="utf-8")
    ready.rename(Path(folder, "pids"))
    time.sleep(60)


@task(process=True)
def leaves_a_helper() -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


@task(process=True, heartbeat=30, retry=2)
def beats() -> object:
    me = current()
    if me.attempt == 1:
        me.heartbeat({"row": 7})
        raise ValueError("again")
    return me.heartbeat_detail


@task(process=True)
def measures(seconds: float, folder: str) -> None:
    """Leave two marks: when it began and when it ended."""
    began = time.time()
    time.sleep(seconds)
    Path(folder, str(os.getpid())).write_text(f"{began} {time.time()}", encoding="utf-8")
