"""Voting among the nearest examples."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import NEAR, Array, Stores
from metalocus.agents.references.dataset.labels import LabelPolicy
from metalocus.agents.sizes import too_large
from metalocus.envs import Family
from metalocus.envs.families.dataset_bandit import DatasetBandit


class NearestNeighbours(LabelPolicy):
    """Takes the label of most of the nearest examples.

    The examples are kept as they are and read again at the query, so they are in the
    context: ``inputs`` [N, M, F] and one-hot ``labels`` [N, M, K], all zero while missing.

    Class attributes:
        voters: how many vote on labels without and with noise: 1 and 3, the best of 1, 3, 5 and
            9 on three settings of ``neighbour``, 4,000 tasks of seed 1000 each.

    Source: Cover & Hart 1967, "Nearest neighbor pattern classification".
    """

    name: ClassVar[str] = "nearest_neighbours"
    summary: ClassVar[str] = "vote of the nearest examples (Cover & Hart 1967)"
    voters: ClassVar[tuple[int, int]] = (1, 3)

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        clean, noisy = self.voters
        self.k = min(noisy if self.family.noise else clean, self.family.n_examples)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only examples of inputs with labels can be read, if they fit into memory."""
        reason = super().why_not(family)
        if reason is not None:
            return reason
        assert isinstance(family, DatasetBandit)
        n_bytes = 8 * family.n_examples * (family.features + family.n_arms)
        what = f"the context of {family.n_examples} examples"
        return too_large(what, n_bytes, "use fewer examples")

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Near the optimum for the rule ``neighbour``; ridge is better with many features."""
        assert isinstance(family, DatasetBandit)  # why_not has refused all others
        return NEAR if family.rule == "neighbour" else super().optimality(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty window of examples."""
        shape = (n, self.family.n_examples)
        inputs, labels = (np.zeros((*shape, size)) for size in (self.family.features, self.n_arms))
        return Stores(state=self.nothing_told(n), context={"inputs": inputs, "labels": labels})

    def take(self, stores: Stores, inputs: Array, outcomes: Array, given: Array) -> Stores:
        """Append the examples to the window, which is as long as the dataset."""
        new, m = {"inputs": inputs, "labels": outcomes}, inputs.shape[1]
        context = {}
        for key, old in stores.context.items():
            longer = np.concatenate([old, new[key]], axis=1)[:, m:]
            context[key] = np.where(given[:, :1, None], longer, old)
        return replace(stores, context=context)

    def votes(self, stores: Stores, query: Array) -> Array:
        """Number of the nearest examples that have each label, [N, K]."""
        inputs, labels = stores.context["inputs"], stores.context["labels"]
        distance = ((inputs - query[:, None]) ** 2).sum(axis=2)
        distance = np.where(labels.any(axis=2), distance, np.inf)
        nearest = np.argpartition(distance, self.k - 1, axis=1)[:, : self.k]
        votes: Array = np.take_along_axis(labels, nearest[:, :, None], axis=1).sum(axis=1)
        return votes
