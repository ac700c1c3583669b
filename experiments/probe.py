"""What a probe is: an intervention on an agent's stores and a measurement of what follows.

A probe never looks inside an agent; it sees stores and action probabilities alone. So
every probe works with every agent, and a new probe is one new file in ``probes/``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import Agent, Stores
from metalocus.envs import Episodes
from metalocus.envs.discovery import named
from metalocus.experiments.rollout import Trace, fresh_episodes

Array = NDArray[Any]
Result = dict[str, Any]
LATE = 0.25
"""The part of an episode that counts as its end in ``final`` scores."""


class Probe(ABC):
    """One measurement. Subclasses in ``experiments/probes`` are found by their presence there.

    Class attributes:
        name: as given on the command line.
        question: one line for ``metalocus list``: what the measurement answers.
    """

    name: ClassVar[str]
    question: ClassVar[str]

    def run(
        self,
        agent: Agent,
        env_id: str,
        env_kwargs: Mapping[str, Any] | None = None,
        episodes: int = 4000,
        seed: int = 0,
    ) -> Result:
        """Measure an agent on fresh episodes of an environment.

        Returns:
            What was run, and the measurement: named numbers and lists, ready for JSON.
            Lists named after trials are indexed by them; None stands for no number.

        Raises:
            InvalidTask: the environment does not exist, or the probe has no answer on it.
        """
        kwargs = dict(env_kwargs or {})

        def fresh() -> Episodes:
            return fresh_episodes(env_id, episodes, seed, **kwargs)

        about = {"probe": self.name, "env": env_id, "env_kwargs": kwargs}
        return {**about, "episodes": episodes, "seed": seed, **self.measure(agent, fresh, seed)}

    @abstractmethod
    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """The measurement itself; every call of ``fresh`` gives the same episodes anew."""


class Restore:
    """Intervention: the named stores are put back to the episode's start before every act."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.start = Stores()

    def __call__(self, t: int, stores: Stores) -> Stores:
        """Stores to read at trial t; the first trial shows what the start was."""
        if t == 0:
            self.start = stores
        return stores.restore(self.start, self.names)


def landmarks(worth: Array) -> tuple[Array, Array]:
    """Worth of a uniformly random choice and of the best one, [..., K] -> [...]."""
    return worth.mean(axis=-1), worth.max(axis=-1)


def normalised(value: Array, chance: Array, best: Array) -> tuple[Array, Array]:
    """Score on the scale where a uniformly random choice is 0 and the best arm is 1.

    All three are averaged over episodes before the ratio is taken, so that episodes with
    nearly equal arms do not dominate.

    Args:
        value: expected reward of the policy's choice, [..., N].
        chance, best: the :func:`landmarks`, [..., N].

    Returns:
        score [...], nan where all arms are equal in every episode; and each episode's
        deviation from it [..., N], of mean 0 (the ratio linearised).
    """
    gap = (best - chance).mean(axis=-1)
    gap = np.where(gap > 0.0, gap, np.nan)
    score = (value - chance).mean(axis=-1) / gap
    deviation = (value - chance - score[..., None] * (best - chance)) / gap[..., None]
    return score, deviation


def standard_error(deviation: Array) -> Array:
    """Of a mean over episodes, [..., N] -> [...]."""
    error: Array = deviation.std(axis=-1) / np.sqrt(deviation.shape[-1])
    return error


def learning_curve(trace: Trace) -> Result:
    """Normalised score of every trial and of the episodes' last quarter, with standard errors."""
    worth = (trace.probs * trace.worth).sum(axis=2)
    parts = (worth, *landmarks(trace.worth))
    score, deviation = normalised(*parts)
    late = -max(1, round(LATE * len(worth)))
    final, final_deviation = normalised(*(part[late:].mean(axis=0) for part in parts))
    return {
        "curve": numbers(score),
        "curve_se": numbers(standard_error(deviation)),
        "final": number(final),
        "final_se": number(standard_error(final_deviation)),
    }


def number(value: Array) -> float | None:
    """For JSON: None for what is not finite."""
    return float(value) if np.isfinite(value) else None


def numbers(values: Array) -> list[float | None]:
    """For JSON, [T] -> list."""
    return [number(value) for value in values]


@cache
def catalogue() -> dict[str, type[Probe]]:
    """Every probe in ``experiments/probes``, by name in alphabetical order."""
    return named("metalocus.experiments.probes", Probe)  # type: ignore[type-abstract]
