"""What an agent can learn when a store is not allowed to carry anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar

from matplotlib.figure import Figure

from metalocus.agents.agent import STORES, Agent
from metalocus.agents.rollout import rollout
from metalocus.envs import Setting
from metalocus.experiments.instruments.interventions import BLOCKING, EveryTrial, held
from metalocus.experiments.instruments.shapley import coalitions
from metalocus.experiments.instruments.task import no_later_choice
from metalocus.experiments.probes.base import NO_CHOICE, Probe, Result
from metalocus.experiments.probes.figures import curves_and_ends
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import LearningCurve


class Carryover(Probe):
    """Learning curves with a set of stores replaced before *every* act.

    Where :class:`Locus` asks what is held at one trial, this asks what can be built up at
    all. Stores are replaced by those of another episode of the same trial (``resample``), and by
    those of the episode's start (``reset``), which may be unlike any that the agent has late in
    an episode. Conditions are named by the stores that are kept, of those that hold anything.
    """

    name: ClassVar[str] = "carry"
    question: ClassVar[str] = "which store must be carried from trial to trial for learning?"
    in_pairs: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, str]] = {
        "final": "choice value in the episode's last quarter, by what is put in place of the"
        " stores that are not kept",
        "curve": "choice value by the stores kept",
        "held": "whether the store holds anything (0 no, 1 yes)",
    }

    shown: ClassVar[int] = 2

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only where something that was learned can be carried to a choice."""
        return no_later_choice(setting.family)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``kept`` -> kind of replacement -> stores kept -> the learning curve."""
        stores = held(agent, chunks)
        plain = _curve(agent, chunks, BLOCKING[0], ())
        curves: dict[str, Result] = {kind: {} for kind in BLOCKING}
        conditions = coalitions(stores) if stores else {"all": []}
        for kind, (name, kept) in product(BLOCKING, conditions.items()):
            lost = [store for store in stores if store not in kept]
            curves[kind][name] = _curve(agent, chunks, kind, lost) if lost else plain
        return {"held": {store: store in stores for store in STORES}, "kept": curves}

    def sentence(self, result: Result) -> str:
        """Where learning ends with all stores, without the one whose loss costs most, without any.

        A loss counts if the two intervals do not overlap. Stores that can stand in for one another
        are missed only if all are gone.
        """
        whole = self.row(result, "final", f"{BLOCKING[0]} all")
        if whole.value is None:
            return NO_CHOICE
        stores = [store for store, holds in result["held"].items() if holds]
        begin = f"On the scale from 0 (chance) to 1 (the best arm), choices end at {whole}"
        if not stores:
            return f"{begin}; no store holds anything that could be lost."
        without = {}
        for store in stores:
            others = "+".join(other for other in stores if other != store) or "none"
            without[store] = [self.row(result, "final", f"{kind} {others}") for kind in BLOCKING]
        store, (resampled, were_reset) = min(
            without.items(), key=lambda item: item[1][0].value or 0.0
        )
        costs = (resampled.high or 0.0) < (whole.low or 0.0)
        most = "the store whose loss costs most" if costs else "and no other loss costs more"
        if len(stores) > 1:
            none = self.row(result, "final", f"{BLOCKING[0]} none")
            most += f"; with all of another episode's put in place they end at {none}"
        return (
            f"{begin} with every store kept, and at {resampled} with the {store} of another"
            f" episode put in place at every trial ({were_reset} with that of the episode's"
            f" start), {most}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Learning curves by the stores kept, the others resampled, and where they end."""
        kind = BLOCKING[0]
        names = {
            f"{kind} {kept}": "all kept (sham)" if kept == "all" else f"{kept} kept"
            for kept in reversed(result["kept"][kind])
        }
        return curves_and_ends(figure, self.rows(result), names)


def _curve(agent: Agent, chunks: Chunks, kind: str, lost: Sequence[str]) -> Result:
    """Learning curve with some stores replaced before every act."""
    curve = LearningCurve()
    for chunk in chunks:
        episodes = chunk.episodes()
        intervene = EveryTrial(kind, lost, episodes.crn)
        curve.add(rollout(agent, episodes, chunk.start_seed, intervene=intervene))
    return curve.summary()
