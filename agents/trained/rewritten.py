"""A trained recurrent policy as a feedforward one whose weights the same update overwrites."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Agent, Array, Store, Stores
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Layout

_BIAS = "bias"


class RewrittenAgent(Agent):
    """The constructive case that whatever recurrence does, a change of the weights can do.

    A feedforward network that is shown the stimulus alone. Its first layer adds a bias to
    what it is shown: ``weights["bias"]`` [N, B], an entry for every unit that a recurrent
    policy would have fed with its last action and reward or with an activation from the step
    before. W_h h from the step before thus reaches the second layer as a bias does,
    W_h (0 + bias). After each transition the entries are overwritten with what recurrence
    would have carried on: the same update, of weights. No state and no context is left; what
    the cell itself declares to be weights stays as it is.

    Args:
        policy: recurrent, on the CPU; it is not changed.
        layout: of the observations it was trained on.

    Raises:
        InvalidTask: the policy reads its past inputs again, so that they are no activations.
    """

    def __init__(self, policy: SequencePolicy, layout: Layout) -> None:
        if "context" in policy.cell.carried.values():
            raise InvalidTask(f"{policy.cell_name} is not recurrent: it carries its context")
        self.trained = TrainedAgent(policy, layout)
        self.like = self.trained.start(1, np.random.default_rng(0))

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The weights of a network that has seen nothing."""
        return self._written(self.trained.start(n, rng))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """A forward pass, which changes nothing."""
        return self.trained.act(stimulus, self._read(stores))[0], stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Overwrite the weights."""
        after = self.trained.act(stimulus, self._read(stores))[1]
        return self._written(self.trained.learn(after, stimulus, action, reward))

    def parameters(self) -> dict[str, Array]:
        """All trained parameters, by name."""
        return self.trained.parameters()

    def _written(self, carried: Stores) -> Stores:
        """What the recurrent policy carries, as weights."""
        units = [*carried.context.values(), *carried.state.values()]
        if not units:
            return carried
        bias = np.concatenate([unit.reshape(len(unit), -1) for unit in units], axis=1)
        return Stores(weights={**carried.weights, _BIAS: bias})

    def _read(self, stores: Stores) -> Stores:
        """The other way round: each entry of the bias at its unit."""
        ends = np.cumsum(
            [unit.size for unit in (*self.like.context.values(), *self.like.state.values())]
        )
        weights = dict(stores.weights)
        entries = iter(np.split(weights.pop(_BIAS), ends[:-1], axis=1)) if len(ends) else iter(())

        def at(units: Store) -> Store:
            return {
                name: next(entries).reshape(-1, *unit.shape[1:]) for name, unit in units.items()
            }

        return Stores(context=at(self.like.context), state=at(self.like.state), weights=weights)
