from __future__ import annotations

import pytest

from asyncflow import ports


@pytest.mark.parametrize("slot", ["engine", "stores", "drawer"])
def test_a_slot_finds_its_module_once(slot: str) -> None:
    found = getattr(ports, slot)()
    assert found is getattr(ports, slot)()
    assert found.__name__.startswith("asyncflow.")


def test_a_slot_imports_nothing_before_it_is_asked() -> None:
    slot = ports.Slot("asyncflow.no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        slot()
