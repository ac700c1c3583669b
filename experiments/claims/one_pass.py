"""Is anything learned within one forward pass, and what becomes of it afterwards?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs.families.dataset_bandit import DatasetBandit
from metalocus.experiments.claims.base import (
    RECURRENCE,
    SHOWN,
    WEIGHTS,
    Claim,
    Prediction,
)
from metalocus.experiments.claims.sgd_on_examples import best_descent, log2_histories, value_after
from metalocus.experiments.probes.forward_pass import ForwardPass
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATASET = "metalocus/DatasetBandit-v0"
ARMS = NamedSetting(
    "examples_of_arms", "twenty examples of five arms at once", DATASET, n_arms=5, n_examples=20
)
LINE = NamedSetting(
    "examples_of_a_line",
    "twenty labelled points of a plane at once",
    DATASET,
    rule="linear",
    features=2,
    n_examples=20,
)
DEPTHS = (1, 2, 4)
"""Hidden layers of the memoryless network. A preset that is not full trains the next alone, and
does not ask what depth gives."""
DEPTH = 2
"""Of the one that predictions are about: the default."""
WIDTH = 128
"""Units a layer: twice the default, as the observation is longer than elsewhere."""
BITS = 32
"""Of a parameter."""


class OnePass(Claim):
    """All evidence in one observation, frozen weights, one choice; then asked again without it.

    The memoryless network is trained by RL on fresh tasks, always with all examples. Beside it:
    the posterior, and gradient descent on the same examples from a fresh linear model, its rate
    and number of steps the best on other tasks. The agent asked again is recurrent, and trained
    with the second question; its own first action and reward are withheld.
    """

    number: ClassVar[int] = 6
    name: ClassVar[str] = "one_pass"
    statement: ClassVar[str] = (
        "A trained network learns from examples within one forward pass, without a change of any "
        "weight or state; what it learned is gone one step later unless something carries it."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "the learned algorithm runs in activations, also within one pass",
        WEIGHTS: "weight updates on the same examples could do the same before the choice; a "
        "lasting change needs the next state or the weights",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "learned": "choice value after all examples, as a fraction of the posterior's",
        "from_examples": "reward given up with a quarter of the examples minus that with all",
        "held_out": "reward given up above the posterior with half of the examples, a number that "
        "was never trained on",
        "depth": "choice value of four layers minus that of one",
        "order": "change of the choice probabilities when the examples are reordered",
        "broken": "choice value when inputs and outcomes come from different tasks",
        "gradient_descent": "choice value of gradient descent on the examples minus that of the "
        "pass",
        "gone": "choice value of the memoryless network asked again without the examples",
        "kept": "choice value of the agent asked again without the examples, as a fraction of its "
        "first",
        "no_table": "log2 of the possible sets of examples minus log2 of the bits of the weights",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "learned",
            ">=",
            0.9,
            "one pass learns nearly all that the examples tell",
            "a pass that uses only the last or best single example reaches less than .6",
        ),
        Prediction(
            RECURRENCE,
            "from_examples",
            ">=",
            0.03,
            "more examples in the same pass make a better choice",
            "half of what the posterior gains on the task where that is least",
        ),
        Prediction(
            RECURRENCE,
            "held_out",
            "<=",
            0.05,
            "a number of examples that was never trained on is learned from as well",
            "a tenth of the reward that a choice can win",
        ),
        Prediction(
            RECURRENCE,
            "depth",
            ">=",
            0.02,
            "a deeper pass learns more",
            "the margin of equivalence in all claims",
        ),
        Prediction(
            RECURRENCE,
            "order",
            "<=",
            0.1,
            "the order of the examples does not matter",
            "a tenth of the probability; exchangeable examples carry no order",
        ),
        Prediction(
            RECURRENCE,
            "broken",
            "within",
            0.05,
            "nothing is learned from broken pairs",
            "the error of 4,000 episodes is .02; such pairs tell no network which choice pays",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS,
            "gradient_descent",
            ">=",
            -0.02,
            "gradient descent on the same examples before the same choice does as well",
            "the margin of non-inferiority in all claims",
        ),
        Prediction(
            WEIGHTS,
            "gone",
            "within",
            0.05,
            "a pass that writes neither state nor weights leaves nothing behind",
            "the error of 4,000 episodes is .02",
            by_construction=True,
        ),
        Prediction(
            RECURRENCE,
            "kept",
            ">=",
            0.9,
            "a state carries on what one pass has learned",
            "nearly all; half would be kept by remembering one arm",
        ),
        Prediction(
            RECURRENCE,
            "no_table",
            ">=",
            10.0,
            "no table of examples fits into the weights",
            "a thousand times more sets of examples than bits",
            by_construction=True,
        ),
    )
    settings = (LINE, ARMS)

    def why_not(self, preset: Preset) -> str | None:
        """Also a setting that does not show its evidence at once."""
        for setting in self.asked_on(preset):
            family = setting.family
            if not isinstance(family, DatasetBandit) or family.sequence or family.again:
                return f"one_pass needs all evidence in one observation; use {DATASET}"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Memoryless networks of every depth, and the agent that is asked again."""
        found = {}
        for setting in self.asked_on(preset):
            for depth in depths(preset):
                kwargs = {"n_layers": depth, "hidden_size": WIDTH}
                run = preset.run("mlp", setting, seed, agent_kwargs=kwargs)
                found[f"{depth} layers/{setting.name}"] = run
            found[f"agent/{setting.name}"] = preset.run(preset.agent, asked_again(setting), seed)
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Everything of the first choice by the forward_pass probe; of the second by trial."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            nets = {d: agents[f"{d} layers/{setting.name}"] for d in depths(preset)}
            one = _OnSetting(setting, preset.episodes, seed, nets, agents[f"agent/{setting.name}"])
            for name, value in one.quantities().items():
                found[name][setting.name] = value
            found[SHOWN][setting.title] = one.curves()
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Reward given up by examples shown, for every depth and the posterior."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(
            shown, "examples in the observation", "reward given up", references=("posterior",)
        )


