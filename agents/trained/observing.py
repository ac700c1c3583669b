"""Agents whose policy was trained on observations: what these are made of is their context."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import Agent, Array, NonFinite, Stores
from metalocus.envs import InvalidTask, Layout

CONTEXT = {"action": ("action",), "reward": ("reward",), "trial": ("first", "time")}
"""What the agent keeps for its next observation, with the parts that are made of it."""


class ObservingAgent(Agent):
    """Builds each observation as training does, from the stimulus and what its context keeps.

    The context holds the previous ``action`` [N], -1 at the first trial, the previous ``reward``
    [N], 0 at the first trial, and the number of the ``trial`` [N]. Each of the three is kept only
    if the policy sees a part of the observation that is made of it.

    Args:
        layout: of the observations that the policy was trained on.
        seen: positions of the observation that reach the policy; None for all.
    """

    def __init__(self, layout: Layout, seen: Collection[int] | None = None) -> None:
        self.layout = layout
        reached = set(range(layout.size) if seen is None else seen)
        self.context = [
            name for name, parts in CONTEXT.items() if reached.intersection(layout.indices(parts))
        ]

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The context of a first trial, with no transition before it."""
        first = _first_trial(n)
        return Stores(context={name: first[name] for name in self.context})

    def observation(self, stimulus: Array, stores: Stores) -> Array:
        """What the policy is shown, [N, D]; parts that it does not see are as at a first trial."""
        told = {**_first_trial(len(stimulus)), **{k: stores.context[k] for k in self.context}}
        return self.layout.encode(stimulus, told["action"], told["reward"], told["trial"])

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the transition for the next observation."""
        told = {"action": action, "reward": reward}
        if "trial" in self.context:
            told["trial"] = stores.context["trial"] + 1
        return stores.updated(Stores(context={name: told[name] for name in self.context}))


def require_real_and_finite(weights: Mapping[str, Tensor]) -> None:
    """Refuse weights with which a policy's choice would mean nothing.

    Raises:
        NonFinite: a weight is NaN or infinite.
        InvalidTask: a weight is complex.
    """
    for name, tensor in weights.items():
        if tensor.is_complex():
            raise InvalidTask(f"the weights {name} are complex numbers; a policy has real ones")
        if not torch.isfinite(tensor).all():
            raise NonFinite(f"the weights {name} are not finite; train the agent again")


def _first_trial(n: int) -> dict[str, Array]:
    """What :data:`CONTEXT` names, at the first trial of n episodes."""
    return {"action": np.full(n, -1), "reward": np.zeros(n), "trial": np.zeros(n, dtype=np.int64)}
