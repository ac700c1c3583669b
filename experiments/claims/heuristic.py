"""Does a trained agent do Bayes or a heuristic, and how large must it be?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.probes.strategy import StrategyProbe
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, REVERSAL
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAYESIAN = (
    "posterior_mean",
    "thompson",
    "index",
    "bayes",
    "ucb",
    "kalman",
    "latent_state",
    "volatile_filter",
)
"""Strategies that keep a belief; all others that are fitted count as heuristics."""
UNITS = (1, 2, 4, 8, 16, 48)
"""Of the networks of increasing size."""
FEW = 4
"""Units that a heuristic would do with: a number or two for each of a few things."""
PART = 0.5
"""Of the usual steps, for the small networks: they are on their plateau by then."""
JUDGED = 1000
"""Episodes on which strategies are judged; their fit takes most of the time."""
WINNER = "recent_winner"


class Heuristic(Claim):
    """Strategies fitted to an agent's choices, those that keep a belief beside those that do not.

    The strategies are judged on histories on which they disagree (the strategy probe). Beside it
    the score of the heuristic that was proposed in the debate, the best arm of the last ten
    trials with probability .9, and of recurrent networks of few units.
    """

    number: ClassVar[int] = 8
    name: ClassVar[str] = "heuristic"
    statement: ClassVar[str] = (
        "A trained recurrent agent amortises Bayes: strategies that keep a belief explain its "
        "choices better than heuristics, also where the two disagree."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "sufficient statistics and amortised Bayesian inference are learned",
        WEIGHTS: "policies respond to what they observe, by nothing so sophisticated; a "
        "play-the-winner heuristic would do as well",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "bayes_ahead": "excess surprise of the best heuristic minus that of the best strategy with "
        "a belief, nats a choice, on histories on which they disagree",
        "bayes_ahead_own": "the same on the agent's own histories",
        "winner": "score of play the recent winner minus the agent's",
        "few_units": f"score of the same kind of network of {FEW} units minus the agent's",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "bayes_ahead",
            ">=",
            0.01,
            "a belief explains the choices better than any heuristic",
            "300 choices would tell strategies apart that differ by .01 nats",
        ),
        Prediction(
            WEIGHTS,
            "bayes_ahead",
            "<=",
            0.01,
            "some heuristic explains the choices as well as any belief",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "winner",
            ">=",
            -0.02,
            "playing the recent winner does as well as the agent",
            "the margin of non-inferiority in all claims",
        ),
        Prediction(
            RECURRENCE,
            "winner",
            "<=",
            -0.02,
            "the agent does better than playing the recent winner",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "few_units",
            ">=",
            -0.02,
            f"{FEW} units do as well as the agent, as a heuristic would need no more",
            "the margin of non-inferiority in all claims",
        ),
    )
    settings = (FIVE_ARMS, REVERSAL)
    players = (WINNER,)
    small: ClassVar[Mapping[str, Any]] = {
        "UNITS": (FEW,),
        "probes.strategy.FITTED_CHOICES": 24,
        "strategies.fitting.SPREAD": 1,
        "strategies.fitting.SEARCH_STEPS": 1,
        "strategies.tiny_gru.SIZES": (1,),
        "strategies.tiny_gru.STEPS": 1,
    }

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent, and networks of its kind of every size."""
        found = {}
        for setting in self.asked_on(preset):
            found[f"agent/{setting.name}"] = preset.run(preset.agent, setting, seed)
            for units in UNITS:
                kwargs = {**preset.agent_kwargs, "hidden_size": units}
                run = preset.run(preset.agent, setting, seed, PART, agent_kwargs=kwargs)
                found[f"{units} units/{setting.name}"] = run
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Surprise of the fitted strategies, and scores."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            agent = agents[f"agent/{setting.name}"]
            own = score(agent, setting, preset.episodes, seed)
            excess = StrategyProbe().run(agent, setting, min(JUDGED, preset.episodes), seed)[
                "excess"
            ]
            winner = score(make_named(WINNER, setting.family), setting, preset.episodes, seed)
            by_units = {
                units: score(
                    agents[f"{units} units/{setting.name}"], setting, preset.episodes, seed
                )
                for units in UNITS
            }
            found["bayes_ahead"][setting.name] = _ahead(excess["disagreeing"])
            found["bayes_ahead_own"][setting.name] = _ahead(excess["own"])
            found["winner"][setting.name] = winner - own
            found["few_units"][setting.name] = by_units[FEW] - own
            found[SHOWN][setting.title] = {
                "networks": {str(units): value for units, value in by_units.items()},
                "the agent": {str(units): own for units in UNITS},
                "recent winner": {str(units): winner for units in UNITS},
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Score by units, beside the agent and the heuristic, a panel a task."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "units", "score", references=("the agent",))


def _ahead(excess: Mapping[str, float]) -> float:
    """How much more surprise the best heuristic leaves than the best strategy with a belief."""
    belief = min(value for name, value in excess.items() if name in BAYESIAN)
    others = {*BAYESIAN, "gru"}
    return min(value for name, value in excess.items() if name not in others) - belief