class _OnSetting:
    """What is measured on one task.

    Args:
        setting: all evidence at once.
        episodes: fresh ones.
        seed: of these.
        nets: memoryless networks by depth.
        agent: that is asked again.
    """

    def __init__(
        self,
        setting: NamedSetting,
        episodes: int,
        seed: int,
        nets: Mapping[int, Agent],
        agent: Agent,
    ) -> None:
        self.setting, self.episodes, self.seed = setting, episodes, seed
        self.nets, self.agent = nets, agent
        self.probed = {
            depth: ForwardPass().run(net, setting, episodes, seed) for depth, net in nets.items()
        }

    def quantities(self) -> dict[str, float | None]:
        """Of the claim, by name; None for what depth gives if one depth was trained."""
        found = self.probed[DEPTH]
        values = {depth: each["choice_value"]["intact"] for depth, each in self.probed.items()}
        own, best = values[DEPTH], found["choice_value"][found["reference"]]
        regrets = list(found["regret"].values())  # of all examples, then halves
        descent = best_descent(self.setting)
        descended = value_after(self.setting, descent, self.episodes, self.seed)
        again = learning_curve(self.agent, asked_again(self.setting), self.episodes, self.seed)
        first, second = again["curve"]
        return {
            "learned": own / best,
            "from_examples": regrets[2] - regrets[0],
            "held_out": list(found["above"].values())[1],
            "depth": values[DEPTHS[-1]] - values[DEPTHS[0]] if len(values) > 1 else None,
            "order": found["order"],
            "broken": found["choice_value"]["pairs broken"],
            "gradient_descent": descended - own,
            "gone": found["again"]["nothing fed back"],
            "kept": second / first,
            "no_table": self._histories() - self._bits(),
        }

    def curves(self) -> dict[str, dict[str, float]]:
        """Reward given up by number of examples, of every depth and the posterior."""
        found = {f"{depth} layers": each["regret"] for depth, each in self.probed.items()}
        found["posterior"] = self.probed[DEPTH]["reference_regret"]
        return {
            name: {label.split()[0]: value for label, value in by_label.items()}
            for name, by_label in found.items()
        }

    def _histories(self) -> float:
        family = self.setting.family
        assert isinstance(family, DatasetBandit)  # why_not has refused all others
        return log2_histories(family)

    def _bits(self) -> float:
        """log2 of the number of bits of the network's weights."""
        net = self.nets[DEPTH]
        assert isinstance(net, TrainedAgent)
        return float(np.log2(BITS * sum(each.numel() for each in net.policy.parameters())))


def depths(preset: Preset) -> tuple[int, ...]:
    """Hidden layers of the memoryless networks that are trained."""
    return DEPTHS if preset.part == 1 else (DEPTH,)


def asked_again(setting: NamedSetting) -> NamedSetting:
    """The setting with a second question, without examples or feedback on the first."""
    kwargs = {**setting.kwargs, "again": True, "observe": ("stimulus", "first")}
    title = f"{setting.title}, asked again"
    return NamedSetting(f"{setting.name}_again", title, setting.env, **kwargs)
