"""The page about scenario files says what the format says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec import structs

from asyncflow.scenario import format as tables
from asyncflow.scenario.actions import ACTIONS, Action
from asyncflow.scenario.load import loads
from asyncflow.scenario.support import LATER, built, unsupported
from asyncflow.scenario.values import SignalName

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def row(action: Action) -> str:
    keys = ", ".join(f"**`{key}`**" if key in action.needed else f"`{key}`" for key in action.known)
    return f"| {action.layer} | `{action.do}` | {keys} | {action.says} | {version(action)} |"


def version(action: Action) -> str:
    if not built(action):
        return "no"
    return "yes" if built(action, "real") else "simulated"


def table_of_actions() -> str:
    head = "| layer | `do` | keys | what happens | in this version |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *map(row, ACTIONS)])


def test_the_page_has_every_action_with_its_keys() -> None:
    found = TEXT.split("<!-- actions: begin -->\n")[1].split("\n<!-- actions: end -->")[0]
    assert found == table_of_actions()


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_page_can_be_run_in_this_version(example: str) -> None:
    assert unsupported(loads(example, "docs/scenarios.md")) == []


@pytest.mark.parametrize(
    "table",
    [
        *(tables.Scenario, tables.Service, tables.Variant, tables.Found, tables.Expect, tables.Rows),
        *(tables.PolicyOptions, tables.RetryOptions, tables.BudgetOptions, tables.BreakerOptions),
        *(tables.BulkheadOptions, tables.RateLimitOptions, tables.HedgeOptions, tables.FallbackOptions),
        *(tables.TaskAt, tables.ServiceAt, tables.StoreAt, tables.ProcessAt, tables.ClockAt, tables.PolicyAt),
    ],
)
def test_every_key_of_every_table_is_on_the_page(table: type) -> None:
    for field in structs.fields(table):
        assert re.search(rf"[`\[{{ .\"]{field.encode_name}[`\]}}, .\"=]", TEXT), field.encode_name


def test_the_page_says_which_keys_of_a_fault_are_not_built() -> None:
    for key in LATER[tables.Fault]:
        assert f"`{key}`" in TEXT.split("Not built yet:")[1].split("\n\n")[0]


def test_the_page_names_every_signal() -> None:
    assert all(f"`{name}`" in TEXT for name in get_args(SignalName))
