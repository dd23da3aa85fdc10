"""`asyncflow visualize`: a flow before a run, or a run with the states of its tasks, as a drawing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asyncflow.cli.command import declare
from asyncflow.cli.completion import run_names
from asyncflow.cli.endings import tell
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import Found, find_run, read, store_option
from asyncflow.cli.targets import flow_of, parameter_options, parameters_from
from asyncflow.errors import NotFound

if TYPE_CHECKING:
    from asyncflow.flow import Flow
    from asyncflow.graph import Graph


@declare(
    "visualize",
    "TARGET is a flow (package.module:flow or file.py:flow), or a run (its name or id). Without -o the "
    "drawing is printed as text.",
    examples=(
        "asyncflow visualize asyncflow.examples.complaints:complaints_etl",
        "asyncflow visualize quiet-heron -o heron.svg",
    ),
    exits={0: "drawn", 2: "the file can't be written", 4: "no such flow or run"},
)
@click.argument("target", shell_complete=run_names)
@parameter_options
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="A .svg, .pdf, .dot or .mmd file."
)
@store_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    target: str,
    pairs: tuple[str, ...],
    params: Path | None,
    output: Path | None,
    store: str | None,
) -> None:
    """Draw a flow or a run."""
    graph = _of_flow(target, pairs, params) if _names_a_flow(target) else _of_run(target, store)
    from asyncflow.draw import as_text, save

    file = None if output is None else save(graph, output)
    out = Output(settings)
    if settings.json:
        out.data(_as_data(graph, file))
    elif file is not None:
        out.text(str(file))
    else:
        out.text(as_text(graph, ascii_only=not out.look.unicode))


def _names_a_flow(target: str) -> bool:
    """Whether a target is meant as code rather than as a run, whose names and ids have no such marks."""
    return any(mark in target for mark in (":", ".", "/", "\\"))


def _of_flow(target: str, pairs: tuple[str, ...], params: Path | None) -> Graph:
    """Return a flow's graph as far as it is known before a run."""
    flow = flow_of(target)
    given = parameters_from(flow, pairs, params, partly=True)
    if not flow.task_names()[1]:
        tell(
            "Drawn up to the body's first await, since what follows depends on values; run it, and draw the "
            "run for the rest."
        )
    return _with(flow, given) if given else flow.graph()


def _with(flow: Flow[..., Any], given: dict[str, Any]) -> Graph:
    """Return the graph of a flow that is given some parameters."""
    from asyncflow.recording import Recording, sketch

    if isinstance(getattr(flow.fn, "__self__", None), Recording):
        return flow.graph()  # a recorded graph is the same for all parameters
    specs = {
        name: replace(spec, default=given[name]) if name in given else spec
        for name, spec in flow.parameters.items()
    }
    return sketch(flow.name, flow.fn, specs).graph()


def _of_run(target: str, store: str | None) -> Graph:
    """Return the graph of a recorded run, with the states of its tasks."""
    try:
        found = read(store, lambda opened: find_run(opened, target))
    except NotFound as error:
        raise NotFound(f"{error} A flow is named as package.module:flow or file.py:flow.") from error
    return graph_of(found)


def graph_of(found: Found) -> Graph:
    """Return what a run's record tells of its graph."""
    from asyncflow.graph import Edge, Graph, Node
    from asyncflow.history import fold

    history = fold(found.summary.header, found.events)
    nodes = tuple(
        Node(
            str(task.number),
            task.name if task.elements is None else f"{task.name} <map>",
            task.state.name,
        )
        for task in history.tasks
    )
    known = {task.number for task in history.tasks}
    edges = tuple(
        Edge(str(upstream), str(task.number))
        for task in history.tasks
        for upstream in task.upstream
        if upstream in known
    )
    return Graph(history.header.flow, nodes, edges)


def _as_data(graph: Graph, file: Path | None) -> dict[str, Any]:
    return {
        "v": 1,
        "flow": graph.name,
        "nodes": [{"id": node.id, "label": node.label, "state": node.state} for node in graph.nodes],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "label": edge.label,
                "ordered_only": edge.ordered_only,
            }
            for edge in graph.edges
        ],
        "file": None if file is None else str(file),
    }
