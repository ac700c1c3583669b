"""What an agent can learn when a store is not allowed to carry anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from metalocus.agents.agent import STORES, Agent
from metalocus.agents.rollout import rollout
from metalocus.envs import Episodes
from metalocus.experiments.probes.base import Probe, Restore, Result
from metalocus.experiments.probes.shapley import coalition_name
from metalocus.experiments.scoring.curves import learning_curve


class Carry(Probe):
    """Adaptation curves with a set of stores restored before *every* act.

    Where :class:`Locus` asks what is held at one trial, this asks what can be built up at
    all. The sham condition, ``none``, restores nothing.
    """

    name: ClassVar[str] = "carry"
    question: ClassVar[str] = "which store must be carried from trial to trial for learning?"

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """``restored`` -> the learning curve under that condition, by the stores restored."""
        curves = {}
        for restored in range(2 ** len(STORES)):
            names = [store for i, store in enumerate(STORES) if restored >> i & 1]
            trace = rollout(agent, fresh(), seed, intervene=Restore(names))
            curves[coalition_name(restored, STORES)] = learning_curve(trace)
        return {"restored": curves}
