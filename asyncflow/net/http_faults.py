"""HTTP faults as plain values: what goes wrong with an answer, and with which requests.

What a client notices, with aiohttp as the example (`tests/net/test_http_strikes.py` holds this table):

| do                 | the client sees                                                                  |
| ------------------ | -------------------------------------------------------------------------------- |
| status             | an answer with that status; `raise_for_status` makes it ClientResponseError      |
| slow               | the right answer, later; TimeoutError when it is past the client's timeout       |
| hang               | TimeoutError                                                                     |
| truncate           | ClientPayloadError while reading the body                                        |
| wrong-length       | too long: ClientPayloadError; too short: ClientResponseError (bad status line)   |
| malformed-json     | a complete body that is not JSON: JSONDecodeError                                |
| reset              | ClientOSError; ClientPayloadError when it comes in the body                      |
| drip               | the right answer in small pieces; TimeoutError when it is past the timeout       |
| wrong-content-type | ContentTypeError from `response.json()`, otherwise nothing                       |

Two things about aiohttp's client that a rehearsal must know:

- It repeats a GET, PUT, DELETE, HEAD, OPTIONS or TRACE once, silently, when the connection breaks before the
  answer begins. A reset of request 1 alone therefore looks like success, with two requests at the server: let
  the fault strike requests (1, 2), or POST, to see it.
- A cut in the middle of a body that has neither Content-Length nor chunks, which only the end of the
  connection delimits, is reported as a complete body with no error at all: that is what `truncate` and
  `reset` of a body come to when the replica's framing is `eof`. A task that reads from such a server has to
  check what it got. `wrong-length` goes with the framing `length` alone, since the others declare none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from asyncflow.errors import UsageError, did_you_mean

Deed = Literal[
    "status",
    "slow",
    "hang",
    "truncate",
    "wrong-length",
    "malformed-json",
    "reset",
    "drip",
    "wrong-content-type",
]

DEEDS: tuple[str, ...] = get_args(Deed)
"""Everything that `do` may say."""

_NEEDS_SECONDS = ("slow", "drip")
_TAKES_BYTE = ("truncate", "reset", "wrong-length")


@dataclass(frozen=True, slots=True)
class HttpFault:
    """One way in which a replica misbehaves.

    Args:
        do: what it does, one of DEEDS.
        status: for `status`: the status code, 200 to 599.
        retry_after: for `status`: the value of a Retry-After header, in seconds or as an HTTP date; None
            for no header. HTTP knows whole seconds only; a fraction is sent as it stands.
        seconds: for `slow`: the delay before the answer; for `drip`: how long the body takes. Above 0.
        byte: for `truncate` and `reset`: how many bytes of the body are sent before the cut; None cuts
            `truncate` in the middle, and lets `reset` come instead of an answer. For `wrong-length`: how far
            Content-Length is off, negative for a length that is too small; None is 10 too many.
        requests: which requests are struck: the n-th, or from the first to the last of a pair, counted from 1
            among the requests that `path` lets through; None for all of them.
        path: a path; the fault strikes requests to it and below it. None for every path.

    Raises:
        UsageError: when the values do not make a fault.
    """

    do: Deed
    status: int = 503
    retry_after: float | str | None = None
    seconds: float | None = None
    byte: int | None = None
    requests: int | tuple[int, int] | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        if self.do not in DEEDS:
            hint = did_you_mean(self.do, DEEDS)
            raise UsageError(f"do={self.do!r} is not an HTTP fault; use one of {', '.join(DEEDS)}.{hint}")
        self._check_status()
        self._check_seconds()
        self._check_byte()
        self._check_requests()
        if self.path is not None and not self.path.startswith("/"):
            raise UsageError(f"path={self.path!r} must begin with '/'")

    def _check_status(self) -> None:
        if not 200 <= self.status <= 599:
            raise UsageError(f"status={self.status!r} must be 200 to 599")
        if self.retry_after is None:
            return
        if self.do != "status":
            raise UsageError(f"retry_after has no meaning for do={self.do!r}; it goes with do='status'")
        if isinstance(self.retry_after, str):
            if not self.retry_after.isprintable() or not self.retry_after.isascii():
                raise UsageError(f"retry_after={self.retry_after!r} must be one line of plain ASCII")
        elif not 0 <= self.retry_after < float("inf"):
            raise UsageError(f"retry_after={self.retry_after!r} must be 0 seconds or more")

    def _check_seconds(self) -> None:
        if self.do not in _NEEDS_SECONDS:
            if self.seconds is not None:
                raise UsageError(f"seconds has no meaning for do={self.do!r}; it goes with 'slow' and 'drip'")
        elif self.seconds is None or not 0 < self.seconds < float("inf"):
            raise UsageError(f"do={self.do!r} needs seconds above 0, not {self.seconds!r}")

    def _check_byte(self) -> None:
        if self.byte is None:
            return
        if self.do not in _TAKES_BYTE:
            raise UsageError(
                f"byte has no meaning for do={self.do!r}; it goes with {', '.join(map(repr, _TAKES_BYTE))}"
            )
        if self.do == "wrong-length":
            if self.byte == 0:
                raise UsageError("byte=0 would make the length right; use a positive or a negative number")
        elif self.byte < 0:
            raise UsageError(f"byte={self.byte!r} must be 0 or more")

    def _check_requests(self) -> None:
        bounds = self._range()
        if len(bounds) != 2 or not 1 <= bounds[0] <= bounds[1]:
            raise UsageError(
                f"requests={self.requests!r} must be a number from 1, or a pair (first, last) in that order"
            )

    def _range(self) -> tuple[float, float]:
        if self.requests is None:
            return 1, float("inf")
        if isinstance(self.requests, int):
            return self.requests, self.requests
        return self.requests

    def covers(self, path: str) -> bool:
        """Return whether a request to that path counts for this fault."""
        if self.path is None:
            return True
        below = self.path if self.path.endswith("/") else f"{self.path}/"
        return path == self.path or path.startswith(below)

    def is_due(self, number: int) -> bool:
        """Return whether the n-th request that it covers is struck, counted from 1."""
        first, last = self._range()
        return first <= number <= last
