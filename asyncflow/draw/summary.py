"""A graph in one sentence, for those who can't see the drawing."""

from __future__ import annotations

from collections import Counter

from asyncflow.draw.looks import look_of
from asyncflow.draw.spelling import readable
from asyncflow.draw.wiring import worth_drawing
from asyncflow.graph import Graph


def summary(graph: Graph) -> str:
    """Return how many tasks and dependencies there are, and how many tasks are in which state."""
    tasks = _counted(len(graph.nodes), "task", "tasks")
    dependencies = _counted(len(worth_drawing(graph)), "dependency", "dependencies")
    words = Counter(look.word for node in graph.nodes if (look := look_of(node.state)))
    states = ", ".join(f"{count} {readable(word)}" for word, count in words.items())
    return f"Flow {readable(graph.name)}: {tasks}, {dependencies}" + (f"; {states}" if states else "")


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
