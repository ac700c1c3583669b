"""Tasks that change places: what an episode's choices are worth by another episode's task."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from metalocus.agents.agent import Agent, Array, Stores, best_arms
from metalocus.agents.rollout import act, choose
from metalocus.envs import Episodes, Family
from metalocus.envs.family import Latents


def shown_latents(family: Family, one: Latents, other: Latents) -> list[str]:
    """The latents that a stimulus is made of: those whose exchange changes it.

    Args:
        family: of the episodes.
        one: latents of N episodes.
        other: of N others.
    """
    plain = family.stimulus(one)
    return [
        name
        for name in one
        if not np.array_equal(family.stimulus({**one, name: other[name]}), plain)
    ]


class Task:
    """What N episodes' actions are worth by other episodes' tasks, as these are at one moment.

    The task of an episode is all its latents but those that the stimulus is made of: of the rule
    task the rule, of cue binding what each cue is bound to. The value is that of an action on the
    stimulus that is shown where it is taken.

    Args:
        owners: the episodes whose tasks they are, [N].
        shown: names of the latents that a stimulus is made of.
    """

    def __init__(self, owners: Episodes, shown: Collection[str]) -> None:
        self.family = owners.family
        self.hidden = {name: each for name, each in owners.latents.items() if name not in shown}

    def value(self, where: Episodes) -> Array:
        """Privileged value of each action on the stimuli of some episodes, [N, K]."""
        value: Array = self.family.privileged_value({**where.latents, **self.hidden})
        return value

    def values_on(self, where: Episodes, rows: Collection[int]) -> Array:
        """Values of every action on the stimuli of some of the episodes, [N, R, K]."""
        n = len(where)
        found = []
        for row in rows:
            same = {name: each[np.full(n, row)] for name, each in where.latents.items()}
            found.append(self.family.privileged_value({**same, **self.hidden}))
        return np.stack(found, axis=1)


def opposite(one: Array, other: Array) -> Array:
    """Where no best action is common to two tasks of values [N, K], [N]."""
    common: Array = best_arms(one) & best_arms(other)
    return np.logical_not(common.any(axis=1))


@dataclass
class Player:
    """An agent in the midst of N episodes.

    Attributes:
        agent: that plays; a copy of its own, since it may hide what it knows.
        episodes: that it plays.
        stores: that it is about to read.
        t: trial about to be played.
    """

    agent: Agent
    episodes: Episodes
    stores: Stores
    t: int = 0

    @classmethod
    def begin(cls, agent: Agent, episodes: Episodes, seed: int) -> Player:
        """A copy of an agent at the first trial; ``seed`` of what it draws there."""
        fresh = copy.deepcopy(agent)
        return cls(fresh, episodes, fresh.start(len(episodes), np.random.default_rng(seed)))

    def branch(self, stores: Stores) -> Player:
        """The same from here on, with other stores."""
        agent, episodes = copy.deepcopy(self.agent), copy.deepcopy(self.episodes)
        return Player(agent, episodes, stores, self.t)

    @property
    def shown(self) -> Array:
        """What the agent sees."""
        told = self.agent.omniscient
        return self.episodes.privileged_value() if told else self.episodes.stimulus()

    def probs(self, stores: Stores | None = None) -> Array:
        """Its action probabilities [N, K], from other stores if given."""
        return act(self.agent, self.t, self.shown, self.stores if stores is None else stores)[0]

    def play(self, trials: int) -> None:
        """Play some trials."""
        for _ in range(trials):
            self.step()

    def step(self) -> Array:
        """Play a trial; the action probabilities there, [N, K]."""
        shown = self.shown
        probs, after = act(self.agent, self.t, shown, self.stores)
        action = choose(probs, self.episodes.crn.uniform("policy", self.t))
        reward, _ = self.episodes.step(action)
        self.stores = self.agent.learn(after, shown, action, reward)
        self.t += 1
        return probs
