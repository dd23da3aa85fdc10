"""`process=True` bodies: real processes, one per attempt, of which nothing is left behind."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asyncflow import ambient, flow, task
from asyncflow.engine import processes
from asyncflow.engine.processes import Processes
from asyncflow.errors import InvalidTask, NotInFlow, NotPicklable, ProcessDied
from asyncflow.sim import run as simulated
from tests.engine import process_bodies as bodies
from tests.engine.kit import states as final
from tests.waiting import until

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups")
process = pytest.mark.process


def of(body, *args, **kwargs):
    """Run a flow of one call and return the run."""
    return flow(name="f")(lambda: body(*args, **kwargs)).run()


def in_sim(body, *args, **kwargs):
    """Run a flow of one call in a simulated world and return the run."""

    async def story():
        return await (await flow(name="f")(lambda: body(*args, **kwargs)).start()).wait()

    return simulated(story())


def is_alive(pid):
    """Whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def open_files():
    return len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Every process is gone and every pipe closed when the test is over."""
    before = open_files()
    yield
    assert processes._alive == {}
    until(lambda: open_files() <= before, "pipes to be closed", 5)
    if os.name == "posix":
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


IN_BOTH = [pytest.param(of, id="real", marks=process), pytest.param(in_sim, id="simulated")]


@pytest.mark.parametrize("run", IN_BOTH)
def test_a_body_gets_its_arguments_and_gives_its_result(run):
    assert run(bodies.add, 40, b=3).tasks[0].state.result == 43


@process
def test_each_attempt_has_a_process_of_its_own_whose_parent_is_this_one():
    run = flow(name="f")(lambda: [bodies.whereabouts(), bodies.whereabouts()]).run()
    (one, parent), (two, other_parent) = run.result()
    assert len({one, two, os.getpid()}) == 3
    assert parent == other_parent == os.getpid()


@process
def test_an_async_body_runs_on_a_loop_of_its_own():
    pid, name = of(bodies.on_a_loop_of_its_own).tasks[0].state.result
    assert pid != os.getpid()
    assert name == "on_a_loop_of_its_own"


def test_an_async_body_runs_on_the_loop_of_a_simulated_world():
    assert in_sim(bodies.on_a_loop_of_its_own).tasks[0].state.result == (os.getpid(), "on_a_loop_of_its_own")


@pytest.mark.parametrize("run", IN_BOTH)
def test_a_body_works_on_a_copy_of_its_arguments(run):
    values = [1, 2, 3]
    assert run(bodies.changes, values).tasks[0].state.result == [1, 2, 3, 4]
    assert values == [1, 2, 3]


@process
@pytest.mark.parametrize("limit", [{}, {"timeout": None, "deadline": 60}], ids=["timeout", "deadline"])
def test_the_body_knows_whose_attempt_it_is_and_has_an_empty_input(limit):
    run = of(bodies.about.with_options(**limit) if limit else bodies.about)
    told = run.tasks[0].state.result
    assert 0 < told.pop("remaining") <= 60
    assert told == {
        "name": "about",
        "key": "about",
        "attempt": 1,
        "hedge": 0,
        "idempotency_key": f"{run.id}/about",
        "log": {"flow": "f", "run": run.name, "task": "about", "attempt": 1},
        "stdin": "",
    }


@process
def test_an_exception_comes_back_as_itself_with_its_notes_and_the_traceback_of_the_child():
    (task_run,) = of(bodies.raises, "value").tasks
    error = task_run.error()
    assert (type(error), str(error)) == (ValueError, "no")
    assert error.__notes__[0] == "a note"
    assert 'process_bodies.py", line' in str(error.__cause__)
    assert "in raises" in str(error.__cause__)


@pytest.mark.parametrize("run", IN_BOTH)
@pytest.mark.parametrize(
    ("kind", "text"),
    [("odd", "Odd: a b (the exception itself can't travel"), ("unpicklable", "Unpicklable: held (the exc")],
)
def test_an_exception_that_can_not_travel_has_a_stand_in(run, kind, text):
    error = run(bodies.raises, kind).tasks[0].error()
    assert type(error) is NotPicklable
    assert str(error).startswith(text)


@pytest.mark.parametrize("run", IN_BOTH)
@pytest.mark.parametrize(("kind", "state"), [("skip", "Skipped"), ("endrun", "Failed")])
def test_signals_come_back(run, kind, state):
    (task_run,) = run(bodies.raises, kind).tasks
    assert (task_run.state.name, task_run.state.message) == (
        state,
        {"skip": "nothing to do", "endrun": "enough"}[kind],
    )


@pytest.mark.parametrize("run", IN_BOTH)
def test_a_task_can_not_be_called_in_there(run):
    assert type(run(bodies.raises, "calls a task").tasks[0].error()) is NotInFlow


@pytest.mark.parametrize("run", IN_BOTH)
def test_a_result_that_can_not_travel_fails_the_task(run):
    error = run(bodies.returns_a_lock).tasks[0].error()
    assert type(error) is NotPicklable
    assert str(error).startswith(
        "the result of task 'returns_a_lock' can't travel between processes: TypeErr"
    )


@pytest.mark.parametrize("run", IN_BOTH)
def test_an_argument_that_can_not_travel_fails_the_task(run):
    error = run(bodies.takes, threading.Lock()).tasks[0].error()
    assert type(error) is NotPicklable
    assert str(error).startswith("an argument of task 'takes' can't travel")


@process
@posix
@pytest.mark.parametrize(("how", "text"), [("exit", "exit code 3"), ("kill", "signal 9 (SIGKILL)")])
def test_a_process_that_dies_is_a_failure_that_says_how(how, text):
    error = of(bodies.dies, how).tasks[0].error()
    assert type(error) is ProcessDied
    assert str(error) == f"the process of task 'dies' died without a result: {text}"


@process
def test_what_a_body_prints_goes_where_it_would_go_otherwise(capfd):
    assert of(bodies.prints).state.is_success()
    said = capfd.readouterr()
    assert ("to stdout" in said.out, "to stderr" in said.err) == (True, True)


@pytest.mark.real_time("it waits for other processes, which nothing but a look can tell")
@process
@posix
@pytest.mark.parametrize("stubborn", [False, True], ids=["gives in", "ignores SIGTERM"])
def test_a_timeout_ends_the_process_and_what_it_started(tmp_path, stubborn, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.2)
    body = bodies.waits.with_options(timeout=8 if os.environ.get("CI") else 4)
    run = of(body, str(tmp_path), stubborn=stubborn, helper=True)
    assert final(run) == {"waits": "TimedOut"}
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    until(lambda: not any(map(is_alive, pids)), "the processes to be gone", 5)


@process
@posix
def test_cancelling_a_run_ends_the_process_before_the_run_is_final(tmp_path):
    async def story():
        run = await flow(name="f")(lambda: bodies.waits(str(tmp_path))).start()
        while not (tmp_path / "pids").exists():
            await asyncio.sleep(0.005)
        run.cancel()
        await run.wait()
        return run, is_alive(int((tmp_path / "pids").read_text()))

    run, alive = asyncio.run(story())
    assert final(run) == {"waits": "Cancelled"}
    assert not alive


@process
@posix
def test_what_a_body_leaves_running_is_ended_with_it():
    pid = of(bodies.leaves_a_helper).tasks[0].state.result
    until(lambda: not is_alive(pid), "the helper to be gone", 5)


@process
def test_heartbeats_travel_and_the_next_attempt_gets_the_last_one():
    run = of(bodies.beats)
    assert run.tasks[0].state.result == {"row": 7}
    assert run.tasks[0].attempt == 2


@process
def test_no_more_processes_run_at_once_than_the_bound(tmp_path):
    with ambient.entered(ambient.World()) as world:
        world.processes = Processes(1)
        run = flow(name="f")(lambda: [bodies.measures(0.05, str(tmp_path)) for _ in range(3)]).run()
    assert run.state.is_success()
    times = sorted(tuple(map(float, file.read_text().split())) for file in tmp_path.iterdir())
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(times))
    assert len(times) == 3


@process
def test_a_body_that_waits_for_its_turn_is_taken_back(tmp_path):
    async def story():
        run = await flow(name="f")(
            lambda: [bodies.waits(str(tmp_path)), bodies.measures(0, str(tmp_path))]
        ).start()
        while not (tmp_path / "pids").exists():
            await asyncio.sleep(0.005)
        run.tasks["measures"].cancel()
        run.tasks["waits"].cancel()
        return await run.wait()

    with ambient.entered(ambient.World()) as world:
        world.processes = Processes(1)
        run = asyncio.run(story())
    assert final(run) == {"waits": "Cancelled", "measures": "Cancelled"}
    assert [file.name for file in tmp_path.iterdir()] == ["pids"]


PROGRAM = """
from dataclasses import dataclass
import os, sys, time
from asyncflow import flow, task

