"""The other side of `process=True`: what a child process does, from its first line to its end.

It is told over its standard input what to call, and answers over a pipe whose number it is given. The
standard input stays open as long as the parent lives: when it ends, so does the child, whatever it is doing.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import io
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, NoReturn

from asyncflow import ambient
from asyncflow.errors import NotInFlow, NotPicklable, full_text_of
from asyncflow.handles import scope
from asyncflow.task import Task
from asyncflow.travel import MAIN, Address, Loading, packed, stand_in

SIZE = 8
"""Bytes that say how long a message is, the largest first."""


def main(answers: int) -> None:
    """Make the one call that this process was started for.

    Args:
        answers: the number of the pipe's end for answers: of a file, on Windows of a handle.
    """
    send = _Answers(_descriptor(answers)).send
    request = sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(SIZE), "big"))
    _end_with_the_parent()
    address, program, about, arguments = pickle.loads(request)
    _Program.place = program
    value: Any = None
    try:
        fn = _found(address)
        args, kwargs = _Unpickler(io.BytesIO(arguments)).load()
        scope.set(_ChildRun(about, send))
        value = fn(*args, **kwargs)
        if inspect.iscoroutine(value):
            value = asyncio.run(_awaited(value))
        answer = ("returned", packed(value, f"the result of task {about['name']!r}"))
    except BaseException as error:  # noqa: BLE001 - raised again where the body is awaited
        send(_failure(error))
    else:
        send(answer)


async def _awaited(coroutine: Any) -> Any:
    return await coroutine


def _failure(error: BaseException) -> tuple[Any, ...]:
    """Return an exception as it travels: itself if it can, its text, and its traceback as text."""
    text = full_text_of(error)
    told = "".join(traceback.format_exception(error))
    try:
        blob = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
    except Exception as why:  # noqa: BLE001 - pickling calls the user's code
        blob = pickle.dumps(stand_in(text, NotPicklable(full_text_of(why))))
    return "raised", blob, text, told


class _Answers:
    """Sends messages to the parent, from any thread."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - it has no name
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._lock = threading.Lock()

    def send(self, message: tuple[Any, ...]) -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        rest = memoryview(len(data).to_bytes(SIZE, "big") + data)
        with self._lock, suppress(BrokenPipeError):  # the parent is gone; the other pipe says so too
            while rest:
                rest = rest[self._file.write(rest) :]


def _descriptor(number: int) -> int:
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(number, os.O_WRONLY)
    return number


def _end_with_the_parent() -> None:
    """Keep the pipe from the parent out of the body's reach, and end this process when it closes."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it stays open as long as the process
    threading.Thread(target=_outlive, args=(lifeline,), name="asyncflow-parent", daemon=True).start()


def _outlive(lifeline: int) -> None:
    with suppress(OSError):
        os.read(lifeline, 1)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


# ---------------------------------------------------------------------- finding the body


class _Program:
    """The program that the parent runs; its module is loaded when something of it is asked for."""

    place: tuple[str, str | None] | None = None
    """Its file and its package."""

    replaced: list[ModuleType | None] = []  # noqa: RUF012 - kept, since a module that is let go is emptied

    @classmethod
    def module(cls) -> ModuleType:
        known = sys.modules.get(MAIN)
        if known is None:
            if cls.place is None:
                raise ModuleNotFoundError("the program was not started from a file")
            cls.replaced.append(sys.modules.get("__main__"))
            file, package = cls.place
            Loading.now = True
            try:
                known = _loaded(MAIN, file, package, also="__main__")
            finally:
                Loading.now = False
        return known


class _Unpickler(pickle.Unpickler):
    """Finds what the parent knows under `__main__`."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("__main__", MAIN):
            _Program.module()
        return super().find_class(module, name)


def _found(address: Address) -> Callable[..., Any]:
    """Return the function at an address."""
    found: Any = _module(address)
    for name in address.qualname.split("."):
        found = getattr(found, name)
    fn: Callable[..., Any] = found.fn if isinstance(found, Task) else found
    return fn


def _module(address: Address) -> ModuleType:
    if address.module in ("__main__", MAIN):
        return _Program.module()
    if address.module in sys.modules:
        return sys.modules[address.module]
    try:
        spec = importlib.util.find_spec(address.module)
    except (ImportError, ValueError):
        spec = None
    if address.file is None or (spec is not None and spec.origin == address.file):
        return importlib.import_module(address.module)
    return _loaded(address.module, address.file)


def _loaded(name: str, file: str, package: str | None = None, also: str | None = None) -> ModuleType:
    """Load a file as a module, which is known by its name, and by another one, before its first line runs."""
    loader = SourceFileLoader(name, file)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None, "a loader of files has a spec"
    module = importlib.util.module_from_spec(spec)
    if package is not None:
        module.__package__ = package
    sys.modules[name] = module
    if also is not None:
        sys.modules[also] = module
    loader.exec_module(module)
    return module


# ---------------------------------------------------------------------- what the body sees


class _ChildRun:
    """What `current()` is in a child process: the part of a task run that its body may ask."""

    def __init__(self, about: dict[str, Any], send: Callable[[tuple[Any, ...]], None]) -> None:
        self.name: str = about["name"]
        self.key: str = about["key"]
        self.attempt: int = about["attempt"]
        self.hedge: int = about["hedge"]
        self.idempotency_key: str = about["idempotency_key"]
        self.heartbeat_detail: Any = about["heartbeat_detail"]
        self.loop_count: int = about["loop_count"]
        self.loop_result: Any = about["loop_result"]
        self.resumed: bool = about["resumed"]
        self.input: Any = about["input"]
        self._log: dict[str, Any] = about["log"]
        self._send = send
        self._clock = ambient.world().monotonic
        remaining = about["remaining"]
        self._until = None if remaining is None else self._clock() + remaining

    @property
    def remaining(self) -> float | None:
        """Seconds until the running attempt times out, or a deadline is over; None without either."""
        return None if self._until is None else max(0.0, self._until - self._clock())

    def heartbeat(self, detail: Any = None) -> None:
        """Say that the attempt is alive, and how far it is."""
        blob = packed(detail, "the detail of a heartbeat")
        self.heartbeat_detail = detail
        self._send(("beat", blob))

    def log_context(self) -> dict[str, Any]:
        """Return where a log line of the body belongs."""
        return self._log

    def map(self, task: Any, args: Any, kwargs: Any, plan: Any) -> NoReturn:
        """Refuse, as `call` does."""
        del plan
        self.call(task, args, kwargs)

    def call(self, task: Any, args: Any, kwargs: Any) -> NoReturn:
        """Refuse: the bodies of tasks call plain functions."""
        del args, kwargs
        raise NotInFlow(
            f"task {task.name!r} was called inside the body of task {self.name!r}; "
            f"call the plain function with {task.name}.fn(...), or call the task in the flow's body"
        )

    def call_flow(self, flow: Any, args: Any, kwargs: Any) -> NoReturn:
        """Refuse: only a flow's body calls child flows."""
        del args, kwargs
        raise NotInFlow(
            f"flow {flow.name!r} was called inside the body of task {self.name!r}; call it in a flow's body"
        )
