"""How often 95% intervals cover what is known: every effect measured on fresh episodes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from metalocus.agents.catalogue import make_named
from metalocus.envs.checks import require_count
from metalocus.experiments.calibration.planted import Planted, arguments_of
from metalocus.experiments.display import Stage
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.rows import REACH, ROUNDING
from metalocus.experiments.scoring.sample import CONFIDENCE
from metalocus.experiments.sweeps.executors.chosen import in_processes

REPLICATIONS = 200
LEAST, MOST = 0.93, 0.97
"""Coverage of an interval that keeps what it says."""
BLOCK = 25
"""Replications that one task of a process makes: a second or more, against its milliseconds."""
Numbers = tuple[float | None, float | None]
"""What a replication found, and its standard error; None where there was none."""


@dataclass(frozen=True)
class Calibrated:
    """What came of one effect.

    Attributes:
        effect: that was planted.
        values, errors: found by each replication and its standard error, [R]; NaN for none.
    """

    effect: Planted
    values: Sequence[float]
    errors: Sequence[float]

    @property
    def replications(self) -> int:
        """How many there were."""
        return len(self.values)

    @property
    def constant(self) -> bool:
        """Whether the number is the same in every episode, so that nothing is uncertain."""
        return bool(np.nanmax(self.errors) <= ROUNDING)

    @property
    def missing(self) -> int:
        """Replications that found no number, which is to cover nothing."""
        return int(np.isnan(self.values).sum())

    @property
    def covered(self) -> int:
        """Replications whose interval holds what is known."""
        off = np.abs(np.array(self.values) - self.effect.known)
        return int((off <= REACH * np.array(self.errors) + ROUNDING).sum())

    @property
    def coverage(self) -> float:
        """Part of the replications whose interval holds what is known."""
        return self.covered / self.replications

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the coverage (Clopper & Pearson 1934)."""
        found = stats.binomtest(self.covered, self.replications).proportion_ci(CONFIDENCE)
        return float(found.low), float(found.high)

    @property
    def holds(self) -> bool:
        """Whether the coverage is where it must be, or cannot be told from one that is."""
        low, high = self.interval
        return self.coverage == 1.0 if self.constant else low <= MOST and high >= LEAST

    @property
    def mean(self) -> float:
        """Of what was found."""
        return float(np.nanmean(self.values))

    @property
    def width(self) -> float:
        """Mean standard error over the spread of what was found: 1 for honest intervals."""
        return float(np.sqrt(np.nanmean(np.square(self.errors))) / np.nanstd(self.values, ddof=1))


def calibrate(
    effects: Iterable[Planted], replications: int = REPLICATIONS
) -> tuple[list[Calibrated], dict[str, float]]:
    """Measure every effect again and again, a process a core.

    Args:
        effects: to be measured; those of one probe, agent and setting at once.
        replications: of each, with seeds from 0.

    Returns:
        What came of each effect, in their order, and CPU seconds by probe.

    Raises:
        InvalidTask: the number of replications is below 2.
        NonFinite: see :meth:`~metalocus.experiments.probes.base.Probe.run`.
        RunFailed: a process was killed.
    """
    r = require_count("replications", replications, 2)
    groups: dict[tuple[object, ...], list[Planted]] = {}
    for each in effects:
        same = each.probe, each.agent, each.setting, each.episodes
        groups.setdefault(same, []).append(each)
    work = [
        (group, range(first, min(first + BLOCK, r)))
        for group in groups.values()
        for first in range(0, r, BLOCK)
    ]
    found: dict[Planted, dict[int, Numbers]] = {e: {} for group in groups.values() for e in group}
    seconds: dict[str, float] = {}
    with Stage("calibrating", len(work), "blocks of replications") as stage:
        done = in_processes([partial(measured, group, seeds) for group, seeds in work])
        for count, (number, (numbers, cpu)) in enumerate(done, 1):
            group, seeds = work[number]
            for effect, of_effect in zip(group, numbers, strict=True):
                found[effect] |= dict(zip(seeds, of_effect, strict=True))
            probe = group[0].probe
            seconds[probe] = seconds.get(probe, 0.0) + cpu
            stage.update(count)
    return [_calibrated(effect, by_seed) for effect, by_seed in found.items()], seconds


def measured(effects: Sequence[Planted], seeds: Sequence[int]) -> tuple[list[list[Numbers]], float]:
    """What a probe finds of each effect at every seed, and the CPU seconds that it took.

    Args:
        effects: of one probe, agent, setting and number of episodes.
        seeds: of the episodes.
    """
    first, began = effects[0], time.process_time()
    probe = PROBES[first.probe](**arguments_of(first.probe))
    agent = make_named(first.agent, first.setting.family)
    found: list[list[Numbers]] = [[] for _ in effects]
    for seed in seeds:
        result = probe.run(agent, first.setting, first.episodes, seed)
        for effect, numbers in zip(effects, found, strict=True):
            row = probe.row(result, effect.quantity, effect.label)
            numbers.append((row.value, row.se))
    return found, time.process_time() - began


def _calibrated(effect: Planted, by_seed: Mapping[int, Numbers]) -> Calibrated:
    """What came of an effect, in the order of the seeds."""
    found = [by_seed[seed] for seed in sorted(by_seed)]
    values = [np.nan if value is None else value for value, _ in found]
    errors = [np.nan if error is None else error for _, error in found]
    return Calibrated(effect, values, errors)
