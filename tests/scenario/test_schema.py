from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given

from asyncflow.scenario.actions import ACTIONS
from asyncflow.scenario.load import loads
from asyncflow.scenario.schema import scenario_schema
from tests.scenario.json_schema import accepts
from tests.scenario.strategies import scenarios
from tests.scenario.test_format import TAXONOMY, data_of, read_fault, relaxed
from tests.scenario.test_load import BROKEN, EXAMPLE
from tests.scenario.toml import write

SCHEMA = scenario_schema()

WIDER = {
    # What a schema can't say, or says for each word of the file alone.
    *("a service that nothing stands in for", "a path that is none", "a text said twice"),
    *("a step without inside", "a site without its name", "two wrong results"),
    *(
        "a result of a signal that has none",
        "ENDRUN without a state",
        "ENDRUN with a state that is not final",
    ),
    *("a window that ends before it begins", "a window of nothing", "a wrong length that is right"),
    *("a timeout of zero", "a policy that is there and is not", "a hedge without a moment"),
    *("a fallback to nothing", "a delay that is drawn twice"),
    *("two fallbacks in one", "a range that holds nothing", "an empty range", "rows that claim nothing"),
    *("rows that are counted twice", "a number that is too large"),
    # Which places on the wire go with a word, and at which times.
    *("a look-up that is refused", "a byte of a look-up", "a look-up that is reset", "a path on the wire"),
    *("a byte of a partition", "a request without its part", "half a close in both directions"),
    *("a partition for good", "a reset of all connections at no time", "a clog without an end"),
    *("a jitter that would turn back time", "a wrong length where there is none"),
}


def test_the_example_is_accepted() -> None:
    assert accepts(SCHEMA, tomllib.loads(EXAMPLE), SCHEMA)


@pytest.mark.parametrize("row", TAXONOMY.values(), ids=TAXONOMY.keys())
def test_every_kind_of_fault_is_accepted(row: str) -> None:
    fault = data_of(read_fault(row))
    assert accepts({"$ref": "#/$defs/Fault"}, fault, SCHEMA)
    assert not accepts({"$ref": "#/$defs/Fault"}, fault | {"do": "rase"}, SCHEMA)
    foreign = next(key for key in ("shift", "grace") if key not in fault)
    assert not accepts({"$ref": "#/$defs/Fault"}, fault | {foreign: "5s"}, SCHEMA)


@relaxed
@given(scenarios())
def test_every_valid_scenario_is_accepted(data: dict[str, Any]) -> None:
    loads(write(data))
    assert accepts(SCHEMA, data, SCHEMA)


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in WIDER])
def test_what_the_loader_refuses_the_schema_refuses(name: str) -> None:
    try:
        data = tomllib.loads(BROKEN[name][0])
    except (ValueError, RecursionError):
        return
    assert not accepts(SCHEMA, data, SCHEMA)


@pytest.mark.parametrize("name", sorted(WIDER))
def test_what_the_schema_can_not_say_is_known(name: str) -> None:
    assert accepts(SCHEMA, tomllib.loads(BROKEN[name][0]), SCHEMA)


def test_the_schema_is_json_and_names_every_action_word() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$defs"]["Fault"]["properties"]["do"]["enum"] == list(
        dict.fromkeys(action.do for action in ACTIONS)
    )
    assert '"type": "null"' not in json.dumps(SCHEMA)
    assert scenario_schema() == SCHEMA
