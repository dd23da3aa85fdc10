from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

import pytest

from tests.shape.source import MODULES, PACKAGE, ROOT, Function, Module, below, floors

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

CLOCKS = {
    *(f"time.{name}{unit}" for unit in ("", "_ns") for name in ("time", "monotonic", "perf_counter")),
    *(
        f"time.{name}{unit}"
        for unit in ("", "_ns")
        for name in ("process_time", "thread_time", "clock_gettime")
    ),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
}
CHANCE = {"os.urandom", "os.getrandom", "random.SystemRandom"}
IDENTITY = {"uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.getnode"}

WAITING = {
    "asyncio",
    "threading",
    "time",
    "sqlite3",
    "socket",
    "ssl",
    "subprocess",
    "selectors",
    "multiprocessing",
}
DATABASES = {"sqlite3", "aiosqlite"}
SPEAK_SQL = (
    "asyncflow.store",
    "asyncflow.sim.disk",
    "asyncflow.sim.sqlite",
    "asyncflow.tasks",
    "asyncflow.examples",
    "asyncflow.scenario.rows",
    "asyncflow.cli",
)
OWN_TIME_AND_CHANCE = (
    "asyncflow.ambient",
    "asyncflow.sim.entropy.chance",  # it names what it replaces
)
SPEAK_HTTP = ("asyncflow.net", "asyncflow.lookups", "asyncflow.examples")


def is_banned(name: str) -> bool:
    """Whether a name reads a clock, draws chance or makes an id."""
    if name in CLOCKS | CHANCE | IDENTITY or name.startswith("secrets."):
        return True
    return name.startswith("random.") and name.split(".")[1] != "Random"


def lies_in(module: Module, places: Iterable[str]) -> bool:
    return any(module.name == place or module.name.startswith(f"{place}.") for place in places)


def top(name: str) -> str:
    return name.split(".")[0]


def test_the_source_that_is_looked_at_is_this_checkout():
    assert PACKAGE == ROOT / "asyncflow"
    assert len(MODULES) > 100


# ------------------------------------------------------------------ size and words


