"""Finds where HTTP/1.1 messages begin in the bytes of one direction, while they flow.

How long a body is follows RFC 9112, section 6: chunked coding decides, then Content-Length; without either a
request has no body, and the body of a response ends with the stream.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from math import inf
from typing import Literal, NamedTuple

PartName = Literal["head", "body"]

_LONGEST = 1000
"""So many bytes of a line are kept. What matters here is short, and a line need never end."""

_CHUNKED = -1
_BODILESS = (b"204", b"304")

_Reading = Generator[None, None, None]


class Part(NamedTuple):
    """The head or the body of a message, as far as it has been seen.

    Attributes:
        number: which message of its direction it belongs to, from 1.
        name: `head`, up to and with its empty line; or `body`, in the way in which it is sent: chunk sizes
            and trailers belong to it. A message without a body has no such part.
        start: the direction's byte with which it begins.
        end: the byte behind the last one that was seen.
    """

    number: int
    name: PartName
    start: int
    end: int


class Messages:
    """The HTTP/1.1 messages of one direction of one connection, requests or responses.

    An interim response (100 to 199, but 101) belongs to the head of the response that it announces.

    The bytes of one direction can't tell whether a response answers HEAD: give the messages of the other
    direction, or such a response is taken to have the body that its head declares. What does not look like
    HTTP/1.1, such as TLS or what follows a switch of protocols, has no parts, and neither has the rest of the
    stream then. A body whose framing is broken goes on to the end of the stream.

    Args:
        requests: the other direction, when these are responses.
    """

    def __init__(self, requests: Messages | None = None) -> None:
        self._requests = requests
        self._heads: set[int] = set()  # requests with the method HEAD that have not been answered
        self._data = b""
        self._at = 0
        self._before = 0
        self._number = 0
        self._open: tuple[PartName, int] | None = None
        self._parts: list[Part] = []
        self._reading = self._read()
        next(self._reading)

    def feed(self, data: bytes) -> list[Part]:
        """Take the next bytes, and return the parts that they belong to, in order and as far as seen.

        A part is returned again with each piece of data that goes on with it.
        """
        self._before += len(self._data)
        self._data, self._at, self._parts = data, 0, []
        next(self._reading)
        self._tell()
        return self._parts

    def answers_head(self, number: int) -> bool:
        """Return whether the request with that number has the method HEAD; ask once."""
        asked = number in self._heads
        self._heads.discard(number)
        return asked

    # ------------------------------------------------------------------ messages, one after the other

    def _read(self) -> _Reading:
        while (yield from self._first_byte()) in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            self._number += 1
            self._begin("head")
            start, fields = yield from self._head()
            while start.startswith(b"HTTP/1.1 1") and not start.startswith(b"HTTP/1.1 101"):
                start, fields = yield from self._head()
            self._finish()
            if b"HTTP/1." not in start:
                break
            if length := self._length(start, fields):
                self._begin("body")
                yield from self._chunks() if length == _CHUNKED else self._skip(length)
                self._finish()
        yield from self._skip(inf)

    def _length(self, start: bytes, fields: Mapping[bytes, bytes]) -> float:
        """Return how many bytes a body has: infinity for all that come, `_CHUNKED` when it tells itself."""
        is_response = start.startswith(b"HTTP/")
        if is_response:
            is_answer_to_head = self._requests is not None and self._requests.answers_head(self._number)
            if is_answer_to_head or start[9:12] in _BODILESS or start[9:10] == b"1":
                return 0
        elif start.startswith(b"HEAD "):
            self._heads.add(self._number)
        coding = fields.get(b"transfer-encoding")
        if coding is not None:
            return _CHUNKED if coding.lower().endswith(b"chunked") else inf
        declared = fields.get(b"content-length")
        if declared is None:
            return inf if is_response else 0
        return int(declared) if declared.isdigit() else inf

    def _head(self) -> Generator[None, None, tuple[bytes, dict[bytes, bytes]]]:
        start = yield from self._line()
        fields: dict[bytes, bytes] = {}
        while line := (yield from self._line()):
            name, _, value = line.partition(b":")
            if name.lower() in (b"content-length", b"transfer-encoding"):
                fields[name.lower()] = value.strip()
        return start, fields

    def _chunks(self) -> _Reading:
        while True:
            digits = (yield from self._line()).partition(b";")[0].strip()
            size = _hexadecimal(digits)
            if size == 0:
                break
            yield from self._skip(size)
            if (yield from self._line()):
                yield from self._skip(inf)
        while (yield from self._line()):
            pass  # trailers

    # ------------------------------------------------------------------ bytes; each `yield` waits for more

    def _first_byte(self) -> Generator[None, None, bytes]:
        """Return the first byte of the next message; empty lines before it are none of its."""
        while True:
            self._at = len(self._data) - len(self._data[self._at :].lstrip(b"\r\n"))
            if self._at < len(self._data):
                return self._data[self._at : self._at + 1]
            yield

    def _line(self) -> Generator[None, None, bytes]:
        """Return the beginning of a line, which ends with CRLF or LF, without its end."""
        kept = b""
        while (end := self._data.find(b"\n", self._at)) < 0:
            kept = (kept + self._data[self._at : self._at + _LONGEST])[:_LONGEST]
            self._at = len(self._data)
            yield
        kept = (kept + self._data[self._at : min(end, self._at + _LONGEST)])[:_LONGEST]
        self._at = end + 1
        return kept.removesuffix(b"\r")

    def _skip(self, size: float) -> _Reading:
        while size > len(self._data) - self._at:
            size -= len(self._data) - self._at
            self._at = len(self._data)
            yield
        self._at += int(size)

    # ------------------------------------------------------------------ parts

    def _begin(self, name: PartName) -> None:
        self._open = (name, self._before + self._at)

    def _tell(self) -> None:
        if self._open is not None:
            self._parts.append(Part(self._number, *self._open, self._before + self._at))

    def _finish(self) -> None:
        self._tell()
        self._open = None


def _hexadecimal(digits: bytes) -> float:
    """Return the number that is written, or infinity when none is."""
    is_number = digits and not digits.strip(b"0123456789abcdefABCDEF")
    return int(digits, 16) if is_number else inf
