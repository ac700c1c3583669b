"""Many training runs, each in a process of its own, wherever an executor has them.

What is done is decided by the run directories, never by what a process returns.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich.progress import TaskID

from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.display import LOG, Stage
from metalocus.experiments.folders.lease import require_writable
from metalocus.experiments.folders.places import MOST, folder_of_run, part
from metalocus.experiments.folders.progress import read_progress
from metalocus.experiments.probes.rows import counted
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.records import is_done
from metalocus.experiments.sweeps.checked import require_possible_once
from metalocus.experiments.sweeps.executors.base import Executor
from metalocus.experiments.sweeps.executors.chosen import executor
from metalocus.experiments.sweeps.journal import Journal, journal
from metalocus.experiments.sweeps.order import (
    BUSY,
    DONE,
    FAILED,
    FINAL,
    FULL,
    NO_LIMITS,
    Limits,
    Order,
    Outcome,
    RunFailed,
)

ATTEMPTS = 3
POLL_SECONDS = 0.5
BUSY_SECONDS = 5.0
"""Before a run that another process makes is asked for again: a heartbeat of its lease."""
READERS = 16
"""Threads that look for what is done: on a network file system each waits most of its time."""
UNFINISHED = "its worker left it unfinished"


def sweep(
    configs: Iterable[RunConfig],
    out: Path,
    by: Executor | None = None,
    limits: Limits = NO_LIMITS,
    shard: tuple[int, int] = (1, 1),
) -> dict[str, Path]:
    """Make every run that is not done yet under ``out``; folders by run name.

    A run that another process is making is waited for, and shared.

    An interrupt asks all workers to save and end; what they have saved is continued by the next
    call. A finished run that is damaged is reported as one that failed, and left as it is.

    Args:
        configs: the runs; equal ones are made once.
        out: folder of runs; parted if they are over a thousand.
        by: what carries them out; None for the executor of this context.
        limits: of one attempt at one run.
        shard: which part of the runs to make, and of how many: (2, 8) is the second of eight.

    Raises:
        InvalidTask: a config describes no run; none is begun.
        WrongUse: ``out`` cannot be written; none is begun.
        RunFailed: after all others are finished.
    """
    wanted = {config.name: config for config in configs}
    for config in wanted.values():
        require_possible_once(config)
    chosen = {name: wanted[name] for name in in_shard(wanted, shard)}
    folders = {name: folder_of_run(out, name) for name in chosen}
    done, damaged = _done(folders)
    missing = [config for name, config in chosen.items() if name not in {*done, *damaged}]
    failures = dict(damaged)
    if missing:
        require_writable(out)
        if len(wanted) > MOST:
            part(out)
        # long runs first leave no idle core at the end
        missing.sort(key=lambda config: -config.steps)
        orders = [Order(out.absolute(), each.name, each.to_json(), limits) for each in missing]
        with journal(out, wanted, _command()) as book:
            book.known(sorted(done))
            crew = _Crew(by or executor(), book, orders, missing, out)
            failures |= crew.make(len(chosen), len(done))
        folders = {name: folder_of_run(out, name) for name in chosen}
    if failures:
        name, reason = next(iter(failures.items()))
        more = f" ({len(failures)} runs failed)" if len(failures) > 1 else ""
        others = [each for each in chosen if each not in failures]
        raise RunFailed(f"{name} failed: {reason}{more}; repeat the command to continue", others)
    return folders


def in_shard(names: Iterable[str], shard: tuple[int, int]) -> list[str]:
    """The names of runs that are a shard's: (2, 8) is the second of eight."""
    number, of = shard
    return sorted(set(names))[number - 1 :: of]


def _command() -> str:
    """What a shell takes to run the command of this process again, from any folder."""
    command = shlex.join(["metalocus", *sys.argv[1:]])
    return f"cd {shlex.quote(os.getcwd())} && {command}"


def _done(folders: Mapping[str, Path]) -> tuple[list[str], dict[str, str]]:
    """Runs that are finished and whole, and those that are finished and damaged, with reasons."""
    done, damaged = [], {}

    def look(folder: Path) -> bool | str:
        try:
            return is_done(folder)
        except Corrupt as error:
            return str(error)

    with ThreadPoolExecutor(READERS) as pool:
        for name, found in zip(folders, pool.map(look, folders.values()), strict=True):
            if isinstance(found, str):
                damaged[name] = found
            elif found:
                done.append(name)
    return done, damaged


