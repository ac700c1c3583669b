"""How small is the learned algorithm, written as a rule for weights, and do the weights hold it?"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.rollout import TUNING_SEED
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.probes.decode import Decode, headline
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import BANDIT, FIVE_ARMS, REVERSAL, NamedSetting
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRADIENT = "maml_value"
"""The memoryless network whose weights are decoded, and swapped between training seeds: of those
that adapt by gradients it is the one that learns reversals."""
IN_WEIGHTS = ("maml", GRADIENT, "anil", "hebbian", "neuromodulated", "fast_weights")
"""Agents whose rule for weights is learned by RL, beside the small rules of ``SIZES``."""
SIZES: Mapping[int, Mapping[str, Any]] = {
    5: {"hidden_size": 0, "memory_size": 1, "others": False},
    20: {"hidden_size": 0, "memory_size": 2},
    132: {"hidden_size": 16, "memory_size": 2},
    936: {"hidden_size": 80, "memory_size": 4},
}
"""Arguments of ``learned_rule`` by the number of parameters that they give it."""
FEW, HUNDRED = 5, 132
"""The sizes that predictions are about: a delta rule with a free target, and the largest that could
still be written down."""
BY_RL = (FEW, HUNDRED)
"""Sizes that are trained by RL too."""
PART = 1 / 8
"""Of the usual steps, for all that is trained by RL, and for the recurrent agent beside it. Then a
seed costs five CPU minutes beside the fully trained agent, which other claims train too."""
DISTILLED = 1 / 32
"""Of the usual steps, for imitation: in trials a rule of 132 numbers reached .999 of the filter
that it imitated on reversals within 100,000 steps."""
TEACHING = {"n_epochs": 4, "learning_rate": 0.01}
"""Of imitation: its gradient, of whole distributions, has so little noise that large and many steps
pay."""
REINFORCING = {"gamma": 1.0, "gae_lambda": 1.0, "all_action_coef": 0.0, "learning_rate": 1e-3}
"""Of RL on a small rule. It begins as a delta rule; credit over a few trials, by which training
begins by default, would first unlearn its exploration, and large steps of noise the rest."""
TWIN = 500_000
"""Added to a seed for that of the second network, whose parts are swapped in."""
CHOOSING, CHOOSING_SEED = 2000, 7000
"""Episodes on which the best of the learned rules is chosen, and what their seed is above those of
tuning, so that nothing else plays them."""
JUDGED = 4000
"""Episodes on which decoders are judged, which takes most of a measurement's time."""
MARGIN = 0.02
"""Of non-inferiority, in all claims: Rescorla-Wagner, which is a rule of a few numbers, falls short
by .06 on five arms and must not pass."""
STATISTICS = 0.9
"""R² from which on the weights hold the sufficient statistics. The last action and reward give .45
on five arms, an untrained network .63."""
LEARNED = 0.05
"""R² beyond that of an untrained network: its standard error between training seeds is some .02."""
DIRECTIONS = 2.0
"""For each arm: a mean and how often it was seen are its sufficient statistics."""
PARTS = {"rates": ("scales",), "start": ("layer1", "layer2")}
"""What of a network that adapts by gradient steps is put into another one, by the beginnings of its
parameters' names."""


