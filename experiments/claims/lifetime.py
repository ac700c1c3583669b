"""Do trained agents learn where it pays to learn, and play a fixed heuristic where it does not?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference
from metalocus.agents.references.normal.lifetime import border
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIFETIME = "metalocus/LifetimeBandit-v0"
SPREADS = (0.5, 0.8, 1.25, 2.0)
"""Uncertainty of the unknown arm, in units of the exact border."""
BELOW, NEAR, BEYOND = SPREADS[0], SPREADS[2], SPREADS[3]
PART = 0.5
"""Of the usual steps: episodes of one unknown arm are learned fast."""
LIVES = tuple(
    NamedSetting(f"life_{horizon}", f"a life of {horizon} trials", LIFETIME, horizon=horizon)
    for horizon in (5, 20, 50)
)


class Lifetime(Claim):
    """How often an agent tries the unknown arm at all, by lifetime and uncertainty.

    One arm pays 0, the other costs 1 on average and varies between episodes. Below an exact border
    the optimum is never to try it, beyond it to try it and learn (Lange & Sprekeler 2022). An agent
    is trained at every point of the plane.
    """

    number: ClassVar[int] = 16
    name: ClassVar[str] = "lifetime"
    statement: ClassVar[str] = (
        "RL makes a learner of a recurrent network where learning pays, and a fixed heuristic "
        "where it does not; the border is that of the optimum."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "what emerges is the algorithm that the distribution of tasks rewards",
        WEIGHTS: "policies respond as it pays, which need not be by learning",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "beyond": "part of the episodes in which the agent tries the unknown arm, at twice the "
        "border's uncertainty, divided by the optimum's",
        "near": f"the same at {NEAR} of the border's uncertainty",
        "below": "part of the episodes in which the agent tries the unknown arm, at half the "
        "border's uncertainty",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "beyond",
            ">=",
            0.9,
            "where learning pays the agent tries what it does not know",
            "nine of ten lives; the optimum always tries",
        ),
        Prediction(
            RECURRENCE,
            "near",
            ">=",
            0.9,
            "the border beyond which the agent tries what it does not know is that of the optimum",
            "nine of ten lives, a quarter of the uncertainty beyond the border",
        ),
        Prediction(
            WEIGHTS,
            "below",
            "<=",
            0.1,
            "where learning does not pay the agent keeps to what it knows",
            "one of ten lives; the optimum never tries",
        ),
    )
    settings = LIVES
    small: ClassVar[Mapping[str, Any]] = {"SPREADS": (BELOW, NEAR, BEYOND)}

    def why_not(self, preset: Preset) -> str | None:
        """Also another task: the border is that of one family."""
        if preset.setting is not None:
            return "lifetime is a claim on the plane of lifetimes and uncertainties alone"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent at every point of the plane."""
        return {
            point.name: preset.run(preset.agent, point, seed, PART)
            for life in self.settings
            for point in points(life).values()
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Parts of episodes with a try."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for life in self.settings:
            own, best = {}, {}
            for spread, point in points(life).items():
                own[spread] = tries(agents[point.name], point, preset.episodes, seed)
                best[spread] = tries(best_reference(point.family), point, preset.episodes, seed)
            found["beyond"][life.name] = own[BEYOND] / best[BEYOND]
            found["near"][life.name] = own[NEAR] / best[NEAR]
            found["below"][life.name] = own[BELOW]
            found[SHOWN][life.title] = {
                "agent": {str(spread): value for spread, value in own.items()},
                "optimum": {str(spread): value for spread, value in best.items()},
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Part of the episodes with a try, by uncertainty, a panel a lifetime."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(
            shown,
            "uncertainty (1: the border)",
            "part of lives with a try",
            references=("optimum",),
            linear=True,
        )


def points(life: NamedSetting) -> dict[float, NamedSetting]:
    """The settings of one lifetime, by uncertainty in units of the border."""
    horizon = life.kwargs["horizon"]
    unit = border_of(horizon)
    return {
        spread: NamedSetting(
            f"{life.name}_spread_{spread:g}",
            f"{life.title}, {spread:g} of the border's uncertainty",
            LIFETIME,
            horizon=horizon,
            spread=round(spread * unit, 4),
        )
        for spread in SPREADS
    }


border_of = cache(border)
"""Each plan takes a tenth of a second."""


def tries(agent: Agent, setting: Setting, episodes: int, seed: int) -> float:
    """Part of fresh episodes in which the unknown arm, action 1, is ever taken."""
    trace = rollout(agent, fresh_episodes(setting, episodes, seed), seed)
    return float((trace.action == 1).any(axis=0).mean())
