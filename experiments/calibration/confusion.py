"""The confusion matrix of the strategy probe: agents of known strategy, and what is found.

``python -m metalocus.experiments.calibration.confusion`` prints one for each family in ``TASKS``;
about 4 CPU minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metalocus.agents.agent import Agent, Array, Stores
from metalocus.agents.catalogue import CONTROLS, REFERENCES
from metalocus.agents.rollout import TUNING_SEED
from metalocus.envs import Family, Setting
from metalocus.experiments.probes.strategy import NEAR
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.strategies.candidates import candidates
from metalocus.experiments.strategies.evidence import evidence, scored
from metalocus.experiments.strategies.histories import History
from metalocus.experiments.strategies.reader import KINDS, Reader, verdict
from metalocus.experiments.strategies.strategy import Strategy

CHOICES = 300
"""Choices of an agent that are fitted, and as many that are judged."""
REPLICATIONS = 3
"""Few do: probabilities are read and not choices, so replications hardly differ."""
TASKS = (
    Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=50),
    Setting("metalocus/ReversalBandit-v0", horizon=50),
    Setting("metalocus/RuleSwitching-v0", horizon=50, p=0.85),
    Setting("metalocus/TwoStep-v0", horizon=100),
)
PLANTED: Mapping[str, str | tuple[float, ...]] = {
    "random": "random",
    "bias": "fixed_bias",
    "perseveration": (3.0, 0.02),
    "wsls": (0.05,),
    "wsls_features": (0.05,),
    "recent_winner": "recent_winner",
    "recent_winner_features": (0.1,),
    "rescorla_wagner": "rescorla_wagner",
    "rescorla_wagner_features": (0.3, 20.0, 0.02),
    "rescorla_wagner_asymmetric": "rescorla_wagner_asymmetric",
    "rescorla_wagner_asymmetric_features": (0.5, 0.1, 20.0, 0.02),
    "rescorla_wagner_forgetting": "rescorla_wagner_forgetting",
    "rescorla_wagner_forgetting_features": (0.3, 0.1, 20.0, 0.02),
    "rescorla_wagner_counterfactual": "rescorla_wagner_counterfactual",
    "rescorla_wagner_counterfactual_features": (0.3, 0.15, 20.0, 0.02),
    "kalman": (0.05, 4.0, 10.0, 0.02),
    "kalman_features": (0.05, 4.0, 10.0, 0.02),
    "latent_state": (0.75, 0.25, 8.0, 0.02),
    "latent_state_features": (0.7, 0.1, 8.0, 0.02),
    "volatile_filter": (0.8, 8.0, 0.02),
    "ucb": "ucb1_prior",
    "posterior_mean": "greedy",
    "thompson": "thompson",
    "index": "finite_index",
    "bayes": "filter rule_filter two_step_filter",
    "model_free": "model_free",
    "model_based": "model_based",
    "reward_as_cue": (0.4, 0.6, 0.9, 0.1, 0.6, 0.4, 0.1, 0.9),
}
"""What plays each strategy: a named agent (of several the one that can), else its parameters.

