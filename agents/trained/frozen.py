"""A trained policy as an agent: what its cell carries and what it is told, as stores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import Array, Stores
from metalocus.agents.cells.base import Carry
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.observing import ObservingAgent, require_real_and_finite
from metalocus.envs import Layout

FEATURES = "features"
"""What the read-out reads, among what is carried."""


class TrainedAgent(ObservingAgent):
    """A frozen policy, driven through the agent interface.

    What the cell carries goes to the store that the cell declares.

    Args:
        policy: on the CPU; it is not changed.
        layout: of the observations it was trained on.

    Raises:
        NonFinite: a weight is NaN or infinite.
        InvalidTask: a weight is complex.
    """

    def __init__(self, policy: SequencePolicy, layout: Layout) -> None:
        require_real_and_finite(policy.state_dict())
        policy.set_training_mode(False)
        self.policy, self.spreads_nan = policy, policy.cell.spreads_nan
        super().__init__(layout, policy.inputs)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The cell's initial tensors, and a first trial with no transition before it."""
        carried = to_stores(self.policy.cell.initial(n), self.policy.cell.carried)
        return carried.updated(super().start(n, rng))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """One step of the policy."""
        return self.respond(self.observation(stimulus, stores), stores)

    def respond(self, obs: Array, stores: Stores) -> tuple[Array, Stores]:
        """Action probabilities [N, K] and new stores, from an observation [N, D]."""
        features, after = self.features(obs, stores)
        return self.choose(features), after

    def take_in(self, stimulus: Array, stores: Stores) -> Stores:
        """One step of the cell; its features [N, H] are kept where :func:`read_from` says."""
        features, after = self.features(self.observation(stimulus, stores), stores)
        store = read_from(self.policy.cell.carried)
        return after.updated(Stores(**{store: {FEATURES: features.numpy()}}))

    def read_out(self, stimulus: Array, stores: Stores) -> Array:
        """The choice from the features."""
        store = getattr(stores, read_from(self.policy.cell.carried))
        return self.choose(torch.from_numpy(store[FEATURES]))

    def features(self, obs: Array, stores: Stores) -> tuple[Tensor, Stores]:
        """One step of the cell: the actor's features [N, H], and new stores."""
        cell = self.policy.cell
        with torch.no_grad():
            x = self.policy.cell_inputs(torch.from_numpy(obs)[None])
            y, after = cell(x, torch.zeros(1, len(obs)), to_carry(stores, cell.carried))
        return y[0], stores.updated(to_stores(after, cell.carried))

    def choose(self, features: Tensor) -> Array:
        """Action probabilities [N, K] of the actor's features [N, H]."""
        with torch.no_grad():
            log_probs = self.policy.choice(features).log_probs  # type: ignore[attr-defined]
        return probabilities(log_probs)

    def parameters(self) -> dict[str, Array]:
        """All trained parameters, by name."""
        return {name: p.detach().numpy() for name, p in self.policy.named_parameters()}


def read_from(carried: Mapping[str, str]) -> str:
    """The store that a cell's features count to: the activations' or weights' that made them.

    A cell that carries activations is read out from these, one that carries weights alone from
    what they compute, and any other from what its pass has read of the past, its context.

    Args:
        carried: the store of each carried tensor, by its name.
    """
    stores = set(carried.values())
    return next((store for store in ("state", "weights") if store in stores), "context")


def to_stores(carry: Carry, carried: Mapping[str, str]) -> Stores:
    """What a cell carries, each tensor as an array in its store; ``carried`` names the stores."""
    stores = Stores()
    for name, store in carried.items():
        stores = stores.updated(Stores(**{store: {name: carry[name].detach().numpy()}}))
    return stores


def to_carry(stores: Stores, carried: Mapping[str, str]) -> Carry:
    """What a cell carries, back from the stores."""
    return {name: torch.from_numpy(getattr(stores, store)[name]) for name, store in carried.items()}


def probabilities(log_probs: Tensor) -> Array:
    """[N, K] -> float64 [N, K]."""
    probs: Array = log_probs.exp().numpy().astype(np.float64)
    return probs
