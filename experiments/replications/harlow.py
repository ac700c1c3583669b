"""Harlow's learning sets: chance at the first trial, knowledge at the second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes
from metalocus.envs import Setting
from metalocus.experiments.replications.base import (
    Check,
    Part,
    Replication,
    Training,
    difference,
)
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

TASK = Setting("metalocus/Harlow-v0")
RISE = "trial 2, late minus early"
RANKING = "ranking"
"""The control that passes trial 2 by a fixed order of preference."""


@dataclass(frozen=True)
class LearningSet(Part):
    """Choice value by trial on objects never seen before."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM, early and late, and one-step memory, which never sees the last objects."""
        return {
            "early": Training(TASK, "lstm", 500_000),
            "late": Training(TASK, "lstm", 16_000_000),
            "one-step memory": Training(TASK, "mlp_feedback", 2_000_000),
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """``trial N, AGENT``: choice value, from 0 at chance to 1 at the right object always."""
        kept: dict[str, float | None] = {}
        ranking = make_named("fixed_ranking", TASK.family)
        for name, agent in {**agents, RANKING: ranking}.items():
            found = learning_curve(agent, TASK, preset.episodes, seed)
            pairs = zip(found["curve"], found["curve_se"], strict=True)
            for trial, (value, error) in enumerate(pairs, 1):
                kept |= {f"trial {trial}, {name}": value, f"trial {trial}, {name}_se": error}
        second = kept["trial 2, late"], kept["trial 2, early"]
        kept[RISE] = difference(*second)
        ranks = ranking_of(agents["one-step memory"], preset.episodes, seed)
        return kept | {f"{name}, one-step memory": share for name, share in ranks.items()}


def ranking_of(agent: Agent, episodes: int, seed: int) -> dict[str, float]:
    """What a trial's reward makes an agent choose of two new objects, wherever they lay and lie.

    Args:
        agent: shown a first trial, and then the same objects again.
        episodes: pairs of objects.
        seed: of them.

    Returns:
        shares of the pairs, means over reward and none and over the side taken first: ``same, sides
        changed``, the same object, which a habit of a side lacks; ``same, other taken``, which a
        memory lacks; and ``other, no reward``, the other object than after a reward.
    """
    shown = fresh_episodes(TASK, episodes, seed).stimulus()
    changed = np.concatenate(np.split(shown, 2, axis=1)[::-1], axis=1)
    begun = agent.act(shown, agent.start(episodes, np.random.default_rng(seed)))[1]
    chosen = np.empty((2, 2, 2, episodes), dtype=np.int64)  # sides as before, taken, rewarded
    for taken, reward in np.ndindex(2, 2):
        actions = np.full(episodes, taken)
        stores = agent.learn(begun, shown, actions, np.full(episodes, float(reward)))
        for i, stimulus in enumerate((shown, changed)):
            side = agent.act(stimulus, stores)[0].argmax(axis=1)
            chosen[i, taken, reward] = side ^ i  # of the object, by where it lay
    return {
        "same, sides changed": float((chosen[0] == chosen[1]).mean()),
        "same, other taken": float((chosen[:, 0] == chosen[:, 1]).mean()),
        "other, no reward": float((chosen[:, :, 0] != chosen[:, :, 1]).mean()),
    }


REPLICATION = Replication(
    "harlow",
    "one-trial learning about new objects",
    "Harlow 1949, The formation of learning sets; Wang et al. 2018, Prefrontal cortex as a meta-"
    "reinforcement learning system, simulation 5",
    "Two new objects every six trials, one of which hides food whichever side it is on; an LSTM"
    " on images (Wang 2018) is at chance at the first trial and near 1 at the second.",
    "Objects are eight random numbers, not images; PPO. That trial 1 is at chance holds for every"
    " agent: it shows that nothing leaks. Expected of one-step memory, a network that sees the last"
    " action and reward and not the last objects, was chance at trial 2. It found another way: it"
    " ranks any two objects, takes the higher one after a reward and the lower one after none, and"
    " is right at every second trial. What it takes is the same object of nearly every pair when"
    " they change sides, and whichever was taken before. So trial 2 shows no memory of an object."
    " The third does: the last four checks were added when this had been seen.",
    (LearningSet("harlow-objects", "two new objects, six trials", 6.0),),
    (
        Check("harlow-objects", "trial 1, late", "near", 0.0, "nothing is known; a sham", 0.03),
        Check("harlow-objects", "trial 2, late", ">=", 0.9, "one trial tells all"),
        Check("harlow-objects", RISE, ">=", 0.1, "which is learned: a learning set"),
        Check("harlow-objects", "trial 2, one-step memory", "near", 0.0, "memory does it", 0.05),
        Check("harlow-objects", "trial 3, late", ">=", 0.9, "what is remembered is the object"),
        Check("harlow-objects", "trial 3, one-step memory", "near", 0.0, "which this lacks", 0.05),
        Check("harlow-objects", f"trial 2, {RANKING}", ">=", 0.9, "a ranking passes trial 2"),
        Check("harlow-objects", f"trial 3, {RANKING}", "near", 0.0, "and not trial 3", 0.05),
    ),
)
