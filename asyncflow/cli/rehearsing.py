"""Playing a scenario for the command line: prepared, followed, and listed among the ordinary runs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from asyncflow import ambient
from asyncflow.cli.endings import tell
from asyncflow.cli.hash_seed import fix_hash_seed
from asyncflow.cli.targets import importing
from asyncflow.errors import AsyncflowError, StoreError
from asyncflow.events import RunSummary

if TYPE_CHECKING:
    from asyncflow.history import RunHistory
    from asyncflow.ports import Listener, Store
    from asyncflow.scenario.format import Scenario
    from asyncflow.scenario.play import Rehearsal
    from asyncflow.scenario.verdict import Report

_FOLDER = "rehearsals"
_MEMORY = "memory"


def prepared(
    reference: str, variant: str | None, seed: int | None, world: str | None, *, owns_process: bool = False
) -> Rehearsal:
    """Return a scenario that can be played.

    Args:
        reference: the name of a shipped scenario, or a file.
        variant: the variant to play.
        seed: stands in for the file's seed.
        world: stands in for the file's world.
        owns_process: whether this process may be started again for a simulation, before a flow is imported.

    Raises:
        AsyncflowError: when it can't be found, read or played; the file is checked before anything slow is
            imported.
    """
    name, scenario = _loaded(reference, world, owns_process=owns_process)
    from asyncflow.scenario.play import prepare

    with importing(scenario.flow):
        return prepare(name, scenario, variant=variant, seed=seed)


def prepared_all(
    reference: str, variant: str | None, seed: int | None, world: str | None, *, owns_process: bool = False
) -> list[Rehearsal]:
    """Return a scenario and its variants, or the one that is named, ready to be compared.

    They are played in the simulated world when no other is asked for: there the times of all of them are
    exact, and nobody waits.

    Raises:
        AsyncflowError: as `prepared`, and when there are no variants.
    """
    name, scenario = _loaded(reference, world or "simulated", owns_process=owns_process)
    from asyncflow.scenario.compare import prepare_all

    with importing(scenario.flow):
        return prepare_all(name, scenario, variant=variant, seed=seed)


def _loaded(reference: str, world: str | None, *, owns_process: bool) -> tuple[str, Scenario]:
    """Return a scenario's name and what its file says, with another world when one is asked for."""
    from asyncflow.scenario import gallery, load

    path = gallery.find(reference)
    scenario = load.load(path)
    if world is not None:
        scenario = scenario.changed(world=world)
    if owns_process and scenario.world == "simulated":
        fix_hash_seed()
    # A file of the user's keeps its path as its name, so that the name can be typed again.
    name = path.stem if path.parent == gallery.folder() else path.as_posix()
    return name, scenario


def played(
    rehearsal: Rehearsal,
    folder: Path,
    listeners: Sequence[Listener],
    *,
    repeat: int = 1,
    told: Callable[[int], None] | None = None,
) -> Report:
    """Play a scenario, as `asyncflow.scenario.play.play` does.

    Raises:
        AsyncflowError: when a body called `sys.exit`.
        KeyboardInterrupt: after Ctrl-C.
    """
    from asyncflow.scenario.play import play

    try:
        return play(rehearsal, folder, listeners, repeat=repeat, told=told)
    except SystemExit as end:
        raise AsyncflowError(
            f"a body called sys.exit({end.code!r}), which no rehearsal survives; let it raise an error"
        ) from end


def rehearsal_folder(store: str | None) -> Path:
    """Return the folder for rehearsals, a temporary one when the usual one can't be written.

    Args:
        store: the option's value.
    """
    from asyncflow.store import data_folder

    folder = data_folder(store) / _FOLDER
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        instead = Path(tempfile.mkdtemp(prefix="asyncflow-"))
        tell(f"Warning: {folder} can't be written ({reason}); the rehearsal lies in {instead}")
        return instead


class Keeper:
    """Keeps summaries of rehearsals in the ordinary store, where lists find them.

    The store is opened before the rehearsal, so that trouble with it is told first, and never stops one.

    Args:
        store: the store that was asked for.
    """

    def __init__(self, store: str | None) -> None:
        from asyncflow.store import choose

        self._store: Store = choose(store)
        self._runner = asyncio.Runner()
        self._is_open = False

    def __enter__(self) -> Keeper:
        try:
            self._runner.run(self._store.open())
            self._is_open = True
        except StoreError as error:
            tell(f"Warning: {error}. The rehearsal goes on; `runs` will not list it.")
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._store.close())
        except StoreError as problem:
            tell(f"Warning: {problem}")
        finally:
            self._runner.close()

    def keep(self, history: RunHistory, home: Path) -> str:
        """Keep a rehearsal's summary, and return the label of the store in which `show` finds the run.

        Args:
            history: the run.
            home: the rehearsal's folder.
        """
        from asyncflow.store.location import FILE_NAME

        if self._is_open and self._store.label != _MEMORY:
            try:
                self._runner.run(self._store.keep(summary_of(history, home)))
            except StoreError as error:
                tell(f"Warning: {error}. `runs` will not list this rehearsal.")
            else:
                return self._store.label
        return str(home / FILE_NAME)


def summary_of(history: RunHistory, home: Path) -> RunSummary:
    """Return a rehearsal's line in the list of runs, which says when it was really played."""
    header = history.header
    simulated = header.world != "real"
    if simulated:
        header = replace(header, started=ambient.world().wall())
    return RunSummary(
        header=header,
        state=history.state.name,
        # A simulated run that got stuck will never go on.
        ended=header.started + history.ended if history.is_over or simulated else None,
        tasks=len(history.tasks),
        attempts=history.attempts,
        faults=len(history.faults),
        home=str(home),
    )