They are in the range that is fitted to people and animals. Those of `reward_as_cue` make it go for
a state that has just paid, and leave one that has not a little more often than not."""


class Follower(Agent):
    """Acts by a strategy with given parameters, which reads the whole history at every trial.

    Args:
        strategy: one that reads no reference policy.
        theta: its parameters, [p].
        family: of the tasks.
    """

    def __init__(self, strategy: Strategy, theta: Sequence[float], family: Family) -> None:
        self.strategy, self.theta, self.family = strategy, np.array([theta]), family

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Nothing yet; a trial more than there will be, so that the last one can be read."""
        shape = n, self.family.horizon + 1
        stimulus = np.zeros((*shape, self.family.stimulus_size))
        action, reward = np.zeros(shape, dtype=int), np.zeros(shape)
        trial = np.zeros(n, dtype=int)
        context = {"stimulus": stimulus, "action": action, "reward": reward, "trial": trial}
        return Stores(context=context)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The strategy's probabilities; uniform where it says nothing, as at a second stage."""
        context, t = stores.context, int(stores.context["trial"][0])
        step = scored(self.family).step or 1
        if t % step:
            return np.full((len(stimulus), self.family.n_arms), 1.0 / self.family.n_arms), stores
        seen = context["stimulus"].copy()
        seen[:, t] = stimulus
        columns = (seen, context["action"], context["reward"])
        stimuli, action, reward = (np.moveaxis(each[:, : t + step], 0, 1) for each in columns)
        read = evidence(History(self.family, stimuli, action, reward, np.zeros(0)), {})
        probs: Array = np.exp(self.strategy.log_probs(read, self.theta)[0, -1])
        return probs, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Write the trial down."""
        context = {name: array.copy() for name, array in stores.context.items()}
        t = int(context["trial"][0])
        for name, new in (("stimulus", stimulus), ("action", action), ("reward", reward)):
            context[name][:, t] = new
        context["trial"] += 1
        return Stores(context=context)


def planted(family: Family) -> dict[str, Agent]:
    """An agent for each strategy of a family that there is one for."""
    agents: dict[str, Agent] = {}
    for strategy in candidates(family)[0]:
        plays = PLANTED[strategy.name]
        if not isinstance(plays, str):
            agents[strategy.name] = Follower(strategy, plays, family)
            continue
        named = {**REFERENCES, **CONTROLS}
        for name in plays.split():
            if named[name].why_not(family) is None:
                agents[strategy.name] = named[name](family)
    return agents


def found(agent: Agent, setting: Setting, seed: int = 0, choices: int = CHOICES) -> dict[str, str]:
    """The strategy found under each kind of histories, fitted to so many choices, as many judged.

    Args:
        agent: whose strategy is sought.
        setting: what it plays.
        seed: of the episodes judged; those fitted are of ``TUNING_SEED`` above it.
        choices: both.
    """
    strategies, references = candidates(setting.family)
    reader = Reader(agent, strategies, references)
    n = -(-choices // len(range(setting.family.horizon)[scored(setting.family)]))
    reader.fit(Chunk(setting, TUNING_SEED + seed, 0, n))
    names: dict[str, str] = {}
    for kind, read in reader.both(Chunk(setting, seed, 0, n)):
        excess = reader.excess(kind, read).mean(axis=1).tolist()
        free = [each.free for each in strategies]
        names[kind] = strategies[verdict(excess, [0.0] * len(free), free, NEAR).simplest].name
    return names


def confusion(
    setting: Setting, replications: int = REPLICATIONS, choices: int = CHOICES
) -> tuple[list[str], list[str], dict[str, Array]]:
    """How often each strategy is found, by the one that was played.

    Returns:
        Strategies played (rows), strategies found (columns), and under each kind of histories the
        part of the replications, [rows, columns].
    """
    agents, columns = planted(setting.family), [each.name for each in candidates(setting.family)[0]]
    parts = {kind: np.zeros((len(agents), len(columns))) for kind in KINDS}
    for row, agent in enumerate(agents.values()):
        for seed in range(replications):
            for kind, name in found(agent, setting, seed, choices).items():
                parts[kind][row, columns.index(name)] += 1.0 / replications
    return list(agents), columns, parts


def main() -> None:
    """Print for each task what was found, by what was played."""
    for setting in TASKS:
        rows, columns, parts = confusion(setting)
        print(f"\n{setting}, {REPLICATIONS} replications of {CHOICES} choices\n")
        print("| played | found, disagreeing | found, own |\n|---|---|---|")
        for row, name in enumerate(rows):
            said = (_listed(columns, parts[kind][row]) for kind in KINDS)
            print(f"| {name} | {' | '.join(said)} |", flush=True)


def _listed(columns: Sequence[str], parts: Array) -> str:
    """The columns of a row that are not 0, the largest first."""
    order = np.argsort(-parts, kind="stable")
    return ", ".join(f"{columns[i]} {parts[i]:.1f}" for i in order if parts[i] > 0.0)


if __name__ == "__main__":
    main()
