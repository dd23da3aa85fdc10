"""`asyncflow schema`: each answer fits its shape, and each shape has a schema."""

from __future__ import annotations

import json

import pytest

from asyncflow.cli.commands.schema import _WORDS
from asyncflow.cli.shapes import SHAPES
from tests.cli.conftest import Call


@pytest.mark.parametrize("word", _WORDS)
def test_each_word_prints_a_json_schema(af: Call, word: str) -> None:
    done = af("schema", word)

    schema = json.loads(done.stdout)
    assert schema["$schema"].endswith("2020-12/schema")
    assert word in schema["title"]
    assert "$defs" in schema


def test_every_shape_has_a_word() -> None:
    assert {"scenario", *SHAPES} == set(_WORDS)


def test_an_unknown_word_is_answered_with_those_that_there_are(af: Call) -> None:
    done = af("schema", "scenari")

    assert done.exit_code == 2
    assert "'scenario'" in done.stderr
