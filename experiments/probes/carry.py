"""What an agent can learn when a store is not allowed to carry anything."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import STORES, Agent
from metalocus.agents.rollout import rollout
from metalocus.experiments.probes.base import Probe, Restore, Result
from metalocus.experiments.probes.shapley import coalitions
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import LearningCurve


class Carryover(Probe):
    """Learning curves with a set of stores restored before *every* act.

    Where :class:`Locus` asks what is held at one trial, this asks what can be built up at
    all. The sham condition, ``none``, restores nothing.
    """

    name: ClassVar[str] = "carry"
    question: ClassVar[str] = "which store must be carried from trial to trial for learning?"

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``restored`` -> the learning curve under that condition, by the stores restored."""
        curves = {}
        for condition, restored in coalitions(STORES).items():
            curve = LearningCurve()
            for chunk in chunks:
                restore = Restore(restored)
                curve.add(rollout(agent, chunk.episodes(), chunk.start_seed, intervene=restore))
            curves[condition] = curve.summary()
        return {"restored": curves}
