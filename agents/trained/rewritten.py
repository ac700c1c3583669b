"""A trained recurrent policy as a feedforward one whose weights the same update overwrites."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Agent, Array, Stores
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Layout

TOLD = ("action", "reward", "first", "time")
"""Parts of an observation that tell of the transition before it."""
_BIAS, _TRIAL = "bias", "trial"


class RewrittenAgent(Agent):
    """The constructive case that whatever recurrence does, a change of the weights can do.

    A feedforward network that is shown the stimulus alone. Its first layer adds a bias to what it
    is shown: ``weights["bias"]`` [N, F + B], an entry for each of the F numbers of the observation
    that tell of the last transition, and for each of the B activations of the step before that a
    recurrent policy would have been fed. W_h h from the step before thus reaches the second layer
    as a bias does, W_h (0 + bias). After each transition the entries are overwritten with what
    recurrence would have carried on: the same update, of weights. ``weights["trial"]`` [N] counts
    the updates, if the policy sees the trial. No state and no context is left; what the cell
    itself declares to be weights stays as it is.

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
        seen = range(layout.size) if policy.inputs is None else policy.inputs
        self.told = [i for i in layout.indices(TOLD) if i in seen]
        state = self.trained.start(1, np.random.default_rng(0)).state
        self.shapes = {name: unit.shape[1:] for name, unit in state.items()}
        self.ends = np.cumsum([len(self.told), *(unit.size for unit in state.values())])[:-1]

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The weights of a network that has seen nothing."""
        return self._written(n, self.trained.start(n, rng))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """A forward pass, which changes nothing."""
        probs, _ = self.trained.respond(*self._read(stimulus, stores))
        return probs, stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Overwrite the weights."""
        _, after = self.trained.features(*self._read(stimulus, stores))
        learned = self.trained.learn(after, stimulus, action, reward)
        return self._written(len(stimulus), learned)

    def parameters(self) -> dict[str, Array]:
        """All trained parameters, by name."""
        return self.trained.parameters()

    def _written(self, n: int, carried: Stores) -> Stores:
        """What the recurrent policy carries in n episodes, as weights."""
        no_stimulus = np.zeros((n, self.trained.layout.family.stimulus_size))
        told = self.trained.observation(no_stimulus, carried)[:, self.told]
        state = [unit.reshape(n, -1) for unit in carried.state.values()]
        weights = {**carried.weights, _BIAS: np.concatenate([told, *state], axis=1)}
        if _TRIAL in carried.context:
            weights[_TRIAL] = carried.context[_TRIAL]
        return Stores(weights=weights)

    def _read(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The other way round: the observation [N, D], and what the recurrent policy carries."""
        weights = dict(stores.weights)
        told, *units = np.split(weights.pop(_BIAS), self.ends, axis=1)
        obs = np.zeros((len(stimulus), self.trained.layout.size), dtype=np.float32)
        obs[:, self.trained.layout.indices(("stimulus",))] = stimulus
        obs[:, self.told] = told
        state = {
            name: unit.reshape(-1, *shape)
            for unit, (name, shape) in zip(units, self.shapes.items(), strict=True)
        }
        context = {_TRIAL: weights.pop(_TRIAL)} if _TRIAL in weights else {}
        return obs, Stores(state, weights, context)
