"""The one interface of every agent, and the three stores it may adapt with.

An agent, trained, hand-wired or analytic, is driven through three calls for a batch of N
episodes: :meth:`Agent.start`, then for every trial :meth:`Agent.act` and
:meth:`Agent.learn`. Whatever it carries from one trial to the next lies in
:class:`Stores`, so a probe can keep, reset, swap or perturb it.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metalocus.envs import Family, InvalidTask

Array = NDArray[Any]
Store = Mapping[str, Array]
STORES = ("state", "weights", "context")
UNRANKED, NEAR, EXACT = range(3)
"""How near a reference policy is to the optimum; see :meth:`ReferencePolicy.optimality`."""


class NonFinite(RuntimeError):
    """A number that must be finite is NaN or infinite.

    It may be a reward, an observation, a gradient, a weight or a probability.
    """


@dataclass(frozen=True)
class Stores:
    """What an agent carries inside an episode; every array is [N, ...], one row an episode.

    Attributes:
        state: activations carried from one trial to the next: an LSTM's (h, c), a belief.
        weights: per-episode parameters that differ from the trained ones, with the
            optimizer quantities (baselines, visit counts) that travel with them. A carried
            array is here if it acts as a parameter of the forward pass that reads it.
        context: past actions, rewards and stimuli that the forward pass reads again.
    """

    state: Store = field(default_factory=dict)
    weights: Store = field(default_factory=dict)
    context: Store = field(default_factory=dict)

    def map(self, change: Callable[[str, str, Array], Array]) -> Stores:
        """New stores with ``change(store, key, array)`` in place of every array."""
        return Stores(
            **{
                store: {
                    key: change(store, key, array) for key, array in getattr(self, store).items()
                }
                for store in STORES
            }
        )

    def updated(self, new: Stores) -> Stores:
        """These stores with the arrays of ``new`` added, or put in place of those they have."""
        return Stores(
            **{store: {**getattr(self, store), **getattr(new, store)} for store in STORES}
        )

    def without(self, key: str) -> Stores:
        """These stores without the array of a name."""
        return Stores(
            **{
                store: {name: each for name, each in getattr(self, store).items() if name != key}
                for store in STORES
            }
        )

    def restore(self, start: Stores, names: Iterable[str]) -> Stores:
        """These stores, with the named ones as they were at the episode's start."""
        return replace(self, **{name: getattr(start, name) for name in names})

    def rows(self, which: Array | slice) -> Stores:
        """The stores of some of the episodes (or in another order)."""
        return self.map(lambda _store, _key, array: array[which])

    def digest(self, name: str) -> str:
        """SHA-256 of one store's exact bytes."""
        hasher = hashlib.sha256()
        for key, array in sorted(getattr(self, name).items()):
            hasher.update(f"{key}{array.dtype}{array.shape}".encode())
            hasher.update(np.ascontiguousarray(array).tobytes())
        return hasher.hexdigest()


class Agent(ABC):
    """Something that acts, and may get better, inside an episode.

    No agent keeps anything about an episode outside its :class:`Stores`, and no method
    changes the arrays it is given.

    Class attributes:
        omniscient: the agent is shown the privileged value of each action [N, K] in place of the
            stimulus; True for the oracle alone.

    Attributes:
        spreads_nan: arrays of the stores, by name, of which one NaN that is read makes the action
            probabilities of its episode NaN. It is found there, without a search of these arrays
            at every trial.
    """

    omniscient: ClassVar[bool] = False
    spreads_nan: frozenset[str] = frozenset()

    @abstractmethod
    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Stores at the beginning of n episodes; ``rng`` for agents that draw at random."""

    @abstractmethod
    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Action probabilities [N, K] and new stores, from the stimulus [N, S]."""

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Take in a transition: stimulus [N, S], action [N], reward [N]. Default: ignore it."""
        return stores

    def take_in(self, stimulus: Array, stores: Stores) -> Stores:
        """The stores half-way through :meth:`act`, all that was shown taken in, nothing chosen yet.

        This is the later of two moments at which a probe may edit the stores. Before it, the last
        action and reward of a trained agent are its context; after it, they are folded into what
        its read-out reads. Default: the stores as they are, for an agent whose :meth:`learn` has
        taken in the transition already.
        """
        return stores

    def read_out(self, stimulus: Array, stores: Stores) -> Array:
        """The rest of :meth:`act`: action probabilities [N, K] from what :meth:`take_in` gave."""
        return self.act(stimulus, stores)[0]

    def parameters(self) -> dict[str, Array]:
        """Trained parameters, shared by all episodes; none unless the agent was trained."""
        return {}


class NamedAgent(Agent):
    """An agent that needs no training and is made from a family alone.

    Subclasses in ``agents/references``, ``agents/online`` and ``agents/controls`` are found
    by their presence there.

    Class attributes:
        name: as given on the command line.
        summary: one line for ``metalocus list``: what it is, and its source.

    Args:
        family: the tasks it will play; the agent may use every parameter of it but not
            the latents.

    Raises:
        InvalidTask: the agent cannot play this family; the message says why.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    def __init__(self, family: Family) -> None:
        reason = self.why_not(family)
        if reason is not None:
            raise InvalidTask(f"{self.name} cannot play {family.name}: {reason}")
        self.family = family
        self.n_arms = family.n_arms

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Why the agent cannot play this family, None if it can."""
        return None

    def reward_fraction(self, reward: Array) -> Array:
        """A reward's place in the family's range, 0 at the least and 1 at the greatest, [N].

        Raises:
            NonFinite: a reward is not finite.
        """
        if not np.isfinite(reward).all():
            raise NonFinite("a reward is not finite; correct the environment that gives it")
        low, high = self.family.reward_range
        fraction: Array = (reward - low) / (high - low)
        return fraction


class ReferencePolicy(NamedAgent):
    """An analytic policy, which trained agents are compared with."""

    @classmethod
    def optimality(cls, family: Family) -> int:
        """How near it is to the optimum on a family that it can play.

        ``EXACT`` if it is Bayes-optimal, ``NEAR`` if it is the nearest to that of the practical
        policies, else ``UNRANKED``.
        """
        return UNRANKED

    def values(self, stores: Stores) -> Array | None:
        """Its estimate of every arm's value now, [N, K], None if it has none.

        The unit is the reward still to come if the arm is pulled next and the policy is
        followed after; arms of equal value are ties.
        """
        return None


def one_hot(choice: Array, n_arms: int) -> Array:
    """Certain choices as probabilities, [...] -> [..., K]."""
    probs: Array = (choice[..., None] == np.arange(n_arms)).astype(float)
    return probs


def spread(best: Array) -> Array:
    """Equal probability over the True entries of each row, [N, K] -> [N, K]."""
    probs: Array = best / best.sum(axis=1, keepdims=True)
    return probs


def best_arms(values: Array, tolerance: float = 1e-9) -> Array:
    """True where a value equals its row's maximum within the tolerance, [N, K]."""
    best: Array = values >= values.max(axis=1, keepdims=True) - tolerance
    return best
