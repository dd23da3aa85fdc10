from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.events import RunSummary
from asyncflow.report.canvas import Look, Piece, cells, text_of
from asyncflow.report.runs import ScenarioRow, flows_table, runs_table, scenarios_table, took
from asyncflow.report.table import Column, table
from tests.events import HEADER

NOW = HEADER.started


def run(name, flow, state, age, length, *, tasks=4, attempts=4, faults=0, scenario=None):
    header = replace(HEADER, name=name, flow=flow, scenario=scenario, started=NOW - age)
    ended = None if length is None else NOW - age + length
    return RunSummary(header, state, ended, tasks, attempts, faults)


RUNS = [
    run("quiet-heron", "complaints etl", "Failed", 12, 0.413, faults=2, scenario="fail_parse"),
    run("calm-otter", "complaints etl", "Running", 3, None, attempts=2),
    run("violet-turaco", "posts_etl", "Success", 500, 6.58, attempts=10, faults=5, scenario="flaky"),
    run("brisk-gecko", "nightly load", "TimedOut", 90_000, 3700, tasks=1200, attempts=1321),
]


def texts(lines):
    return [text_of(line) for line in lines]


def test_the_list_of_runs_tells_state_counts_lengths_and_ages():
    assert texts(runs_table(RUNS, NOW, Look())) == [
        "state       run            flow            tasks  tries  faults       took    started  scenario",
        "✗ Failed    quiet-heron    complaints etl      4      4    ⚡ 2     413 ms   12 s ago  fail_parse",
        "▸ Running   calm-otter     complaints etl      4      2                3 s    3 s ago",
        "✓ Success   violet-turaco  posts_etl           4     10    ⚡ 5     6.58 s  8 min ago  flaky",
        "◷ TimedOut  brisk-gecko    nightly load    1,200  1,321          1 h 1 min    1 d ago",
    ]


def test_columns_that_matter_less_give_way_on_narrow_terminals():
    assert texts(runs_table(RUNS, NOW, Look(width=60, unicode=False, encoding="ascii"))) == [
        "state       run            flow              started",
        "x Failed    quiet-heron    complaints etl   12 s ago",
        "> Running   calm-otter     complaints etl    3 s ago",
        "+ Success   violet-turaco  posts_etl       8 min ago",
        "t TimedOut  brisk-gecko    nightly load      1 d ago",
    ]


def test_a_run_that_is_not_over_has_taken_until_now():
    assert (took(RUNS[1], NOW), took(RUNS[1], NOW - 60)) == (3, 0)


def test_flows_are_told_by_their_runs_and_those_that_never_ran_are_listed():
    assert texts(flows_table(RUNS, NOW, Look(), known=["brand new"])) == [
        "flow            runs  succeeded       took  last        run              started",
        "brand new          0                        never ran",
        "complaints etl     2          0     413 ms  ✗ Failed    quiet-heron     12 s ago",
        "posts_etl          1          1     6.58 s  ✓ Success   violet-turaco  8 min ago",
        "nightly load       1          0  1 h 1 min  ◷ TimedOut  brisk-gecko      1 d ago",
    ]


def test_scenarios_are_told_with_title_world_and_flow():
    rows = [ScenarioRow("fail_parse", "A parse error stops the load", "real", "examples:complaints_etl")]
    assert texts(scenarios_table(rows, Look())) == [
        "scenario    title                         world  flow",
        "fail_parse  A parse error stops the load  real   examples:complaints_etl",
    ]
    assert texts(scenarios_table(rows, Look(width=36))) == [
        "scenario    title",
        "fail_parse  A parse error stops the…",
    ]


def test_empty_lists_say_so():
    assert texts(runs_table([], NOW, Look())) == [
        "No runs are kept here yet. Make one: python -m asyncflow run FLOW"
    ]
    assert texts(flows_table([], NOW, Look())) == ["No flows are known here yet."]
    assert texts(scenarios_table([], Look())) == ["No scenarios were found."]


def test_a_table_that_can_not_fit_is_cropped():
    pieces = [[Piece("a long text") for _ in range(4)]]
    assert texts(table([Column(name) for name in "abcd"], pieces, Look(width=24))) == [
        "a         b         c…",
        "a long…   a long…   a l…",
    ]


@settings(max_examples=50)
@given(st.lists(st.lists(st.text(max_size=40), min_size=3, max_size=3), max_size=5), st.integers(20, 120))
def test_a_table_is_never_wider_than_the_terminal(rows, width):
    look = Look(width=width)
    pieces = [[Piece(look.clean(text)) for text in row] for row in rows]
    for line in table([Column("a"), Column("b", right=True, gives_way=1), Column("c")], pieces, look):
        assert cells(text_of(line)) <= width
