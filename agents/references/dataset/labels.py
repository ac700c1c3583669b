"""Base of the policies that read examples of inputs and labels: takes in examples and feedback."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.dataset_bandit import DatasetBandit


class LabelPolicy(ReferencePolicy):
    """Takes in the examples of a DatasetBandit and chooses the label of most votes.

    It plays both forms: examples all at once or one a trial. The state holds ``told`` [N, K], the
    feedback on its own choices: 1 for a label that was right, -1 for one that was wrong.
    """

    family: DatasetBandit

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, DatasetBandit)  # why_not has refused all others
        self.family = family

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only examples of inputs with labels can be read."""
        if not isinstance(family, DatasetBandit):
            return "it reads labelled examples, which only DatasetBandit shows"
        return None if family.rule != "arms" else "examples of arms have no inputs to compare"

    @abstractmethod
    def take(self, stores: Stores, inputs: Array, outcomes: Array, given: Array) -> Stores:
        """Take in examples: inputs [N, m, F], one-hot labels [N, m, K], which exist [N, m]."""

    @abstractmethod
    def votes(self, stores: Stores, query: Array) -> Array:
        """Votes for each label of the query, [N, F] -> [N, K]."""

    def nothing_told(self, n: int) -> dict[str, Array]:
        """``told`` before any choice, as an entry of the state."""
        return {"told": np.zeros((n, self.n_arms))}

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the labels of most votes, or the one known to be right, [N, K]."""
        stores = self.take(stores, *self.family.read(stimulus))
        votes = self.votes(stores, self.family.query(stimulus))
        told = stores.state["told"]
        votes = np.select([told > 0.0, told < 0.0], [np.inf, -np.inf], votes)
        return spread(best_arms(votes)), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """A reward shows that the label is right, none that it is wrong; only after the query."""
        chosen = np.arange(self.n_arms) == action[:, None]
        proof = np.where(rewarded(reward), 1.0, -1.0) * self.family.asked(stimulus)
        told = np.where(chosen, proof[:, None], stores.state["told"])
        return replace(stores, state={**stores.state, "told": told})