@dataclass
class Point:
    x: int

@task(process=True)
def move(point: Point) -> Point:
    return Point(point.x + 1)

@task(process=True)
def wait(path):
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".part", path)
    time.sleep(60)

@flow
async def f():
    return await move(Point(1))

@flow
async def hang(path):
    wait(path)

if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(f.run().result())
    else:
        hang.run(path=sys.argv[1])
"""


@process
@pytest.mark.parametrize("form", ["file", "-m", "asyncflow run"])
def test_a_program_of_one_file_may_declare_its_bodies_in_it(tmp_path, form):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = {
        "file": ["program.py"],
        "-m": ["-m", "program"],
        "asyncflow run": ["-m", "asyncflow", "run", "program.py:f", "--json"],
    }[form]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Point(x=2)" in done.stdout or '"Success"' in done.stdout, done.stdout


@process
def test_a_program_that_runs_its_flow_on_import_is_told_what_to_write(tmp_path):
    lines = PROGRAM.split("if __name__")[0] + "run = f.run()\nprint(run.tasks[0].state.message)\n"
    (tmp_path / "program.py").write_text(lines, encoding="utf-8")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 'that run flows below `if __name__ == "__main__":`' in done.stdout, done.stderr


@process
@posix
@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_process_ends_with_the_one_that_started_it(tmp_path, end):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    mark = tmp_path / "pid"
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "program.py", str(mark)], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}
    )
    try:
        until(mark.exists, "the body to begin")
        pid = int(mark.read_text())
        assert is_alive(pid)
        getattr(parent, end)()
        until(lambda: not is_alive(pid), "the child to be gone", 5)
    finally:
        parent.kill()
        parent.wait()


def nested():
    def inner(): ...

    return inner


@pytest.mark.parametrize(
    ("fn", "text"),
    [
        (lambda: None, "can't run a lambda"),
        (nested(), "defined inside a function; move it to the top"),
        (functools.partial(print, 1), "another process can import"),
        ("".join, "another process can import"),
    ],
)
def test_what_another_process_can_not_import_is_refused_at_declaration(fn, text):
    with pytest.raises(InvalidTask, match=text):
        task(process=True)(fn)


@process
def test_one_declared_at_a_prompt_is_refused():
    code = "def f(): ...\ntry:\n    task(process=True)(f)\nexcept Exception as e: print(e)"
    code = f"from asyncflow import task\n{code}"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True
    )
    assert "it was not declared in a file" in done.stdout, done.stderr
