"""Controls that mislead naive probes: a bias, hidden memory, weights that tell nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores
from metalocus.agents.controls.counting import INDEPENDENT, Control, Counting


class FixedBias(Control):
    """Pulls arm k of K with probability proportional to K - k, and never learns."""

    name: ClassVar[str] = "fixed_bias"
    summary: ClassVar[str] = "control: always the same uneven probabilities; carries nothing"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores: nothing is carried."""
        return Stores()

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The same probabilities in every row, [N, K]."""
        bias = np.arange(self.n_arms, 0, -1.0)
        return np.tile(bias / bias.sum(), (len(stimulus), 1)), stores


class Leaky(Counting):
    """Breaks the contract: keeps its table outside its stores, where no intervention reaches."""

    name: ClassVar[str] = "leaky"
    summary: ClassVar[str] = "control: hides its table outside its stores; probes must notice"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT
    contained = False

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Empty stores; the hidden table is emptied."""
        self._table = self.empty(n)
        return Stores()

    def table(self, stores: Stores) -> Array:
        """The hidden table, [N, K, 2]."""
        return self._table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the hidden table."""
        self._table = self._table + self.evidence(action, reward)
        return stores


class Flagged(Leaky):
    """Keeps its table outside its stores, and heeds it only if a flag in its state is set.

    The flag is 0 at the episode's start and 1 after it, so that putting back the state hides the
    table, as if it had been in the state. Another episode's state has the same flag, and the
    choices of episodes that change places do not change with them.
    """

    name: ClassVar[str] = "flagged"
    summary: ClassVar[str] = (
        "control: hides its table outside its stores, behind a flag in its state"
    )

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A flag of 0; the hidden table is emptied."""
        super().start(n, rng)
        return Stores(state={"flag": np.zeros(n)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """By the hidden table where the flag is set, by an empty one elsewhere."""
        flag = stores.state["flag"][:, None, None]
        return self.choice(self._table * flag), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the hidden table and set the flag."""
        super().learn(stores, stimulus, action, reward)
        return replace(stores, state={"flag": np.ones(len(action))})


class Pointer(Counting):
    """Its state is the number of a row of a table that is kept outside its stores.

    Episodes that change places take their numbers along, so that the choices change with them;
    but a copy of the agent that has not played has nothing in its table.
    """

    name: ClassVar[str] = "pointer"
    summary: ClassVar[str] = "control: its state only points to a table outside its stores"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}
    known_interactions = INDEPENDENT
    contained = False

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The rows in their order; the hidden table is emptied."""
        self._table = self.empty(n)
        return Stores(state={"row": np.arange(n)})

    def table(self, stores: Stores) -> Array:
        """The rows of the hidden table that the state points to, counted around, [N, K, 2]."""
        table: Array = self._table[stores.state["row"] % len(self._table)]
        return table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the rows of the hidden table."""
        changed = self._table.copy()
        np.add.at(changed, stores.state["row"] % len(changed), self.evidence(action, reward))
        self._table = changed
        return stores


class SharedTable(Pointer):
    """As :class:`Pointer`, its table being one that all copies of the agent share.

    So a copy that has not played finds in it what the agent learned, unless it starts anew.
    """

    name: ClassVar[str] = "shared_table"
    summary: ClassVar[str] = "control: its state points to a table that all its copies share"
    known_shares = {"state": 0.0, "weights": 0.0, "context": 0.0}
    shared: ClassVar[dict[str, Array]] = {}

    @property
    def _table(self) -> Array:
        """The table, [N, K, 2]."""
        return self.shared["table"]

    @_table.setter
    def _table(self, table: Array) -> None:
        self.shared["table"] = table


class ConstantGain(Counting):
    """Counts in its state; its weights hold a gain of the table, the same in all episodes.

    The gain is 0 at the episode's start and 1 ever after. It is worth as much as the table if
    what replaces it is the gain of the start; it knows nothing, as replacing it by another
    episode's shows.
    """

    name: ClassVar[str] = "constant_gain"
    summary: ClassVar[str] = "control: counts in its state; its weights hold a constant only"
    known_shares = {"state": 1.0, "weights": 0.0, "context": 0.0}
    known_interactions = {"state+weights": 1.0, "state+context": 0.0, "weights+context": 0.0}

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """An empty table in the state, and a gain of 0."""
        return Stores({"table": self.empty(n)}, {"gain": np.zeros(n)})

    def table(self, stores: Stores) -> Array:
        """The table in the state times the gain, [N, K, 2]."""
        table: Array = stores.state["table"] * stores.weights["gain"][:, None, None]
        return table

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Add the evidence to the state, and set the gain to 1."""
        table = stores.state["table"] + self.evidence(action, reward)
        return replace(stores, state={"table": table}, weights={"gain": np.ones(len(action))})
