"""Names of hosts, as they are compared everywhere: in the redirect, in the simulated network, on the wire."""

from __future__ import annotations


def plain_host(name: object) -> str:
    """Return a host name as it is compared: lower case, no dot at the end, ASCII.

    Args:
        name: text, or bytes as resolvers pass them.
    """
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
    text = text.lower().rstrip(".")
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return text
