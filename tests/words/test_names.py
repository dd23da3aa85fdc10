from __future__ import annotations

import re
from random import Random

from asyncflow.names import friendly_name


def test_a_name_is_an_adjective_and_an_animal() -> None:
    chance = Random(7)
    for _ in range(200):
        assert re.fullmatch(r"[a-z]+-[a-z]+", friendly_name(chance))


def test_one_seed_gives_one_name_and_names_differ() -> None:
    assert friendly_name(Random(7)) == friendly_name(Random(7))
    chance = Random(7)
    assert len({friendly_name(chance) for _ in range(200)}) > 190
