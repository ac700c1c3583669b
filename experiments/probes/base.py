"""What a probe is: an intervention on an agent's stores and a measurement of what follows.

A probe never looks inside an agent; it sees stores and action probabilities alone. So
every probe works with every agent, and a new probe is one new file in ``probes/``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar

from numpy.typing import NDArray

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.rollout import fresh_episodes
from metalocus.envs import Episodes
from metalocus.envs.discovery import named

Array = NDArray[Any]
Result = dict[str, Any]


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


@cache
def catalogue() -> dict[str, type[Probe]]:
    """Every probe in ``experiments/probes``, by name in alphabetical order."""
    return named("metalocus.experiments.probes", Probe)  # type: ignore[type-abstract]
