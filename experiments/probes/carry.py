"""What an agent can learn when a store is not allowed to carry anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from matplotlib.figure import Figure

from metalocus.agents.agent import STORES, Agent
from metalocus.agents.rollout import rollout
from metalocus.experiments.probes.base import NO_CHOICE, Probe, Restore, Result
from metalocus.experiments.probes.figures import curves_and_ends
from metalocus.experiments.probes.shapley import coalitions
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import LearningCurve

KEPT = coalitions(STORES)
"""The stores that are kept, by the name of the condition."""


class Carryover(Probe):
    """Learning curves with a set of stores restored before *every* act.

    Where :class:`Locus` asks what is held at one trial, this asks what can be built up at
    all. Conditions are named by the stores that are kept, as everywhere: ``all`` is the sham.
    """

    name: ClassVar[str] = "carry"
    question: ClassVar[str] = "which store must be carried from trial to trial for learning?"
    quantities: ClassVar[Mapping[str, str]] = {
        "final": "choice value in the episode's last quarter, by the stores kept",
        "curve": "choice value by the stores kept",
    }

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``kept`` -> the learning curve under that condition, by the stores kept."""
        curves = {}
        for condition, kept in KEPT.items():
            restored = [store for store in STORES if store not in kept]
            curve = LearningCurve()
            for chunk in chunks:
                restore = Restore(restored)
                curve.add(rollout(agent, chunk.episodes(), chunk.start_seed, intervene=restore))
            curves[condition] = curve.summary()
        return {"kept": curves}

    def sentence(self, result: Result) -> str:
        """Where learning ends with all stores, and without the one whose loss costs most.

        A loss counts if the two intervals do not overlap.
        """
        whole = self.row(result, "final", "all")
        without = {
            store: self.row(result, "final", "+".join(s for s in STORES if s != store))
            for store in STORES
        }
        if whole.value is None:
            return NO_CHOICE
        store, lesioned = min(without.items(), key=lambda item: item[1].value or 0.0)
        if (lesioned.high or 0.0) >= (whole.low or 0.0):
            return (
                f"On the scale from 0 (chance) to 1 (the best arm), choices end at {whole} with"
                f" every store kept, and no worse with any one store lost: at {lesioned} without"
                f" {store}."
            )
        return (
            f"On the scale from 0 (chance) to 1 (the best arm), choices end at {whole} with every"
            f" store kept, and at {lesioned} without {store}, the store whose loss costs most."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Learning curves by the stores kept, and where they end."""
        order = sorted(result["kept"], key=lambda name: -len(KEPT[name]))
        return curves_and_ends(figure, self.rows(result), {n: called(n) for n in order})


def called(kept: str) -> str:
    """A condition for people: the stores that are kept."""
    return {"all": "all kept (sham)", "none": "none kept"}.get(kept, f"{kept} kept")
