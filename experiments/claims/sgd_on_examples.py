"""Gradient descent on the examples of a dataset bandit before its one choice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.rollout import TUNING_SEED
from metalocus.envs import Setting
from metalocus.envs.families.dataset_bandit import DatasetBandit
from metalocus.experiments.scoring.chunks import Chunks

Array = NDArray[Any]
STEPS = (1, 2, 5, 20, 100)
"""Numbers of steps that are tried."""
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Step sizes that are tried, as factors on the mean gradient over the examples."""
TUNING_TASKS = 2000
"""Tasks that rate and steps are chosen on: the error of a choice value is then .02."""


@dataclass(frozen=True)
class Descent:
    """How many steps of which size."""

    steps: int
    rate: float


def best_descent(setting: Setting) -> Descent:
    """The best number and size of steps on the tasks that are kept for tuning."""
    tried = [Descent(*each) for each in product(STEPS, RATES)]
    return max(tried, key=lambda each: value_after(setting, each, TUNING_TASKS, TUNING_SEED))


def value_after(setting: Setting, descent: Descent, episodes: int, seed: int) -> float:
    """Choice value of the greatest prediction after gradient descent on the examples.

    Args:
        setting: a dataset bandit that shows all examples at once.
        descent: steps and rate.
        episodes: fresh ones.
        seed: of these.
    """
    earned = chance = best = 0.0
    for chunk in Chunks(setting, episodes, seed):
        fresh = chunk.episodes()
        family = setting.family
        assert isinstance(family, DatasetBandit)
        predicted, means = predictions(family, fresh.stimulus(), descent), fresh.means()
        choice = predicted.argmax(axis=1)
        earned += float(means[np.arange(len(means)), choice].sum())
        chance, best = (
            chance + float(means.mean(axis=1).sum()),
            best + float(means.max(axis=1).sum()),
        )
    return (earned - chance) / (best - chance)


def predictions(family: DatasetBandit, stimulus: Array, descent: Descent) -> Array:
    """What a linear model fitted to the examples predicts for every action, [N, K].

    Arms: the reward of each, from 1/2, by the squared error. Labels: their logits with a bias,
    from 0, by the cross-entropy. W <- W - rate * gradient of the mean loss over the examples.

    Args:
        family: that made the stimulus.
        stimulus: [N, S].
        descent: steps and rate.
    """
    x, y, _ = family.read(stimulus)
    arms = family.rule == "arms"
    x = x if arms else _with_bias(x)
    weights = np.full((len(x), x.shape[2], y.shape[2]), 0.5 if arms else 0.0)
    for _ in range(descent.steps):
        predicted = x @ weights
        predicted = predicted if arms else _softmax(predicted)
        gradient = x.transpose(0, 2, 1) @ (predicted - y) / x.shape[1]
        weights = weights - descent.rate * gradient
    if arms:
        found: Array = weights[:, :, 0]
        return found
    query = _with_bias(family.query(stimulus)[:, None])
    found = (query @ weights)[:, 0]
    return found


def _with_bias(x: Array) -> Array:
    """Inputs [N, m, I] with a 1 added to each."""
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


def _softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
    found: Array = exponentials / exponentials.sum(axis=2, keepdims=True)
    return found


def log2_histories(family: DatasetBandit) -> float:
    """log2 of the number of different sets of examples, counting each input by its sign alone."""
    inputs = family.n_arms if family.rule == "arms" else 2**family.features
    outcomes = 2 if family.rule == "arms" else family.n_arms
    return family.n_examples * float(np.log2(inputs * outcomes))
