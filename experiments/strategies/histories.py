"""Histories for an agent to be read on: those that it makes itself, and those of another.

On a yoked history the agent takes in the actions and rewards of another and its action
probabilities are read; nothing is sampled from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from metalocus.agents.agent import Agent, Array, Stores, one_hot
from metalocus.agents.rollout import Trial, act, fresh_keys, rollout
from metalocus.envs import Family
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.experiments.scoring.chunks import Chunk

NO_ACTION = -1
"""Stands for the last action before the first trial."""


@dataclass(frozen=True)
class History:
    """What happened in N episodes of T trials, whoever acted.

    Attributes:
        family: of the tasks.
        stimulus: shown before each trial, [T, N, S].
        action: chosen, [T, N].
        reward: received, [T, N].
        privileged_value: what an omniscient agent is shown in place of the stimulus, [T, N, K].
    """

    family: Family
    stimulus: Array
    action: Array
    reward: Array
    privileged_value: Array

    def where(self, chosen: Array, other: History) -> History:
        """These episodes, with those of another where ``chosen`` [N] is False."""
        arrays = {}
        for name in ("stimulus", "action", "reward", "privileged_value"):
            mine, theirs = getattr(self, name), getattr(other, name)
            pick = chosen[(None, slice(None)) + (None,) * (mine.ndim - 2)]
            arrays[name] = np.where(pick, mine, theirs)
        return replace(self, **arrays)


def played(agent: Agent, chunk: Chunk) -> tuple[History, Array]:
    """The history that an agent makes itself, and its action probabilities on it, [T, N, K]."""
    stimuli: list[Array] = []

    def observe(trial: Trial) -> None:
        stimuli.append(trial.stimulus)

    episodes = chunk.episodes()
    trace = rollout(agent, episodes, chunk.start_seed, observe=observe)
    stimulus = np.stack(stimuli)
    history = History(episodes.family, stimulus, trace.action, trace.reward, trace.privileged_value)
    return history, trace.probs


def replayed(agent: Agent, history: History, seed: int) -> Iterator[tuple[Array, Stores]]:
    """An agent that takes in a history: at every trial its probabilities [N, K], and its stores.

    The stores are those after the act.

    Raises:
        NonFinite: its stores hold NaN, or its probabilities are no distribution.
    """
    shown = history.privileged_value if agent.omniscient else history.stimulus
    stores = agent.start(history.action.shape[1], np.random.default_rng(seed))
    for t, (seen, action, reward) in enumerate(
        zip(shown, history.action, history.reward, strict=True)
    ):
        probs, after = act(agent, t, seen, stores)
        yield probs, after
        stores = agent.learn(after, seen, action, reward)


class OneBack(Agent):
    """Repeats its last action with one probability after a win and another after a loss.

    Each episode has its own two, so that together they reach from win-stay lose-shift over
    perseveration to random choice. Other actions are equally likely.

    Args:
        family: of the tasks.
        stay: probability of the last action after a loss and after a win, [N, 2].
    """

    def __init__(self, family: Family, stay: Array) -> None:
        self.family, self.stay = family, stay

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No last trial."""
        return Stores(context={"action": np.full(n, NO_ACTION), "won": np.zeros(n, dtype=int)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The last action with its probability, all others with equal shares of the rest."""
        last, n_arms = stores.context["action"], self.family.n_arms
        stay = self.stay[np.arange(len(last)), stores.context["won"]]
        stay = np.where(last == NO_ACTION, 1.0 / n_arms, stay)[:, None]
        same = one_hot(np.maximum(last, 0), n_arms)
        return same * stay + (1.0 - same) * (1.0 - stay) / (n_arms - 1), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the action, and whether its reward is in the upper half of the range."""
        won = reward > sum(self.family.reward_range) / 2
        return Stores(context={"action": action.copy(), "won": won.astype(int)})


def foreign_histories(chunk: Chunk, number: int) -> Iterator[History]:
    """So many other histories of each episode of a chunk, made by :class:`OneBack` agents.

    Each is on the same task; they do not depend on the chunk that an episode is in. A win is
    repeated with a probability from 1/2 to 1, so that all are such as a learner might make.
    """
    random = CommonRandomNumbers(fresh_keys(chunk.n, chunk.seed, chunk.first))
    for i in range(number):
        after_loss, after_win = random.uniform("yoked", i, np.arange(2)[None]).T
        stay = np.stack([after_loss, (1.0 + after_win) / 2.0], axis=1)
        yield played(OneBack(chunk.setting.family, stay), chunk)[0]
