"""The protocol of everything that is trained and measured, and the check of what it measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from metalocus.agents.agent import Agent, NonFinite

if TYPE_CHECKING:  # what is trained and how much of it is said by each study alone
    from metalocus.experiments.runs.config import RunConfig
    from metalocus.experiments.studies.presets import Preset

Measured = Mapping[str, Any]
"""What a study measured at one training seed: numbers, text, lists and mappings of them."""


class Study(Protocol):
    """Something that agents are trained for, and that is measured on them at each training seed.

    Studies inherit from it.

    Attributes:
        most_seeds: training seeds at most, for what takes long; None for those of the preset.
    """

    most_seeds: ClassVar[int | None] = None

    @property
    def name(self) -> str:
        """Unique among the studies that share a folder."""

    def seeds(self, preset: Preset) -> range:
        """The training seeds that it is trained and measured at."""
        return range(preset.first, min(preset.seeds, self.most_seeds or preset.seeds))

    def runs(self, preset: Preset, seed: int) -> Mapping[str, RunConfig]:
        """The training runs of one seed, by the name that :meth:`measure` knows them by."""

    def later_runs(
        self, preset: Preset, seed: int, folder: Path
    ) -> Iterator[Mapping[str, RunConfig]]:
        """The training runs that begin with the weights of others, or imitate them.

        They come in stages. When one is asked for, all runs before it are finished.

        Args:
            preset: how much is trained.
            seed: of training.
            folder: where the finished runs are, each in a folder of its name.
        """
        yield from ()

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The measurement on the agents of one training seed.

        Args:
            agents: the trained agents of :meth:`runs` and :meth:`later_runs`, by the same names.
            preset: how many episodes to play.
            seed: of the fresh episodes.
        """


def all_runs(study: Study, preset: Preset, seed: int, folder: Path) -> dict[str, RunConfig]:
    """The training runs of one seed, those that need others last.

    Args:
        study: that they are for.
        preset: how much is trained.
        seed: of training.
        folder: of the runs, of which all that others need are finished.
    """
    found = dict(study.runs(preset, seed))
    for stage in study.later_runs(preset, seed, folder):
        found |= stage
    return found


def require_measured(study: str, by_seed: Mapping[int, Measured]) -> None:
    """Check the measurements of a study before any of them is averaged.

    Args:
        study: its name.
        by_seed: what it measured, by training seed.

    Raises:
        NonFinite: a number is not finite; the message says where. None is no number at all,
            and allowed.
        ValueError: two seeds differ in what was measured.
    """
    shapes = {}
    for seed, values in sorted(by_seed.items()):
        leaves = dict(_leaves(values))
        for where, value in leaves.items():
            if isinstance(value, float) and not math.isfinite(value):
                at = f"training seed {seed}"
                raise NonFinite(f"{study}: {' / '.join(where)} at {at} is {value}, not finite")
        shapes[seed] = list(leaves)
    first, *others = shapes
    for seed in others:
        if sorted(shapes[seed]) != sorted(shapes[first]):
            raise ValueError(f"{study}: training seeds {first} and {seed} measured other things")


def _leaves(value: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything in nested mappings and lists that is neither, with the path to it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*where, str(key)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(inner, (*where, str(i)))
    else:
        yield where, value