def test_no_module_is_longer_than_the_limit():
    lengths = {module.name: len(module.text.splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_the_limit():
    lengths = {
        f"{module}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module in MODULES
        for node in module.nodes
        if isinstance(node, Function)
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def is_overload(node: ast.AST) -> bool:
    return isinstance(node, Function) and any(
        isinstance(decorator, ast.Name) and decorator.id == "overload" for decorator in node.decorator_list
    )


def test_every_public_module_class_and_function_says_what_it_is():
    silent = [module.name for module in MODULES if not ast.get_docstring(module.tree)]
    silent += [
        name
        for module in MODULES
        for name, node in module.definitions()
        if not any(part.startswith("_") for part in name.split("."))
        and not is_overload(node)
        and not ast.get_docstring(node)
    ]
    assert silent == []


# ------------------------------------------------------------------ time, chance, identity


def strays(module: Module) -> list[str]:
    """Return where a module reads a clock, draws chance or makes an id, under whatever name."""
    found = [(line, name) for line, name in module.imports() if is_banned(name) or name.endswith("time.*")]
    found += [
        (node.lineno, module.imported(node))
        for node in module.nodes
        if isinstance(node, ast.Attribute | ast.Name) and is_banned(module.imported(node))
    ]
    found += [
        (call.lineno, "random.Random()")
        for call, name in module.calls()
        if name == "random.Random" and not (call.args or call.keywords)
    ]
    return [f"{module}:{line}: {name}" for line, name in found]


def test_only_the_world_reads_clocks_draws_chance_and_makes_ids():
    assert [
        stray for module in MODULES if not lies_in(module, OWN_TIME_AND_CHANCE) for stray in strays(module)
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\nlater = time.monotonic",
        "import time as t\nt.time_ns()",
        "from time import perf_counter as now",
        "from time import *",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import date as d\nd.today()",
        "import random\nrandom.shuffle([])",
        "from random import choice",
        "from random import Random\nRandom()",
        "from secrets import token_hex",
        "import uuid\nuuid.uuid4()",
        "def f():\n    import os\n    return os.urandom(8)",
    ],
)
def test_a_clock_is_found_under_any_name(text):
    assert strays(Module("asyncflow.somewhere", text))


@pytest.mark.parametrize(
    "text", ["from random import Random\nRandom(7)", "def f(random): random.choice([])", "import time"]
)
def test_what_reads_no_clock_is_left_alone(text):
    assert strays(Module("asyncflow.somewhere", text)) == []


# ------------------------------------------------------------------ who may know what


def test_every_part_of_the_package_has_its_floor():
    placed = {name for names in floors() for name in names}
    assert {module.part for module in MODULES} - placed <= {"", "__main__"}


def test_words_and_decisions_can_not_wait():
    allowed = (sys.stdlib_module_names - WAITING) | {"asyncflow"}
    strangers = [
        f"{module}:{line}: {name}"
        for module in MODULES
        if module.part in below("guard")
        for line, name in module.imports()
        if top(name) not in allowed
        and (module.part, name) != ("ambient", "time")
        and (module.part, top(name)) != ("schedules", "cronsim")  # pure as well
    ]
    assert strangers == []


def imported_outside(names: set[str], places: Iterable[str]) -> list[str]:
    return [
        f"{module}:{line}: {name}"
        for module in MODULES
        if not lies_in(module, places)
        for line, name in module.imports()
        if top(name) in names
    ]


def test_only_those_who_own_a_database_speak_sql():
    assert imported_outside(DATABASES, SPEAK_SQL) == []


def test_only_replicas_look_ups_and_examples_know_aiohttp():
    assert imported_outside({"aiohttp"}, SPEAK_HTTP) == []


def test_only_the_command_line_prints():
    printed = [
        f"{module}:{call.lineno}"
        for module in MODULES
        if not lies_in(module, ["asyncflow.cli"])
        for call, name in module.calls()
        if name in ("print", "builtins.print")
    ]
    assert printed == []


# ------------------------------------------------------------------ order


def is_a_set(node: ast.AST) -> bool:
    """Whether an expression is seen to be a set, whose order a hash decides."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(
            func=ast.Name(id="list" | "tuple" | "enumerate" | "iter" | "reversed"), args=[first, *_]
        ):
            return is_a_set(first)
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() | ast.Sub() | ast.BitXor(), right=right):
            return is_a_set(left) or is_a_set(right)
    return False


def walks_over_sets(module: Module) -> list[str]:
    loops = (ast.For, ast.AsyncFor, ast.comprehension)
    walked = [node.iter for node in module.nodes if isinstance(node, loops)]
    walked += [node.value for node in module.nodes if isinstance(node, ast.Starred | ast.YieldFrom)]
    walked += [node for node in module.nodes if isinstance(node, ast.Call) and is_a_set(node)
               and isinstance(node.func, ast.Name) and node.func.id in ("list", "tuple")]  # fmt: skip
    return [f"{module}:{getattr(node, 'lineno', 0)}" for node in walked if is_a_set(node)]


def test_nothing_walks_over_a_set_whose_order_a_hash_decides():
    assert [place for module in MODULES for place in walks_over_sets(module)] == []


@pytest.mark.parametrize(
    "text",
    [
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "[x for x in frozenset(y)]",
        "for i, x in enumerate(set(y)): pass",
        "z = list({y for y in x})",
        "z = [*{1, 2}]",
        "for x in set(y) - {1}: pass",
    ],
)
def test_a_walk_over_a_set_is_found(text):
    assert walks_over_sets(Module("asyncflow.somewhere", text))


def test_a_sorted_set_is_no_walk_over_a_set():
    assert walks_over_sets(Module("asyncflow.somewhere", "for x in sorted({1, 2}): pass\n3 in {1, 2}")) == []