class LearnedRule(Claim):
    """Learned rules for weights beside the recurrent agent, by their number of parameters.

    Two ways lead to a rule. RL: the usual training finds it, for the same steps as the agent that
    it is compared with. Distillation: it imitates the fully trained agent on its own histories, so
    that what falls short is the rule and not the trainer. A ``learned_rule`` keeps all that it
    learns in an episode in the weights of a memoryless policy, changed after every transition, and
    has 5 to 936 parameters; the agent has some 26,000.

    Of a network that adapts by gradient steps it is asked whether its weights hold the sufficient
    statistics at the last trial (the decode probe), and whether it is where the weights begin or
    how far each of them goes that was learned: each of the two is put in from the network of
    another training seed, the temperature of the choice staying as it is. Hidden units of two seeds
    do not correspond, so that a loss says that the two parts were made for each other.
    """

    number: ClassVar[int] = 4
    name: ClassVar[str] = "learned_rule"
    statement: ClassVar[str] = (
        "What the recurrent agent has learned can be a small rule that updates the weights of a "
        "memoryless policy, and these weights hold the sufficient statistics."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "the learned algorithm is more than a simple rule, and recurrence is what "
        "training finds it in",
        WEIGHTS: "the recurrent updates could be carried out in the weights, by a rule; meta-"
        "training lays the sufficient statistics out in them for gradient steps to walk",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "learned": "score of the best rule for weights that RL found minus that of the agent "
        "trained for the same steps",
        "distilled": f"score of the rule of {HUNDRED} parameters that imitates the agent minus the "
        "agent's",
        "distilled_few": f"score of the rule of {FEW} parameters that imitates the agent minus the "
        "agent's",
        "held": "R² of the belief or the expected rewards, decoded from the weights that gradient "
        "steps have made by the last trial",
        "held_more": "that minus the same of the untrained network",
        "directions": "directions in these weights that hold 95% of it, for each arm",
        "other_rates": "score with the step sizes of another training seed minus the network's own",
        "other_start": "score with the initial weights of another training seed minus the "
        "network's own",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "learned",
            ">=",
            -MARGIN,
            "a rule for weights that is learned does as well as an agent trained for as few steps",
            "the margin of non-inferiority in all claims; Rescorla-Wagner must fail on five arms",
        ),
        Prediction(
            RECURRENCE,
            "learned",
            "<=",
            -MARGIN,
            "in as few steps RL finds the better algorithm in the recurrent network",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "distilled",
            ">=",
            -MARGIN,
            "the agent's update of its state can be a rule of about a hundred numbers in weights",
            "the same border",
        ),
        Prediction(
            RECURRENCE,
            "distilled_few",
            "<=",
            -MARGIN,
            "a rule of a handful of numbers does not hold what the agent has learned",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "held",
            ">=",
            STATISTICS,
            "the weights hold the sufficient statistics",
            "the last action and reward give .45 and an untrained network .63 on five arms",
        ),
        Prediction(
            WEIGHTS,
            "held_more",
            ">=",
            LEARNED,
            "meta-training has put the sufficient statistics there",
            "two standard errors between training seeds",
        ),
        Prediction(
            WEIGHTS,
            "directions",
            "<=",
            DIRECTIONS,
            "gradient steps walk along few directions",
            "a mean and how often it was seen are the sufficient statistics of an arm",
        ),
    )
    settings = (BANDIT, FIVE_ARMS, REVERSAL)
    small: ClassVar[Mapping[str, Any]] = {
        "CHOOSING": 20,
        "IN_WEIGHTS": (GRADIENT,),
        "SIZES": {FEW: SIZES[FEW], HUNDRED: SIZES[HUNDRED]},
        "BY_RL": (FEW,),
        "probes.decode.FIT_EPISODES": 20,
    }

    def why_not(self, preset: Preset) -> str | None:
        """Also a task on which there is nothing to decode."""
        reason = super().why_not(preset)
        for setting in self.asked_on(preset) if reason is None else ():
            try:
                policies = [build_policy(run) for run in self._by_rl(preset, setting, 0).values()]
            except InvalidTask as error:
                return str(error)
            agent = TrainedAgent(policies[0], setting.layout)
            reason = reason or Decode().why_not(agent, setting)
        return reason

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """All that RL trains: the agent, also for as few steps as the rest, rules, and a twin."""
        found = {}
        for setting in self.asked_on(preset):
            found[f"agent/{setting.name}"] = preset.run(preset.agent, setting, seed)
            found |= {
                f"{kind}/{setting.name}": run
                for kind, run in self._by_rl(preset, setting, seed).items()
            }
        return found

    def _by_rl(self, preset: Preset, setting: NamedSetting, seed: int) -> dict[str, RunConfig]:
        """The runs of as few steps as the rest, on one task."""
        found = {name: preset.run(name, setting, seed, PART) for name in IN_WEIGHTS}
        found |= {
            f"rule of {size}": preset.run(
                "learned_rule",
                setting,
                seed,
                PART,
                agent_kwargs=SIZES[size],
                train_kwargs=REINFORCING,
            )
            for size in BY_RL
        }
        found["twin"] = preset.run(GRADIENT, setting, TWIN + seed, PART)
        found["early"] = preset.run(preset.agent, setting, seed, PART)
        return found

    def later_runs(self, preset: Preset, seed: int, folder: Path) -> Iterator[dict[str, RunConfig]]:
        """Rules of every size that imitate the fully trained agent."""
        found = {}
        for setting in self.asked_on(preset):
            teacher = preset.run(preset.agent, setting, seed)
            for size, arguments in SIZES.items():
                found[f"distilled {size}/{setting.name}"] = preset.run(
                    "learned_rule",
                    setting,
                    seed,
                    DISTILLED,
                    trainer="imitate",
                    agent_kwargs=arguments,
                    train_kwargs={**TEACHING, "reference": str(folder / teacher.name)},
                )
        yield found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Scores, what the weights hold, and scores with parts of another network."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            own = {
                name.partition("/")[0]: agent
                for name, agent in agents.items()
                if name.partition("/")[2] == setting.name
            }
            scores = {
                kind: score(agent, setting, preset.episodes, seed) for kind, agent in own.items()
            }
            rules = {name: own[name] for name in (*IN_WEIGHTS, *(f"rule of {n}" for n in BY_RL))}
            best = chosen(rules, setting, seed)
            values: dict[str, float | None] = {
                "learned": scores[best] - scores["early"],
                "distilled": scores[f"distilled {HUNDRED}"] - scores["agent"],
                "distilled_few": scores[f"distilled {FEW}"] - scores["agent"],
                **weights_hold(own[GRADIENT], setting, min(JUDGED, preset.episodes), seed),
            }
            for part, names in PARTS.items():
                swapped = with_parts(own[GRADIENT], own["twin"], names)
                other = score(swapped, setting, preset.episodes, seed)
                values[f"other_{part}"] = other - scores[GRADIENT]
            for quantity, value in values.items():
                found[quantity][setting.name] = value
            runs = self._by_rl(preset, setting, seed)
            counts = {kind: n_parameters(runs[kind]) for kind in IN_WEIGHTS}
            found[SHOWN][setting.title] = by_size(scores, counts)
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Score by the number of learned parameters, a panel a task; black: the agent."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(
            shown, "learned parameters", "score", references=("agent", "agent, as few steps")
        )


