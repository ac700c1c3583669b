"""Replicas as an agent: inside its test episodes it goes on learning as it did in training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import Array, Stores
from metalocus.agents.cells.base import Carry
from metalocus.agents.replicas.learning import PARAMETERS, Learning, Weights
from metalocus.agents.trained.frozen import (
    FEATURES,
    probabilities,
    read_from,
    to_carry,
    to_stores,
)
from metalocus.agents.trained.observing import ObservingAgent
from metalocus.envs import Layout
from metalocus.envs.checks import require_below

REPLICA = "replica"
"""Which replica an episode is played by, among the weights, [N]."""


class OnlineAgent(ObservingAgent):
    """Trained replicas that keep learning by the rule that trained them.

    Episode i is played by replica i modulo their number. All of its weights, its optimizer's
    moments and its steps since the last update are in ``weights``, with the replica's number;
    activations are in the ``state`` of a recurrent network. An update that is due is made in
    :meth:`act`, when the next observation is there to tell what the last step led to.

    Args:
        learning: the rule, for networks of one shape.
        weights: at which training ended.
        layout: of the observations.
    """

    def __init__(self, learning: Learning, weights: Weights, layout: Layout) -> None:
        super().__init__(layout, learning.networks.inputs)
        self.learning, self.weights = learning, weights
        self.numbers = torch.arange(len(weights[PARAMETERS]))

    def only(self, *replicas: int) -> OnlineAgent:
        """The agent of some replicas alone.

        Raises:
            InvalidTask: there is no replica of such a number.
        """
        rows = np.array(replicas)
        require_below("replica", rows, len(self.numbers))
        weights = {name: value[rows] for name, value in self.weights.items()}
        some = OnlineAgent(self.learning, weights, self.layout)
        some.numbers = self.numbers[rows]
        return some

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The replicas' weights as training left them, and activations at rest."""
        rows = torch.arange(n) % len(self.numbers)
        given = {name: value[rows] for name, value in self.weights.items()}
        weights, carry = self.learning.begin(given)
        stores = self._stores(weights, carry)
        stores = stores.updated(Stores(weights={REPLICA: self.numbers[rows].numpy()}))
        return stores.updated(super().start(n, rng))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The update that is due, and one step of the updated network."""
        features, weights, after = self._forward(stimulus, stores)
        return probabilities(self.learning.log_probs(weights, features)), after

    def take_in(self, stimulus: Array, stores: Stores) -> Stores:
        """The same without the choice; features [N, H] are kept where a frozen agent has them."""
        features, _, after = self._forward(stimulus, stores)
        store = read_from(self.learning.networks.carried)
        return after.updated(Stores(**{store: {FEATURES: features.numpy()}}))

    def read_out(self, stimulus: Array, stores: Stores) -> Array:
        """The choice from the features, by the replica's own weights."""
        features = getattr(stores, read_from(self.learning.networks.carried))[FEATURES]
        return probabilities(self.learning.log_probs(_weights(stores), torch.from_numpy(features)))

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Keep the step for the next update, and as what is observed next."""
        obs = torch.from_numpy(self.observation(stimulus, stores))
        given = torch.from_numpy(action), torch.from_numpy(reward)
        weights = self.learning.record(_weights(stores), obs, *given)
        told = super().learn(stores, stimulus, action, reward)
        return told.updated(self._stores(weights, {}))

    def _forward(self, stimulus: Array, stores: Stores) -> tuple[Tensor, Weights, Stores]:
        """Features [N, H], the weights that made them, and new stores."""
        obs = torch.from_numpy(self.observation(stimulus, stores))
        carry = to_carry(stores, self.learning.networks.carried)
        features, weights, carry = self.learning.take_in(_weights(stores), obs, carry)
        return features, weights, stores.updated(self._stores(weights, carry))

    def _stores(self, weights: Weights, carry: Carry) -> Stores:
        """Tensors as arrays in their stores."""
        carried = {name: self.learning.networks.carried[name] for name in carry}
        arrays = {name: value.numpy() for name, value in weights.items()}
        return to_stores(carry, carried).updated(Stores(weights=arrays))


def _weights(stores: Stores) -> Weights:
    """The replicas' tensors out of the weights; memory is shared, and never written to."""
    own = {name: array for name, array in stores.weights.items() if name != REPLICA}
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in own.items()}
