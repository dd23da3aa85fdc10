"""A task run whose results are kept: it looks before its first attempt, and keeps what it computed."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from asyncflow import ambient
from asyncflow.caching.canonical import Unkeyable
from asyncflow.caching.validity import NEVER_USED, Miss, Reason, hit_text, judge, stale_text
from asyncflow.engine.turns import Turns, turns_of
from asyncflow.entries import CacheEntry, CacheKey
from asyncflow.errors import NotStorable, StoreError
from asyncflow.human import instant
from asyncflow.states import Cached, Failed, State, Success, TimedOut

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


class Keeping:
    """What one task run with `cache_for` has to do with the cache.

    It looks once, when it may run. Without a valid entry it has the only turn at this key until it is final;
    others of this process wait for it, look again then, and compute themselves if it kept nothing.

    Args:
        task_run: whose results they are.
    """

    __slots__ = ("_cache", "_key", "_place", "_recipe", "_run", "_stale", "_task_run", "_waited")

    def __init__(self, task_run: TaskRun) -> None:
        assert task_run.task.recipe is not None
        self._recipe = task_run.task.recipe
        self._task_run = task_run
        self._run = task_run.run
        self._cache = task_run.run.record.store.cache
        self._key: CacheKey | None = None
        self._place: Hashable = None
        self._stale: CacheEntry | None = None
        self._waited = False

    async def look(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Cached | None:
        """Return the state of a hit; without one, take the turn at computing and return None."""
        try:
            self._key = key = self._recipe.key(args, kwargs, self._parameters())
        except Unkeyable as why:
            self._missed("no key", f"The result is not cached: {why}.")
            return None
        found = await self._found(key)
        if isinstance(found, Miss):
            await self._take_turn(key)
            if self._waited:
                found = await self._found(key)  # what it waited for may be there now
        if isinstance(found, Miss):
            self._stale = found.stale
            self._missed(found.reason, found.text)
            return None
        self.leave()
        return found

    def _parameters(self) -> Mapping[str, Any]:
        """Return the flow run's parameters; defaults are among them where the key is made of them."""
        given = self._run.parameters
        if self._recipe.caching.cache_validator.of != "parameters":
            return given
        specs = self._run.flow.parameters.values()
        return {**{spec.name: spec.default for spec in specs if not spec.required}, **given}

    async def _found(self, key: CacheKey) -> Cached | Miss:
        """Return the state of a hit, or why there is none."""
        caching, now = self._recipe.caching, self._run.wall()
        if not caching.cache_validator.reads:
            return NEVER_USED
        try:
            found = judge(await self._cache.find(key), caching, now)
            return found if isinstance(found, Miss) else self._stands_in(found, hit_text(found, now))
        except StoreError as error:
            return Miss("unreadable", f"The cache can't be read: {error}")
        except NotStorable as why:
            return Miss("unreadable", f"The cache entry can't be read: {why}.")

    async def _take_turn(self, key: CacheKey) -> None:
        place = (self._run.store, key)
        self._waited = await self._turns.take(place)
        self._place = place
        mine = asyncio.current_task()
        assert mine is not None
        mine.add_done_callback(lambda _task: self.leave())  # however it ends

    @property
    def _turns(self) -> Turns:
        return turns_of(ambient.world())

    def leave(self) -> None:
        """Give the turn to the next one, if this one has it."""
        if self._place is not None:
            place, self._place = self._place, None
            self._turns.leave(place)

    def _stands_in(self, entry: CacheEntry, text: str, *, stale: bool = False) -> Cached:
        """Return the state for an entry that stands in for the body."""
        detail = {
            "family": self._recipe.family,
            "made": entry.made,
            "expires": entry.expires,
            "run": entry.run,
            "stale": stale,
            "waited": self._waited,
        }
        state = Cached(text, entry.value(), detail)
        self._task_run.note("cache_hit", detail)
        return state

    def _missed(self, reason: Reason, text: str) -> None:
        detail = {"family": self._recipe.family, "reason": reason, "text": text, "waited": self._waited}
        self._task_run.note("cache_missed", detail)

    # ------------------------------------------------------------------ after an attempt

    def instead_of(self, proposed: State) -> State:
        """Return the state of a stale entry that stands in for a failure, or what was proposed."""
        if self._stale is None or type(proposed) not in (Failed, TimedOut):
            return proposed
        caching, now = self._recipe.caching, self._run.wall()
        try:
            text = stale_text(self._stale, caching, now, proposed.message.rstrip("."))
            return self._stands_in(self._stale, text, stale=True)
        except NotStorable:
            return proposed

    async def keep(self, final: State) -> State:
        """Keep a success for other runs and return it, saying until when; what stood in is not kept.

        Args:
            final: the success that the handlers left.
        """
        if self._key is None or type(final) is not Success or final.fell_back:
            return final
        now = self._run.wall()
        caching = self._recipe.caching
        expires = now + caching.cache_for
        gone = expires + caching.stale_if_error
        entry = CacheEntry(now, expires, gone, self._run.name, lambda: final.result)
        try:
            await self._cache.keep(self._key, entry)
        except (NotStorable, StoreError) as why:
            self._task_run.note("cache_not_kept", {"family": self._recipe.family, "text": str(why)})
            return final
        said = "" if final.message == final.default_message else f"{final.message} "
        return Success(
            f"{said}Kept until {instant(expires)}.", final.result, {**final.detail, "expires": expires}
        )