class _Crew:
    """Orders in work and orders to come, tried again as often as is of use.

    Args:
        by: what carries them out.
        book: where it is written down.
        orders: in their order.
        configs: of the orders.
        out: folder of runs, for messages.
    """

    def __init__(
        self,
        by: Executor,
        book: Journal,
        orders: Sequence[Order],
        configs: Sequence[RunConfig],
        out: Path,
    ) -> None:
        self.by, self.book, self.out = by, book, out
        self.configs = {config.name: config for config in configs}
        self.waiting, self.working = deque(orders), dict[str, Order]()
        self.attempts: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.told = set[str]()
        self.not_before: dict[str, float] = {}
        self.steps_done = 0

    def make(self, total: int, before: int) -> dict[str, str]:
        """Carry all orders out; reasons of those that failed, by name.

        Args:
            total: runs that are asked for.
            before: runs that were done.
        """
        LOG.info("training: %s, %s done before, in %s", counted(total, "run"), before, self.out)
        steps, ended = sum(config.steps for config in self.configs.values()), before
        with Stage("training", steps, "runs") as stage, self.by as by:
            by.begin(list(self.waiting))
            bars = _Bars(stage)
            while self.waiting or self.working:
                self._submit()
                for order, outcome in self._ended():
                    final, reason = self._judge(order, outcome)
                    bars.end(order.name)
                    if final:
                        ended += 1
                        config = self.configs[order.name]
                        self.steps_done += config.steps
                        stage.update(self.steps_done)
                        failed = f", FAILED: {reason}" if reason else ""
                        stage.finished(f"{config.title} in {config.name}{failed}", ended, total)
                if stage.live:
                    states = f"{ended - len(self.failures)} done, {len(self.working)} running"
                    states += f", {len(self.failures)} failed" if self.failures else ""
                    bars.draw(self.working.values(), self.configs, self.steps_done, states)
        return self.failures

    def _submit(self) -> None:
        """Give the executor as much as it takes at once."""
        while len(self.working) < self.by.slots:
            now = time.monotonic()
            due = (each for each in self.waiting if self.not_before.get(each.name, now) <= now)
            order = next(due, None)
            if order is None:
                return
            self.waiting.remove(order)
            self.attempts[order.name] += 1
            self.working[order.name] = order
            self.book.begun(order, self.attempts[order.name])
            self.by.submit(order)

    def _ended(self) -> list[tuple[Order, Outcome]]:
        """Orders that have ended since; waits a moment for the first."""
        if self.working:
            return self.by.ended(POLL_SECONDS)
        time.sleep(POLL_SECONDS)  # all that is left is made by others
        return []

    def _judge(self, order: Order, outcome: Outcome) -> tuple[bool, str]:
        """Whether a run is at its end, and why it failed, if it did."""
        del self.working[order.name]
        reason = "" if outcome.code == DONE else outcome.reason
        if not reason:
            done, damaged = _done({order.name: order.folder})
            reason = "" if done else damaged.get(order.name, UNFINISHED)
        if reason and outcome.code == DONE:
            outcome = replace(outcome, code=FAILED, said=reason)
        attempt, busy = self.attempts[order.name], outcome.code == BUSY
        again = busy or (bool(reason) and outcome.code not in FINAL and attempt < ATTEMPTS)
        self.book.ended(order, attempt, outcome, again)
        if busy:
            self.attempts[order.name] -= 1
            self.not_before[order.name] = time.monotonic() + BUSY_SECONDS
            self._tell_once(logging.INFO, order.name, f"{reason.partition(';')[0]}; waiting for it")
        elif not reason and outcome.warning:
            self._tell_once(logging.WARNING, order.name, outcome.warning)
        if again:
            self.waiting.append(order)
        elif reason:
            self.failures[order.name] = reason
        if outcome.code == FULL:
            self._give_up("not begun, since the disk is full")
        return not again, reason

    def _tell_once(self, level: int, name: str, said: str) -> None:
        """A line about a run; what many runs say is told of the first."""
        if said not in self.told:
            LOG.log(level, "%s: %s", name, said)
            self.told.add(said)

    def _give_up(self, reason: str) -> None:
        """Begin nothing more."""
        for order in self.waiting:
            self.failures[order.name] = reason
            self.book.ended(order, 0, Outcome(FULL, reason), False)
        self.waiting.clear()


class _Bars:
    """A bar for each run in work, on a terminal."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.bars = stage, dict[str, TaskID]()

    def draw(
        self,
        working: Iterable[Order],
        configs: Mapping[str, RunConfig],
        steps: int,
        states: str,
    ) -> None:
        """Show how far each is, and all together."""
        progress = self.stage.progress
        for order in working:
            found = read_progress(order.folder)
            if found is None:
                continue
            config = configs[order.name]
            if order.name not in self.bars:
                self.bars[order.name] = progress.add_task("", total=max(config.steps, 1))
            said = ", ".join(part for part in (config.title, str(found)) if part)
            progress.update(self.bars[order.name], completed=found.steps, description=said)
            steps += found.steps
        self.stage.update(steps, states)

    def end(self, name: str) -> None:
        """A run is no longer in work."""
        if name in self.bars:
            self.stage.progress.remove_task(self.bars.pop(name))
