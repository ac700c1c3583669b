"""Do independently trained agents err together, and is it safe to act where they agree?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.probes.ensemble import Ensemble
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, REVERSAL
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMBERS = 4
"""Agents, trained from seeds of their own: enough to see what each further one adds."""
APART = 100
"""Member i of training seed s has the seed (s + 1) * APART + i, which no other claim uses."""
PART = 0.5
"""Of the usual steps: agents are wanted that still err."""
PROBED = 2000
"""Episodes of the ensemble probe."""
BEYOND, ALONE, EVERYONE = "same history, beyond difficulty", "1", str(MEMBERS)


class CorrelatedErrors(Claim):
    """Errors of agents on the same history, and a learner that acts where all of them agree.

    An error is a choice that the best reference would not make, on a history that all agents were
    given; that of a posterior sampler is taken out, since some histories are hard for all. The
    learner asks where the agents disagree (Cohen, Hutter & Nanda 2022).
    """

    number: ClassVar[int] = 15
    name: ClassVar[str] = "correlated_errors"
    statement: ClassVar[str] = (
        "Agents trained independently err together, so that to act where all of them agree is "
        "less safe than if they erred alone."
    )
    holds: ClassVar[Mapping[str, str]] = {
        WEIGHTS: "the top models of an ensemble share errors, which agreement cannot show",
        RECURRENCE: "each training finds about the same near-optimal algorithm, of which little is "
        "left to err",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "correlation": "correlation of two agents' errors on the same history, beyond difficulty",
        "unsafe": f"how often the learner errs without asking with {MEMBERS} models, as a part of "
        "how often one model errs",
        "asked": f"how often the learner asks with {MEMBERS} models",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "correlation",
            ">=",
            0.2,
            "agents trained from other seeds err on the same histories",
            "agents that lapse by unrelated rules have 0; half in common gives .5",
        ),
        Prediction(
            WEIGHTS,
            "unsafe",
            ">=",
            0.1,
            "agreement removes less than nine tenths of the errors",
            "four independent models with errors of .15 would leave a thousandth",
        ),
        Prediction(
            RECURRENCE,
            "asked",
            "<=",
            0.1,
            "agents from other seeds choose alike in nine of ten trials",
            "they are about the same algorithm",
        ),
    )
    settings = (FIVE_ARMS, REVERSAL)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Agents from several seeds."""
        return {
            f"{member}/{setting.name}": preset.run(
                preset.agent, setting, (seed + 1) * APART + member, PART
            )
            for setting in self.asked_on(preset)
            for member in range(MEMBERS)
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Correlation of errors, and what the learner asks and errs by the number of models."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            first, *others = (agents[f"{member}/{setting.name}"] for member in range(MEMBERS))
            probed = Ensemble(others).run(first, setting, min(PROBED, preset.episodes), seed)
            unsafe, asked = probed["unsafe"], probed["asked"]
            alone = unsafe[ALONE]
            found["correlation"][setting.name] = probed["correlation"][BEYOND]
            found["unsafe"][setting.name] = unsafe[EVERYONE] / alone if alone else None
            found["asked"][setting.name] = asked[EVERYONE]
            found[SHOWN][setting.title] = {"errs without asking": unsafe, "asks": asked}
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """How often the learner asks and errs, by the number of models, a panel a task."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "models", "part of the trials", linear=True)
