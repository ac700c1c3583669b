"""A part of the stores that changes places between episodes: some directions, decoded or learned.

Stores are vectors u of uncorrelated numbers of unit variance: their principal components. With R
orthonormal directions, u + R R' (donor's u - u) has the donor's part along R and its own in the
others. As two episodes are independent, it has the covariance of the vectors of whole episodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.agent import Array, Stores
from metalocus.agents.cells.base import Carry
from metalocus.agents.trained.frozen import TrainedAgent, to_carry
from metalocus.experiments.instruments.regression import Ridge
from metalocus.experiments.instruments.vectors import Vectors

MOST = 128
"""Principal directions: all of an LSTM's of 64 units."""
NEARLY_ALL = 0.95
"""Part of the predicted variance that the decoded directions hold."""
ROUNDS, BATCH, RATE = 150, 128, 0.03
"""Of gradient descent on the rotation; the loss of an LSTM is flat after 100."""
_SEED = 0


class Coordinates:
    """The stores of an agent at one trial in uncorrelated numbers of unit variance.

    Args:
        stores: of episodes to fit on, [N, ...].
        targets: to be decoded, [N, Q].
    """

    def __init__(self, stores: Stores, targets: Array) -> None:
        self.vectors = Vectors([stores])
        every = {"all": slice(0, targets.shape[1])}
        x = self.vectors.of(stores)
        self.ridge = Ridge(x[None], (targets - targets.mean(axis=0))[None], every, MOST)

    @property
    def size(self) -> int:
        """W, of the numbers."""
        return len(self.ridge.spread)

    def of(self, stores: Stores) -> Array:
        """The numbers of stores, [N, W]."""
        scores: Array = self.ridge.scores(self.vectors.of(stores)) / self.ridge.spread
        return scores

    def decoded(self) -> Array:
        """The fewest orthonormal directions that hold nearly all that is decoded, [W, R]."""
        read = self.ridge.weights * self.ridge.spread[:, None]
        directions, sizes, _ = np.linalg.svd(read, full_matrices=False)
        held = np.cumsum(sizes**2)
        rank = int(np.searchsorted(held, NEARLY_ALL * held[-1])) + 1 if held[-1] > 0.0 else 0
        kept: Array = directions[:, :rank]
        return kept

    def step(self, change: Array) -> Array:
        """Change of the vectors of stores [N, D] by a change of the numbers, [N, W]."""
        step: Array = (change * self.ridge.spread) @ self.ridge.directions.T
        return step


@dataclass(frozen=True)
class Swap:
    """An exchange along some directions.

    Attributes:
        directions: orthonormal, [W, R].
        size_of: directions along which an exchange has the size that this one is given; None if
            it keeps its own.
    """

    directions: Array
    size_of: Array | None = None

    def change(self, own: Array, donor: Array) -> Array:
        """Change of an episode's numbers, [N, W] and [N, W] -> [N, W]."""
        apart = donor - own
        change: Array = apart @ self.directions @ self.directions.T
        if self.size_of is not None:
            wanted, given = (np.linalg.norm(c, axis=1) for c in (apart @ self.size_of, change))
            change = change * (wanted / np.maximum(given, 1e-12))[:, None]
        return change


def random_directions(shape: tuple[int, ...], draw: int) -> Array:
    """Orthonormal directions drawn at random, [W, R]."""
    rng = np.random.default_rng([_SEED, draw])
    found: Array = np.linalg.qr(rng.normal(size=shape))[0]
    return found


def learned(
    agent: TrainedAgent,
    coordinates: Coordinates,
    stimulus: Array,
    own: Stores,
    donor: Stores,
    wanted: Array,
    begin: Array,
) -> Array:
    """Directions whose exchange makes the agent choose as the donor would, [W, R].

    Distributed alignment search (Geiger et al. 2024): gradient descent on an orthogonal map, of
    which the first R coordinates change places; the loss is the cross-entropy of the choice.

    Args:
        agent: whose forward pass is differentiated.
        coordinates: of what its cell carries.
        stimulus: shown to the episodes, [N, S].
        own: their stores; what was told last is the donor's already.
        donor: stores of the donors.
        wanted: the choice probabilities that the exchange should give, [N, K].
        begin: directions to begin with, [W, R].
    """
    exchange = _Exchange(agent, coordinates, stimulus, own, donor)
    target = torch.from_numpy(wanted)
    free = torch.from_numpy(begin.astype(np.float32)).requires_grad_()
    search, rng = torch.optim.Adam([free], RATE), np.random.default_rng(_SEED)
    for _ in range(ROUNDS):
        rows = torch.from_numpy(rng.permutation(len(target))[:BATCH])
        log_probs = exchange.choice(rows, torch.linalg.qr(free)[0])
        loss = -(target[rows] * log_probs).sum(dim=1).mean()
        (free.grad,) = torch.autograd.grad(loss, [free])
        search.step()
    with torch.no_grad():
        found: Array = torch.linalg.qr(free)[0].numpy().astype(np.float64)
    return found


class _Exchange:
    """The choice after an exchange, as a function of the directions that can be differentiated."""

    def __init__(
        self,
        agent: TrainedAgent,
        coordinates: Coordinates,
        stimulus: Array,
        own: Stores,
        donor: Stores,
    ) -> None:
        self.policy, vectors = agent.policy, coordinates.vectors
        self.obs = torch.from_numpy(agent.observation(stimulus, own))
        self.carry = to_carry(own, self.policy.cell.carried)
        apart = coordinates.of(donor) - coordinates.of(own)
        self.apart = torch.from_numpy(apart.astype(np.float32))
        basis = coordinates.ridge.directions * coordinates.ridge.spread * vectors.unit[:, None]
        self.basis = torch.from_numpy(basis.astype(np.float32))
        self.kept, self.width = torch.from_numpy(vectors.kept), vectors.width
        self.parts = {(p.store, p.key): p for p in vectors.parts if p.dtype.kind == "f"}

    def choice(self, rows: Tensor, directions: Tensor) -> Tensor:
        """Log-probabilities [B, K] of some episodes, from directions [W, R]."""
        x = self.policy.cell_inputs(self.obs[rows][None])
        carry = self.edited(rows, directions)
        features, _ = self.policy.cell(x, torch.zeros(1, len(rows)), carry)
        log_probs: Tensor = self.policy.choice(features[0]).log_probs  # type: ignore[attr-defined]
        return log_probs

    def edited(self, rows: Tensor, directions: Tensor) -> Carry:
        """What the cell carries after the exchange."""
        change = (self.apart[rows] @ directions @ directions.T) @ self.basis.T
        whole = torch.zeros(len(rows), self.width).index_copy(1, self.kept, change)
        found = {name: each[rows] for name, each in self.carry.items()}
        for name, store in self.policy.cell.carried.items():
            if (store, name) in self.parts:
                place = self.parts[store, name].place
                found[name] = found[name] + whole[:, place].reshape(found[name].shape)
        return found