def chosen(rules: Mapping[str, Agent], setting: NamedSetting, seed: int) -> str:
    """The name of the best rule, on episodes that nothing else plays."""
    apart = TUNING_SEED + CHOOSING_SEED + seed % TUNING_SEED
    earned = {
        name: float(expected_returns(agent, setting, CHOOSING, apart).mean())
        for name, agent in rules.items()
    }
    return max(earned, key=lambda name: earned[name])


def weights_hold(
    agent: Agent, setting: Setting, episodes: int, seed: int
) -> dict[str, float | None]:
    """What is decoded from an agent's weights at the last trial, by quantity.

    None where the probe gives no number, as for directions where next to nothing is decoded.
    """
    found = Decode([setting.family.horizon - 1]).run(agent, setting, episodes, seed)
    main = headline(found["decoded"])
    decoded = {} if main is None else found["decoded"][main]
    held, fresh = (decoded.get(name, [None])[-1] for name in ("weights", "untrained"))
    along = found["directions"].get("weights", [None])[-1]
    return {
        "held": held,
        "held_more": None if held is None or fresh is None else held - fresh,
        "directions": None if along is None else along / setting.family.n_arms,
    }


def with_parts(agent: Agent, other: Agent, names: tuple[str, ...]) -> TrainedAgent:
    """An agent with some parameters of its cell from another one of the same kind.

    Args:
        agent: a network.
        other: where the parameters are from.
        names: with what their names begin.
    """
    assert isinstance(agent, TrainedAgent)
    assert isinstance(other, TrainedAgent)
    policy = copy.deepcopy(agent.policy)
    theirs = other.policy.cell.state_dict()
    taken = {name: value for name, value in theirs.items() if name.startswith(names)}
    policy.cell.load_state_dict(taken, strict=False)
    return TrainedAgent(policy, agent.layout)


def n_parameters(run: RunConfig) -> int:
    """Numbers that are learned in a run's cell."""
    return sum(each.numel() for each in build_policy(run).cell.parameters())


def by_size(scores: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Scores by kind and number of learned parameters; the agent's at each of these.

    Args:
        scores: of everything that was trained.
        counts: parameters of what is no rule of a size.
    """
    lines = {
        "imitates the agent": {str(n): scores[f"distilled {n}"] for n in SIZES},
        "small rule, by RL": {str(n): scores[f"rule of {n}"] for n in BY_RL},
        **{kind: {str(n): scores[kind]} for kind, n in counts.items()},
    }
    everywhere = sorted({int(n) for points in lines.values() for n in points})
    for name, kind in (("agent", "agent"), ("agent, as few steps", "early")):
        lines[name] = {str(n): scores[kind] for n in everywhere}
    return lines
