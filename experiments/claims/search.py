"""Does a trained agent search: does it choose better when it computes longer on equal evidence?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.probes.ponder import Ponder
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, NamedSetting
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MDP = NamedSetting(
    "mdp",
    "random decision processes of 3 states, 20 episodes of 5 steps",
    "metalocus/TabularMDP-v0",
    n_states=3,
    n_actions=3,
    inner_horizon=5,
    n_episodes=20,
)
TWO_STEP = NamedSetting("two_step", "two-step task", "metalocus/TwoStep-v0")
TICKS = 3
"""Times that the network with more computation is run on every observation."""
PROBED = 2000
"""Episodes of the ponder probe, which keeps the stores of all acts."""
HELD, DRAWN = "most probable, clock held", "sampled, clock held"


class Search(Claim):
    """What a choice gains when the network is run again on the same observation.

    In tests, by the ponder probe, on an agent that was trained to be run once; and in training,
    by a network that is always run three times on each observation.
    """

    number: ClassVar[int] = 10
    name: ClassVar[str] = "search"
    statement: ClassVar[str] = (
        "Trained recurrent agents do not search: more computation on equal evidence does not "
        "make their choices better."
    )
    holds: ClassVar[Mapping[str, str]] = {
        WEIGHTS: "what policies learn need not look like a search, and today does not",
        RECURRENCE: "recurrent computation can iterate, and training can put that to use",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "gain": "choice value gained by eight acts on the same observation, the smaller of that of "
        "the most probable action and that of a drawn one, clocks held",
        "ticks": f"score of a network run {TICKS} times on every observation minus that of one run "
        "once, trained for equally many steps",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "gain",
            "<=",
            0.005,
            "computing longer on the same evidence makes no better choice",
            "an agent that sweeps values once an act gains .012 on the decision processes",
        ),
        Prediction(
            WEIGHTS,
            "ticks",
            "<=",
            0.02,
            "a network that may compute longer at every trial learns nothing better",
            "the margin of equivalence in all claims",
        ),
        Prediction(
            RECURRENCE,
            "ticks",
            ">=",
            0.02,
            "a network that may compute longer at every trial learns a better algorithm",
            "the same border",
        ),
    )
    settings = (MDP, TWO_STEP, FIVE_ARMS)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent run once and run several times on every observation."""
        found = {}
        for setting in self.asked_on(preset):
            ticking = {**preset.agent_kwargs, "ticks": TICKS}
            found[f"once/{setting.name}"] = preset.run(preset.agent, setting, seed)
            found[f"ticks/{setting.name}"] = preset.run(
                preset.agent, setting, seed, agent_kwargs=ticking
            )
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Gain of acting again, and the difference of scores."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            once, ticking = (agents[f"{kind}/{setting.name}"] for kind in ("once", "ticks"))
            probed = Ponder().run(once, setting, min(PROBED, preset.episodes), seed)
            found["gain"][setting.name] = min(probed["gain"][HELD], probed["gain"][DRAWN])
            mine, other = (
                score(agent, setting, preset.episodes, seed) for agent in (ticking, once)
            )
            found["ticks"][setting.name] = mine - other
            found[SHOWN][setting.title] = {
                name: _by_acts(probed["gain_by_acts"], name) for name in (HELD, DRAWN)
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Gain by acts on the same observation, a panel a task."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "acts on one observation", "choice value gained", linear=True)


def _by_acts(gains: Mapping[str, float], name: str) -> dict[str, float]:
    """Gains of one kind by number of acts."""
    own = {label: gain for label, gain in gains.items() if label.startswith(f"{name}, ")}
    return {label.removeprefix(f"{name}, ").split()[0]: gain for label, gain in own.items()}
