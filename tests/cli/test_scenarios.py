"""`asyncflow scenarios`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from asyncflow.cli.shapes import ScenarioRow
from asyncflow.scenario import gallery
from tests.cli.conftest import Call


def test_the_list_has_every_shipped_scenario_with_its_title(af: Call) -> None:
    shown = af("scenarios").stdout

    assert all(name in shown for name in gallery.names())
    assert "A parse error stops the load" in shown
    assert "parse_recovers --variant no-policy" in " ".join(shown.split())


def test_the_long_list_has_stories_and_variants(af: Call) -> None:
    shown = af("scenarios", "--long").stdout

    assert "The transform raises on its only attempt." in shown
    assert "--variant no-policy" in shown


def test_json_is_a_list_of_objects_that_lead_to_the_files(data: Callable[..., Any]) -> None:
    rows = msgspec.convert(data("scenarios"), list[ScenarioRow])

    assert tuple(row.name for row in rows) == gallery.names()
    assert all(Path(row.file).is_file() and row.title and row.flow for row in rows)
    assert [v.name for row in rows if row.name == "parse_recovers" for v in row.variants] == ["no-policy"]


def test_an_installation_without_scenarios_says_so(af: Call, monkeypatch: Any) -> None:
    monkeypatch.setattr(gallery, "names", lambda: ())

    assert af("scenarios").stdout.strip() == "No scenarios were found."
