"""With how many training tasks does an agent learn the prior in place of its tasks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from metalocus.agents.agent import Agent, Array, Stores
from metalocus.agents.references.bernoulli.counts import CountingPolicy
from metalocus.agents.references.bernoulli.policies import Greedy
from metalocus.agents.rollout import Trial, fresh_episodes, rollout
from metalocus.envs import Family, Setting
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, NamedSetting
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = (1, 4, 16, 64, 256, 1024)
"""Numbers of training tasks."""
FEW, VARIED, MANY = 4, 16, 256
"""Those that are judged, and in the middle the one at which tasks and network are varied apart. At
1,024 tasks Bayes on the tasks and under the prior differ by .004 nats a choice: too little."""
PART = 0.5
"""Of the usual steps, as there are nine runs a seed."""
PROBED = 1000
"""Episodes of each kind: 100,000 choices."""
OTHER_NETWORK = 5_000
"""Added to the training seed for another network on the same tasks; no debate has so many seeds."""
DRAWS = 32
"""Episodes for each task when the tasks are collected: one in e^32 tasks is missed."""
CERTAIN = 1e-12
"""Pay of an arm is read as no nearer to 0 or 1, so that no task is ever impossible."""
FAINT = 1.0
"""Weight of both policies together below which an agent follows neither: its odds of an arm that
pays always against one that pays never are less than e; win-stay, lose-shift has 5."""
SHARPEST = 1000.0
"""Largest weight: arms that differ by .01 are told apart for certain."""
UNLIMITED = "all tasks"


class Diversity(Claim):
    """Which of two Bayesian policies a trained agent's choices are nearer to, by training tasks.

    M infers which of the training tasks it is in. G infers the arms under the prior that the
    tasks were drawn from. Both posteriors are exact, and each policy is a softmax of its expected
    rewards: unlike posterior sampling on few tasks, that is defined after every history. Softness
    is fitted to the agent by the cross-entropy with its choice probabilities, on its own histories:

    * ``side``: a softmax of both expected rewards with a weight each, (G - M) / (G + M).
    * ``nats``: each policy alone with the weight that is best on half of the episodes;
      cross-entropy of M minus that of G on the other half. The part of an agent's choices that
      neither explains is in both.

    The network is the same at every number of tasks, and so are the steps of training.

    Every training seed has its own tasks and network. At one number of tasks two more runs tell
    the two apart: other tasks with this network, and another network with these tasks.

    Source: Raventós et al. 2023, "Pretraining task diversity and the emergence of non-Bayesian
    in-context learning for regression".
    """

    number: ClassVar[int] = 11
    name: ClassVar[str] = "diversity"
    statement: ClassVar[str] = (
        "Trained on few tasks a recurrent agent is a memory of them; trained on many it learns "
        "new tasks as Bayes does under the prior they came from."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "a sequence of many related tasks is what makes the algorithm a general one",
        WEIGHTS: "policies respond as it paid in training, here by recognising a task met before",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "few": f"side of the choices on new tasks after training on {FEW}: 1 is Bayes under the "
        "prior, -1 Bayes on the training tasks, 0 both alike",
        "few_own": f"the same on the {FEW} training tasks",
        "many": f"the same on new tasks after training on {MANY}",
        "many_own": f"the same on the {MANY} training tasks",
        "many_score": f"score on new tasks after training on {MANY}",
        "few_nats": f"surprise of Bayes on the {FEW} training tasks minus that of Bayes under "
        "the prior, nats a choice on new tasks",
        "many_nats": f"the same after training on {MANY}",
        "unlimited": f"side on new tasks after training without a limit to the tasks, beside "
        f"Bayes on {MANY} tasks that it was not trained on",
        "threshold": "base-2 logarithm of the number of training tasks from which on choices on "
        "new tasks are nearer to Bayes under the prior; none where that is seen at no number",
        "other_tasks": f"change of the side on new tasks by other training tasks, {VARIED} of them",
        "other_network": f"change of it by another initial network on the same {VARIED} tasks",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "many",
            ">=",
            0.5,
            "after many tasks the agent learns new ones as Bayes does under the prior",
            "the prior counts three times as much as the tasks; near-optimal play is beyond .9",
        ),
        Prediction(
            RECURRENCE,
            "many_score",
            ">=",
            0.8,
            "and it learns new ones well, after a quarter of the usual training",
            "well above the best policy with one-step memory, .68, which is no memory of tasks "
            "either",
        ),
        Prediction(
            RECURRENCE,
            "few",
            "<=",
            -0.5,
            "after few tasks the agent takes a new one for one of those",
            "as far on the other side",
        ),
        Prediction(
            WEIGHTS,
            "few",
            "<=",
            -0.5,
            "after few tasks the agent responds to a new one as to those that it knows",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "few_own",
            "<=",
            -0.5,
            "the agent responds to its few tasks by which of them it recognises",
            "the tasks count three times as much as the prior",
        ),
    )
    settings = (FIVE_ARMS,)
    small = {"SIZES": (4, 16), "MANY": 16}

    def why_not(self, preset: Preset) -> str | None:
        """Also a task whose prior has no exact Bayes here."""
        for setting in self.asked_on(preset):
            family = setting.family
            if not isinstance(family, BernoulliBandit) or family.beta is None:
                return "diversity is a claim on Bernoulli bandits with independent arms alone"
            if "n_tasks" in setting.kwargs:
                return "the number of tasks is what is varied; leave out n_tasks"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every number of tasks, and at one of them other tasks, another network.

        The name of a run tells its tasks: how many, and of which seed.
        """
        found, agent = {}, preset.agent
        for setting in self.asked_on(preset):
            own, others = task_seeds(seed)
            at, where = f"{VARIED}/{own}", setting.name
            one, another = limited(setting, VARIED, own), limited(setting, VARIED, others)
            for n in SIZES:
                few = limited(setting, n, own)
                found[f"trained/{n}/{own}/{where}"] = preset.run(agent, few, seed, PART)
            found[f"{UNLIMITED}/{where}"] = preset.run(agent, setting, seed, PART)
            found[f"other tasks/{VARIED}/{others}/{where}"] = preset.run(agent, another, seed, PART)
            network = OTHER_NETWORK + seed
            found[f"other network/{at}/{where}"] = preset.run(agent, one, network, PART)
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The side of every agent, on new tasks and on its training tasks."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            sides = _Sides(agents, setting, min(PROBED, preset.episodes), seed)
            new = {n: sides.of("trained", n) for n in SIZES}
            own = {n: sides.of("trained", n, new=False) for n in SIZES}
            unlimited = {n: sides.of(UNLIMITED, n) for n in SIZES}
            values = {
                "few": new[FEW].side,
                "few_own": own[FEW].side,
                "many": new[MANY].side,
                "many_own": own[MANY].side,
                "many_score": sides.score(MANY),
                "few_nats": new[FEW].nats,
                "many_nats": new[MANY].nats,
                "unlimited": unlimited[MANY].side,
                "threshold": threshold({n: new[n].side for n in SIZES if n <= MANY}),
                "other_tasks": _minus(sides.of("other tasks", VARIED), new[VARIED]),
                "other_network": _minus(sides.of("other network", VARIED), new[VARIED]),
            }
            for name, value in values.items():
                found[name][setting.name] = value
            lines = {"new tasks": new, "its training tasks": own, UNLIMITED: unlimited}
            found[SHOWN][setting.title] = {
                name: {str(n): each.side for n, each in line.items()}
                for name, line in lines.items()
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """The side of the choices by the number of training tasks."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(
            shown, "training tasks", "side (-1: its tasks, 1: the prior)", references=(UNLIMITED,)
        )


class BayesOnTasks(Greedy):
    """Greedy on the expected rewards of one who knows that the task is one of a few.

    Args:
        family: of the tasks.
        tasks: chances of reward, [M, K], each task as likely as the others.
    """

    def __init__(self, family: Family, tasks: Array) -> None:
        super().__init__(family)
        chance = np.clip(tasks, CERTAIN, 1.0 - CERTAIN)
        self.tasks, self.win, self.loss = tasks, np.log(chance), np.log1p(-chance)

    def posterior_mean(self, stores: Stores) -> Array:
        """Expected reward of every arm, over the posterior of the tasks, [N, K]."""
        wins, losses = stores.state["successes"], stores.state["failures"]
        posterior = softmax(wins @ self.win.T + losses @ self.loss.T, axis=1)
        mean: Array = posterior @ self.tasks
        return mean


@dataclass(frozen=True)
class Side:
    """What choices are nearer to.

    Attributes:
        side: from -1, Bayes on the tasks, to 1, Bayes under the prior; None if they follow neither.
        nats: surprise of the former minus that of the latter, a choice.
    """

    side: float | None
    nats: float


class _Sides:
    """The side of agents' choices, on the fresh episodes of one seed.

    Args:
        agents: by the names of the runs.
        setting: without a limit to the tasks.
        episodes: how many are played.
        seed: of the episodes.
    """

    def __init__(
        self, agents: Mapping[str, Agent], setting: Setting, episodes: int, seed: int
    ) -> None:
        self.setting, self.episodes, self.seed = setting, episodes, seed
        self.agents, self.tasks = {}, {}
        for name, agent in agents.items():
            kind, *told = name.split("/")[:-1]
            if told:
                n, task_seed = map(int, told)
                self.agents[kind, n] = agent
                self.tasks[kind, n] = limited(setting, n, task_seed)
            else:
                self.agents |= {(kind, n): agent for n in SIZES}
        self.tasks |= {(UNLIMITED, n): self.tasks["trained", n] for n in SIZES}

    def of(self, kind: str, n: int, new: bool = True) -> Side:
        """Of an agent and n tasks, on new tasks or on these."""
        tasks = self.tasks[kind, n]
        played = self.setting if new else tasks
        return side_of(self.agents[kind, n], tasks, played, self.episodes, self.seed)

    def score(self, n: int) -> float:
        """Of the agent trained on n tasks, on new ones."""
        return score(self.agents["trained", n], self.setting, self.episodes, self.seed)


def task_seeds(seed: int) -> tuple[int, int]:
    """Seeds of the training tasks and of the other ones, two for each training seed."""
    return 2 * seed, 2 * seed + 1


def limited(setting: Setting, n_tasks: int, task_seed: int) -> NamedSetting:
    """A setting with so many tasks; by the same name, trained for as many steps."""
    name, title = getattr(setting, "name", setting.env), str(setting)
    return NamedSetting(
        name, title, setting.env, **{**setting.kwargs, "n_tasks": n_tasks, "task_seed": task_seed}
    )


def training_tasks(setting: Setting) -> Array:
    """Chances of reward in every task of a limited setting, [M, K], read off its episodes."""
    n = setting.kwargs["n_tasks"]
    met: Array = np.unique(fresh_episodes(setting, DRAWS * n, seed=0).means(), axis=0)
    assert len(met) == n
    return met


def side_of(agent: Agent, tasks: Setting, played: Setting, episodes: int, seed: int) -> Side:
    """Whether choices are nearer to Bayes under the prior or to Bayes on a few tasks.

    Args:
        agent: whose choices they are.
        tasks: the limited setting.
        played: where the agent plays.
        episodes: of it.
        seed: of them.
    """
    family = tasks.family
    policies = BayesOnTasks(family, training_tasks(tasks)), Greedy(family)
    probs, memory, prior = _histories(agent, policies, played, episodes, seed)
    on_tasks, under_prior = weights(probs, memory, prior)
    both = on_tasks + under_prior
    fit, judge = slice(0, None, 2), slice(1, None, 2)
    nats = [
        surprise(weights(probs[fit], each[fit]), probs[judge], each[judge])
        for each in (memory, prior)
    ]
    side = float((under_prior - on_tasks) / both) if both >= FAINT else None
    return Side(side, nats[0] - nats[1])


def weights(probs: Array, *values: Array) -> Array:
    """Weights of values [N, T, K] whose sum's softmax is nearest to probabilities [N, T, K]."""

    def of(weights: Array) -> tuple[float, Array]:
        rest = softmax(_sum(weights, values), axis=-1) - probs
        slopes = [(rest * each).sum(axis=-1).mean() for each in values]
        return surprise(weights, probs, *values), np.array(slopes)

    start, bounds = np.full(len(values), 5.0), [(0.0, SHARPEST)] * len(values)
    found: Array = minimize(of, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def surprise(weights: Array, probs: Array, *values: Array) -> float:
    """Cross-entropy of probabilities [N, T, K] with a softmax of weighted values, nats a choice."""
    logs = log_softmax(_sum(weights, values), axis=-1)
    return float(-(probs * logs).sum(axis=-1).mean())


def _sum(weights: Array, values: tuple[Array, ...]) -> Array:
    """Values by their weights."""
    total: Array = sum(w * each for w, each in zip(weights, values, strict=True))
    return total


def threshold(sides: Mapping[int, float | None]) -> float | None:
    """Base-2 logarithm of the number from which on sides are not below 0; None if there is none.

    Between two numbers of tasks the side is taken to be linear in the logarithm.
    """
    values = [value for value in sides.values() if value is not None]
    if len(values) < len(sides) or values[-1] < 0.0:
        return None
    logs = np.log2(list(sides))
    last = max((i for i, value in enumerate(values) if value < 0.0), default=None)
    if last is None:
        return float(logs[0])
    low, high = values[last : last + 2]
    return float(logs[last] + (logs[last + 1] - logs[last]) * low / (low - high))


def _histories(
    agent: Agent, policies: tuple[CountingPolicy, ...], played: Setting, episodes: int, seed: int
) -> list[Array]:
    """Choice probabilities, and every policy's expected rewards before them, each [N, T, K]."""
    parts: list[list[Array]] = [[] for _ in range(1 + len(policies))]
    for chunk in Chunks(played, episodes, seed):
        rows: list[list[Array]] = [[] for _ in parts]

        def watch(trial: Trial, rows: list[list[Array]] = rows) -> None:
            rows[0].append(trial.probs)
            for own, policy, (_, stores) in zip(rows[1:], policies, trial.shadows, strict=True):
                own.append(policy.posterior_mean(stores))

        rollout(agent, chunk.episodes(), chunk.start_seed, shadows=policies, observe=watch)
        for part, own in zip(parts, rows, strict=True):
            part.append(np.stack(own, axis=1))
    return [np.concatenate(part) for part in parts]


def _minus(one: Side, other: Side) -> float | None:
    """Difference of two sides; None without both."""
    return None if one.side is None or other.side is None else one.side - other.side
