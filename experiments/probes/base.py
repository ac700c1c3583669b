"""What a probe is: an intervention on an agent's stores and a measurement of what follows.

A probe never looks inside an agent; it sees stores and action probabilities alone. So
every probe works with every agent, and a new probe is one new file in ``probes/``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from metalocus.agents.agent import Agent, Stores
from metalocus.envs import Setting
from metalocus.envs.discovery import Registry, classes
from metalocus.experiments.scoring.chunks import Chunks, named

Result = dict[str, Any]


class Probe(ABC):
    """One measurement. Subclasses in ``experiments/probes`` are found by their presence there.

    Attributes:
        name: as given on the command line.
        question: one line for ``metalocus list``: what the measurement answers.
    """

    name: ClassVar[str]
    question: ClassVar[str]

    def run(
        self,
        agent: Agent,
        setting: Setting,
        episodes: int = 4000,
        seed: int = 0,
    ) -> Result:
        """Measure an agent on fresh episodes of a setting.

        Returns:
            What was run, and the measurement: named numbers and lists, ready for JSON.
            Lists named after trials are indexed by them; None stands for no number.

        Raises:
            InvalidTask: the environment does not exist, a number is out of range, or the probe
                has no answer on the setting.
            NonFinite: the agent gave, or the probe found, a number that is not finite.
        """
        chunks = Chunks(setting, episodes, seed)
        about = {"probe": self.name, **setting.to_dict(), "episodes": chunks.n, "seed": chunks.seed}
        with named(agent, setting):
            return {**about, **self.measure(agent, chunks)}

    @abstractmethod
    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """The measurement itself: play chunk after chunk, pool what is measured, summarise.

        What is pooled is a few numbers of each episode, in a
        :class:`~metalocus.experiments.scoring.sample.Sample`.
        """


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


PROBES = Registry("probe", "metalocus.experiments.probes", classes(Probe))  # type: ignore[type-abstract]
"""Every probe in ``experiments/probes``, by name."""
