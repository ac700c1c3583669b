"""How a replica learns: what it carries, and when and by what its weights change.

Every row is one replica: a network with weights, optimizer and learning rate of its own. Its
episodes follow each other without end, and nothing but the activations is put back when one
begins. After every ``interval`` steps the weights move down the gradient of the loss on these
steps, as soon as the observation after them is seen and before the next action is chosen; where
they end with an episode, when it ends. The gradient goes back to the last update, and the
activations are carried across it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from metalocus.agents.cells.base import Carry
from metalocus.agents.replicas.losses import SLOPES, Terms, gradients, returns, taken
from metalocus.agents.replicas.networks import Networks
from metalocus.agents.replicas.optimizers import OPTIMIZERS, clip
from metalocus.envs.checks import require_choice, require_count, require_number

Weights = dict[str, Tensor]
"""What a replica carries but its activations; every tensor is [N, ...]:

``parameters`` [N, P], the optimizer's ``moments.*`` [N, P], the learning ``rate`` [N], the number
of ``updates`` so far [N]; of the steps since the last update ``filled`` [N], how many they are,
``inputs`` [N, k, I], ``starts`` [N, k], ``actions`` [N, k], ``rewards`` [N, k], and ``carry.*``,
what was carried into the first of them; ``fresh`` [N], whether the next step begins an episode.
"""
PARAMETERS, RATE, FRESH, FILLED = "parameters", "rate", "fresh", "filled"
_MOMENTS, _CARRY = "moments.", "carry."


@dataclass(frozen=True)
class Rule:
    """The settings of an online learner, the same for all replicas.

    Attributes:
        interval: steps from one update to the next, k.
        loss: ``actor_critic`` or ``ppo``.
        optimizer: ``sgd``, ``rmsprop`` or ``adam``.
        gamma: discount.
        vf_coef: weight of the critic's squared error.
        ent_coef: weight of the policy's entropy. Choices that have become certain would hardly
            change again, and with them the policy of a memoryless network.
        max_grad_norm: each replica's gradient is shortened to this length.
        n_epochs: passes over the same steps in an update of PPO; the actor–critic makes one.
        clip_range: of PPO.

    Raises:
        InvalidTask: a setting is impossible.
    """

    interval: int = 5
    loss: str = "actor_critic"
    optimizer: str = "sgd"
    gamma: float = 0.9
    vf_coef: float = 0.5
    ent_coef: float = 0.05
    max_grad_norm: float = 0.5
    n_epochs: int = 4
    clip_range: float = 0.2

    def __post_init__(self) -> None:
        require_count("interval", self.interval, 1)
        require_count("n_epochs", self.n_epochs, 1)
        require_choice("loss", self.loss, tuple(SLOPES))
        require_choice("optimizer", self.optimizer, tuple(OPTIMIZERS))
        for each in fields(self):
            if each.type == "float":
                require_number(each.name, getattr(self, each.name), 0.0)

    @property
    def passes(self) -> int:
        """Steps of descent in an update."""
        return self.n_epochs if self.loss == "ppo" else 1


class Learning:
    """One rule of learning for networks of one shape; holds no weights itself.

    Args:
        networks: their shape.
        rule: how their weights change.
        reward_range: least and greatest reward; the rule reads rewards as fractions of it.
    """

    def __init__(
        self, networks: Networks, rule: Rule, reward_range: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        self.networks, self.rule = networks, rule
        self.low, self.spread = reward_range[0], reward_range[1] - reward_range[0]
        self.optimizer = OPTIMIZERS[rule.optimizer]
        self._unpacked: tuple[Tensor, list[Tensor]] | None = None

    def initial(self, rates: Sequence[float], seed: int) -> Weights:
        """Untrained replicas, one for each learning rate; the parameters of row i follow from i."""
        n, k = len(rates), self.rule.interval
        parameters = self.networks.initial(n, seed)
        moments = {_MOMENTS + name: torch.zeros_like(parameters) for name in self.optimizer.moments}
        carry = {_CARRY + name: value for name, value in self.networks.carry(n).items()}
        return {
            PARAMETERS: parameters,
            **moments,
            RATE: parameters.new_tensor(rates),
            "updates": torch.zeros(n, dtype=torch.int64),
            FILLED: torch.zeros(n, dtype=torch.int64),
            "inputs": parameters.new_zeros(n, k, self.networks.n_inputs),
            "starts": torch.zeros(n, k, dtype=torch.bool),
            "actions": torch.zeros(n, k, dtype=torch.int64),
            "rewards": parameters.new_zeros(n, k),
            **carry,
            FRESH: torch.ones(n, dtype=torch.bool),
        }

    def begin(self, weights: Weights) -> tuple[Weights, Carry]:
        """A new episode in every row: an update that is due is made, activations are put back."""
        fresh = weights | {FRESH: torch.ones_like(weights[FRESH])}
        carry = self.networks.carry(len(fresh[FRESH]))
        nothing = torch.zeros_like(weights["inputs"][:, 0])  # never read: an episode has ended
        return self._updated(fresh, nothing, carry), carry

    def take_in(self, weights: Weights, obs: Tensor, carry: Carry) -> tuple[Tensor, Weights, Carry]:
        """The update that is due, then one step of the network.

        Args:
            weights: of the replicas.
            obs: [N, D].
            carry: activations, [N, ...] each.

        Returns:
            features [N, H], new weights, what to carry on.
        """
        x = self.networks.inputs_of(obs).to(weights[PARAMETERS].dtype)
        weights = self._updated(weights, x, carry)
        empty = weights[FILLED] == 0
        weights = weights | {
            _CARRY + name: _where(empty, now, weights[_CARRY + name]) for name, now in carry.items()
        }
        with torch.no_grad():
            features, after = self._step(weights, x, carry)
        return features[:, 0], weights, after

    def log_probs(self, weights: Weights, features: Tensor) -> Tensor:
        """Log-probabilities of the actions [N, K], of features [N, H]."""
        with torch.no_grad():
            logits = self.networks.logits(self._parts(weights), features[:, None])
        return logits[:, 0].log_softmax(dim=-1)

    def record(self, weights: Weights, obs: Tensor, action: Tensor, reward: Tensor) -> Weights:
        """Keep a step for the next update: obs [N, D], action [N], reward [N] as it was paid."""
        fraction = (reward - self.low) / self.spread
        step = {
            "inputs": self.networks.inputs_of(obs).to(weights["inputs"].dtype),
            "starts": weights[FRESH],
            "actions": action,
            "rewards": fraction.to(weights["rewards"].dtype),
        }
        rows, place = torch.arange(len(action)), weights[FILLED]
        kept = {name: weights[name].index_put((rows, place), value) for name, value in step.items()}
        return weights | kept | {FILLED: place + 1, FRESH: torch.zeros_like(weights[FRESH])}

    def _step(self, weights: Weights, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """One step of the network on inputs [N, I]: features [N, 1, H], what to carry on."""
        # activations are at rest already where an episode begins
        return self.networks.features(self._parts(weights), x[:, None], None, carry)

    def _parts(self, weights: Weights) -> list[Tensor]:
        """The parameters as :meth:`Networks.unpack` gives them, kept until they change."""
        parameters = weights[PARAMETERS]
        if self._unpacked is None or self._unpacked[0] is not parameters:
            self._unpacked = parameters, self.networks.unpack(parameters)
        return self._unpacked[1]

    def _updated(self, weights: Weights, x: Tensor, carry: Carry) -> Weights:
        """New weights in the rows whose interval is over.

        Args:
            weights: of the replicas.
            x: inputs after the last step, [N, I].
            carry: activations after it.
        """
        due = weights[FILLED] == self.rule.interval
        if not due.any():
            return weights
        with torch.no_grad():
            features, _ = self._step(weights, x, carry)
            after = self.networks.values(self._parts(weights), features)[:, 0]
        if due.all():
            return weights | self._descended(weights, after)
        rows = due.nonzero()[:, 0]
        some = {name: value[rows] for name, value in weights.items()}
        new = self._descended(some, after[rows])
        return weights | {
            name: weights[name].index_copy(0, rows, value) for name, value in new.items()
        }

    def _descended(self, weights: Weights, after: Tensor) -> Weights:
        """What an update changes, given the value of the observation after the steps [N]."""
        parameters, terms = weights[PARAMETERS], None
        moments: Mapping[str, Tensor] = {
            name: weights[_MOMENTS + name] for name in self.optimizer.moments
        }
        count, rate = weights["updates"], weights[RATE][:, None]
        for _ in range(self.rule.passes):
            # gradients at the parts cost less than one at the row that they are cut from
            parts = [each.detach().requires_grad_() for each in self.networks.unpack(parameters)]
            logits, values = self._read(weights, parts)
            rule, read = self.rule, (logits.detach(), values.detach())
            if terms is None:
                terms = self._terms(weights, *read, after)
            slopes = gradients(
                *read, terms, rule.loss, rule.vf_coef, rule.ent_coef, rule.clip_range
            )
            # no row's loss depends on another's weights
            found = torch.autograd.grad((logits, values), parts, slopes)
            count = count + 1
            with torch.no_grad():
                gradient = torch.cat([each.flatten(1) for each in found], dim=1)
                gradient = clip(gradient, rule.max_grad_norm)
                step, moments = self.optimizer.step(gradient, moments, count[:, None], rate)
                parameters = parameters - step
        changed = {_MOMENTS + name: value for name, value in moments.items()}
        return {
            PARAMETERS: parameters,
            **changed,
            "updates": count,
            FILLED: torch.zeros_like(weights[FILLED]),
        }

    def _read(self, weights: Weights, parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [N, k, K] and values [N, k] of the kept steps under given parameters."""
        carry = {name: weights[_CARRY + name] for name in self.networks.carried}
        features, _ = self.networks.features(parts, weights["inputs"], weights["starts"], carry)
        return self.networks.logits(parts, features), self.networks.values(parts, features)

    def _terms(self, weights: Weights, logits: Tensor, values: Tensor, after: Tensor) -> Terms:
        """What the kept steps were worth, before the update."""
        last = torch.cat([weights["starts"][:, 1:], weights[FRESH][:, None]], dim=1)
        found = returns(weights["rewards"], last, after, self.rule.gamma)
        log_probs = taken(logits.log_softmax(dim=-1), weights["actions"])
        return Terms(weights["actions"], log_probs, found, found - values)


def _where(rows: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """One in the rows of a mask [N], the other elsewhere, [N, ...]."""
    return torch.where(rows.reshape(-1, *[1] * (one.ndim - 1)), one, other)
