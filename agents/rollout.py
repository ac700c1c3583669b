"""Playing episodes: an agent on a family, under common random numbers, with interventions on its stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import Agent, Stores
from metalocus.envs import Episodes, Setting
from metalocus.envs.common_random_numbers import CommonRandomNumbers, Keys, seed_keys

Array = NDArray[Any]
Intervention = Callable[[int, Stores], Stores]
Observer = Callable[["Trial"], None]
TUNING_SEED = 10_000
"""Episodes of the seeds from here to twice as far are for tuning; no report uses them."""
LOGGED = ("action", "reward", "probs", "means", "privileged_value")


@dataclass(frozen=True)
class Trial:
    """One trial of all N episodes, as an observer sees it before the action is taken.

    Attributes:
        t: trial number.
        stimulus: [N, S].
        shown: what the agent sees: the stimulus, or ``privileged_value`` if it is omniscient.
        stores: what the agent is about to read.
        probs: its action probabilities [N, K].
        privileged_value: what each action is worth to one who knows the task, [N, K].
        shadows: action probabilities [N, K] of the shadowing agents, which have seen the same
            history, and their stores after the act.
    """

    t: int
    stimulus: Array
    shown: Array
    stores: Stores
    probs: Array
    privileged_value: Array
    shadows: tuple[tuple[Array, Stores], ...]


@dataclass(frozen=True)
class Trace:
    """What happened in N episodes of T trials.

    Attributes:
        action, reward: [T, N].
        probs: [T, N, K].
        means: true expected reward of each action, [T, N, K].
        privileged_value: what each is worth to one who knows the task, what it leads to included, [T, N, K].
        start: the stores at the episodes' start.
        end: the stores after the last transition.
    """

    action: Array
    reward: Array
    probs: Array
    means: Array
    privileged_value: Array
    start: Stores
    end: Stores

    @property
    def value(self) -> Array:
        """Expected reward of each trial under the policy and the true means, [T, N]."""
        value: Array = (self.probs * self.means).sum(axis=2)
        return value

    @property
    def total(self) -> Array:
        """Sampled total reward of each episode, [N]."""
        total: Array = self.reward.sum(axis=0)
        return total


def fresh_episodes(setting: Setting, n: int, seed: int, *, first: int = 0) -> Episodes:
    """Evaluation episodes of a setting, from number ``first`` on; each is the same whatever n is."""
    return setting.episodes(fresh_keys(n, seed, first))


def fresh_keys(n: int, seed: int, first: int = 0) -> Keys:
    """Keys [N] of the evaluation episodes of a seed."""
    return CommonRandomNumbers(seed_keys(seed, 1)).bits(
        "episode", index=np.arange(first, first + n)
    )


def rollout(
    agent: Agent,
    episodes: Episodes,
    seed: int = 0,
    *,
    greedy: bool = False,
    intervene: Intervention | None = None,
    shadows: Sequence[Agent] = (),
    observe: Observer | None = None,
) -> Trace:
    """Play every row of ``episodes`` to its end.

    Actions are sampled by inversion from numbers that belong to the episode, so two agents
    with equal probabilities choose alike.

    Args:
        agent: plays.
        episodes: at their first trial.
        seed: of the agent's own start-up chance.
        greedy: take the most probable action instead of sampling.
        intervene: called before each act with the trial and the stores; returns the
            stores that the agent reads instead.
        shadows: agents that take in the same transitions without acting; none omniscient.
        observe: called at every trial.
    """
    n, horizon = len(episodes), episodes.family.horizon
    stores = start = agent.start(n, np.random.default_rng(seed))
    watching = [shadow.start(n, np.random.default_rng(seed)) for shadow in shadows]
    log: dict[str, list[Array]] = {name: [] for name in LOGGED}
    for t in range(horizon):
        if intervene is not None:
            stores = intervene(t, stores)
        means, privileged_value, stimulus = (
            episodes.means(),
            episodes.privileged_value(),
            episodes.stimulus(),
        )
        shown = privileged_value if agent.omniscient else stimulus
        probs, after = agent.act(shown, stores)
        acts = [shadow.act(stimulus, seen) for shadow, seen in zip(shadows, watching, strict=True)]
        if observe is not None:
            observe(Trial(t, stimulus, shown, stores, probs, privileged_value, tuple(acts)))
        action = choose(probs, episodes.crn.uniform("policy", t), greedy)
        reward, _ = episodes.step(action)
        stores = agent.learn(after, shown, action, reward)
        watching = [
            shadow.learn(seen, stimulus, action, reward)
            for shadow, (_, seen) in zip(shadows, acts, strict=True)
        ]
        for name, array in zip(
            LOGGED, (action, reward, probs, means, privileged_value), strict=True
        ):
            log[name].append(array)
    return Trace(**{name: np.stack(rows) for name, rows in log.items()}, start=start, end=stores)


def choose(probs: Array, u: Array, greedy: bool = False) -> Array:
    """Actions [N] from probabilities [N, K] by inversion of u [N], or the most probable ones."""
    cumulative = np.cumsum(probs, axis=1)
    sampled: Array = (u[:, None] * cumulative[:, -1:] >= cumulative[:, :-1]).sum(axis=1)
    return probs.argmax(axis=1) if greedy else sampled
