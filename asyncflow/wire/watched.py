"""A pipe that looks for HTTP messages in its bytes, for rules that count from where one of them begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from asyncflow.wire.messages import Messages, Part, PartName
from asyncflow.wire.pipe import Pipe, Step
from asyncflow.wire.rules import Rule


class Pending(NamedTuple):
    """A rule whose place is not known before the message comes that it counts in.

    Attributes:
        number: which message of the direction, from 1.
        part: the part in which bytes are counted.
        byte: the byte of the part, from 0.
        is_cut: whether the rule is a cut.
        make: returns the rule for that byte of the direction.
    """

    number: int
    part: PartName
    byte: int
    is_cut: bool
    make: Callable[[int], Rule]


class WatchedPipe(Pipe):
    """A pipe with rules that find their place while bytes flow.

    A byte that the part does not have is never struck. The place right behind the last byte of a part
    belongs to it for a cut, which there comes between this part and whatever is next.

    Args:
        pending: the rules that wait for their message.
        messages: the messages of this direction.
        chance: draws jitter.
        on_strike: as of any pipe.
    """

    __slots__ = ("_messages", "_pending")

    def __init__(
        self,
        pending: Sequence[Pending],
        messages: Messages,
        chance: Random | None = None,
        on_strike: Callable[[Rule], None] | None = None,
    ) -> None:
        self._pending = list(pending)
        self._messages = messages
        super().__init__((), chance, on_strike)
        self._settle()

    def push(self, now: float, data: bytes) -> list[Step]:
        """Take bytes that are sent now, and return what will arrive of them, and when."""
        data = bytes(data)
        if self.dead is None:
            for part in self._messages.feed(data):
                self._place(part)
        return super().push(now, data)

    def _place(self, part: Part) -> None:
        """Add the rules whose byte is known to be there."""
        for pending in tuple(self._pending):
            if (pending.number, pending.part) == part[:2]:
                at = part.start + pending.byte
                if at < part.end or (at == part.end and pending.is_cut):
                    self._pending.remove(pending)
                    self.add(pending.make(at))

    def _settle(self) -> None:
        super()._settle()
        self.plain = False  # nobody may go past the messages
