from __future__ import annotations

import pytest

from asyncflow.draw.summary import summary
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, SINGLE, graph_of


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (COMPLAINTS, "Flow complaints etl: 4 tasks, 3 dependencies"),
        (
            COMPLAINTS_RUN,
            "Flow complaints etl: 4 tasks, 3 dependencies; 2 Success, 1 Failed, 1 Trigger failed",
        ),
        (SINGLE, "Flow a flow: 1 task, 0 dependencies"),
        (EMPTY, "Flow nothing: 0 tasks, 0 dependencies"),
        (graph_of("a b", "a>b:x", "a~b", name="one\nline"), "Flow one line: 2 tasks, 1 dependency"),
    ],
)
def test_a_sentence_says_what_there_is(graph, sentence):
    assert summary(graph) == sentence
