"""A trained policy that goes on learning: its actor's head changes after every transition."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from metalocus.agents.agent import Array, Store, Stores
from metalocus.agents.ppo.distributions import Categorical
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import FEATURES, TrainedAgent, probabilities, read_from
from metalocus.envs import InvalidTask, Layout
from metalocus.envs.checks import require_number

BASELINE_RATE = 0.1
"""The baseline is about the mean of the last ten rewards."""
_HEAD, _BASELINE = "actor.", "baseline"


class UpdatingAgent(TrainedAgent):
    """Test-time learning: one step of gradient descent an episode and transition, at a rate.

    Every episode begins with the trained parameters, and after each transition descends

        L = -(r - b) log pi(a | features)

    (Williams 1992, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning"): r is the reward as a fraction of the family's range, b the
    episode's own baseline, which begins at 1/2 and moves to r by ``BASELINE_RATE``.
    The trained critic is no baseline for one reward, since it was trained on returns that
    are discounted, scaled, and relative to those of other episodes.

    What changes is the actor's head, all of its layers; the cell below it stays as trained
    (Raghu et al. 2019, "Rapid learning or feature reuse?", find that nothing is lost by
    that). So the rule is one and the same whatever the cell, and the gradient is that of the
    current step alone: features, and with them everything carried, are constants in it.

    ``weights["actor.*"]`` [N, ...] are differences from the trained parameters, zeros at first,
    and ``weights["baseline"]`` is [N]. At rate 0 the agent acts exactly as the frozen
    :class:`TrainedAgent`.

    Args:
        policy: with discrete actions, on the CPU; it is not changed.
        layout: of the observations it was trained on.
        rate: of the descent, at least 0.

    Raises:
        InvalidTask: the rate is no such number, or the cell chooses by weights of its own, which
            it updates itself.
    """

    def __init__(self, policy: SequencePolicy, layout: Layout, rate: float) -> None:
        super().__init__(policy, layout)
        if policy.cell.n_logits:
            raise InvalidTask(
                f"{policy.cell_name} gives the logits itself; it has no head to update"
            )
        self.rate = require_number("rate", rate, 0.0)
        self.baseline_rate = BASELINE_RATE if self.rate else 0.0  # at rate 0 nothing moves
        self.head = nn.Sequential(*policy.mlp_extractor.policy_net, policy.action_net)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The trained agent's stores, no differences, and the first baseline."""
        stores = super().start(n, rng)
        same = {
            _HEAD + name: np.zeros((n, *parameter.shape), dtype=np.float32)
            for name, parameter in self.head.named_parameters()
        }
        baseline = {_BASELINE: np.full(n, 0.5, dtype=np.float32)}
        return stores.updated(Stores(weights={**same, **baseline}))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """A forward pass with the episode's own head; its features are kept for :meth:`learn`."""
        after = self.take_in(stimulus, stores)
        return self.read_out(stimulus, after), after

    def read_out(self, stimulus: Array, stores: Stores) -> Array:
        """The choice from the features, by the episode's own head."""
        with torch.no_grad():
            outputs = self._outputs(self._kept_features(stores), self._differences(stores.weights))
        return probabilities(Categorical(outputs[-1].shape[-1], outputs[-1]).log_probs)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """One step of descent, and the transition becomes the feedback that is read next."""
        low, high = self.layout.family.reward_range
        fraction = ((reward - low) / (high - low)).astype(np.float32)
        features = self._kept_features(stores)
        changed = self._descend(stores.weights, features, action, fraction)
        told = super().learn(stores.updated(Stores(weights=changed)), stimulus, action, reward)
        return told.without(FEATURES)

    def _kept_features(self, stores: Stores) -> Tensor:
        """The features that :meth:`take_in` has kept, [N, H]."""
        return torch.from_numpy(getattr(stores, read_from(self.policy.cell.carried))[FEATURES])

    def _descend(self, weights: Store, features: Tensor, action: Array, reward: Array) -> Store:
        """New head and baseline from features [N, H], action [N] and reward [N] in [0, 1].

        No episode's loss depends on another's head, so the gradient of their sum holds that of
        each. The gradient of a layer's weights is the outer product of that of its output and its
        input, which is taken off the weights without being formed.
        """
        error = reward - weights[_BASELINE]
        head = self._differences(weights)
        with torch.enable_grad():
            outputs = self._outputs(features.requires_grad_(), head)
            log_probs = Categorical(outputs[-1].shape[-1], outputs[-1]).log_probs
            chosen = log_probs.gather(1, torch.from_numpy(action)[:, None])[:, 0]
            loss = -(torch.from_numpy(error) * chosen).sum()
            gradients = torch.autograd.grad(loss, outputs)
        changed: dict[str, Array] = {}
        inputs = [features, *outputs[:-1]]
        for (name, layer), x, gradient in zip(
            self.head.named_children(), inputs, gradients, strict=True
        ):
            if isinstance(layer, nn.Linear):
                weight, bias = (f"{name}.{part}" for part in ("weight", "bias"))
                step = gradient[..., None], x.detach()[:, None]
                moved = torch.addcmul(head[weight], *step, value=-self.rate)
                changed[_HEAD + weight] = moved.numpy()
                changed[_HEAD + bias] = torch.sub(head[bias], gradient, alpha=self.rate).numpy()
        return {**changed, _BASELINE: weights[_BASELINE] + self.baseline_rate * error}

    def _differences(self, weights: Store) -> dict[str, Tensor]:
        """The head's differences from the trained one by parameter, [N, ...] each."""
        return {
            name: torch.from_numpy(weights[_HEAD + name])
            for name, _ in self.head.named_parameters()
        }

    def _outputs(self, x: Tensor, differences: Mapping[str, Tensor]) -> list[Tensor]:
        """What each layer of the head makes of features [N, H]; the last are the logits [N, K].

        Each layer adds what the difference makes to what the trained layer gives, so that no
        difference is exactly none.
        """
        outputs = []
        for name, layer in self.head.named_children():
            y = layer(x)
            if isinstance(layer, nn.Linear):
                weight, bias = (differences[f"{name}.{part}"] for part in ("weight", "bias"))
                # a row times a matrix takes half the time of a matrix times a column
                y = y + torch.baddbmm(bias[:, None], x[:, None], weight.mT)[:, 0]
            x = y
            outputs.append(y)
        return outputs
