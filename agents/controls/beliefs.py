"""Controls of known contents: the posterior means themselves, a rotated belief, and no belief."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.bernoulli.bayes_optimal import BayesOptimal
from metalocus.agents.references.bernoulli.finite_index import FiniteIndex
from metalocus.agents.references.generic.policies import WinStayLoseShift
from metalocus.agents.references.switching.reversal import Filter
from metalocus.agents.references.switching.rule import RuleFilter
from metalocus.agents.references.switching.volatile import VolatileFilter
from metalocus.agents.references.two_step.filter import TwoStepFilter
from metalocus.envs import Family

CLONED: tuple[type[ReferencePolicy], ...] = (
    BayesOptimal,
    FiniteIndex,
    Filter,
    RuleFilter,
    VolatileFilter,
    TwoStepFilter,
)
"""References with a belief in their state; the first that can play a family is its best one."""

WAVES = 256
"""Random frequencies, each with a sine and a cosine: more than a short history has numbers."""
_SEED = 0


class _Means(Control):
    """Keeps the posterior mean of every arm under a Beta(1, 1) prior, and pulls a best one.

    m' = m + (r - m) / (n + 3) after the reward r of an arm with n pulls before, which gives
    (1 + successes) / (2 + pulls).
    """

    known_shares: ClassVar[Mapping[str, float]] = {}

    @abstractmethod
    def means(self, stores: Stores) -> Array:
        """The posterior means that these stores hold, [N, K]."""

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest posterior mean, [N, K]."""
        return spread(best_arms(self.means(stores))), stores

    def step(self, stores: Stores, pulls: Array, action: Array, reward: Array) -> Array:
        """Change of the means by one transition, [N, K]."""
        pulled = np.arange(self.n_arms) == action[:, None]
        error = self.reward_fraction(reward)[:, None] - self.means(stores)
        change: Array = pulled * error / (pulls + 3.0)
        return change


class MeansInState(_Means):
    """The means are activations: a linear decoder finds them exactly."""

    name: ClassVar[str] = "means_in_state"
    summary: ClassVar[str] = "control: carries the posterior means in its state"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Means of 1/2, no pulls."""
        shape = (n, self.n_arms)
        return Stores(state={"mean": np.full(shape, 0.5), "pulls": np.zeros(shape)})

    def means(self, stores: Stores) -> Array:
        """From the state, [N, K]."""
        return stores.state["mean"]

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """One step of the means."""
        pulls = stores.state["pulls"]
        mean = self.means(stores) + self.step(stores, pulls, action, reward)
        pulls = pulls + (np.arange(self.n_arms) == action[:, None])
        return replace(stores, state={"mean": mean, "pulls": pulls})


class MeansInWeights(_Means):
    """The means are a linear layer on a constant input, as a MAML agent might have learned it.

    What a step of value regression does to its output layer.
    """

    name: ClassVar[str] = "means_in_weights"
    summary: ClassVar[str] = "control: carries the posterior means in its weights"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Weights of 1/2, no pulls."""
        shape = (n, self.n_arms, 1)
        return Stores(weights={"layer": np.full(shape, 0.5), "pulls": np.zeros(shape[:2])})

    def means(self, stores: Stores) -> Array:
        """Output of the layer for the constant input, [N, K]."""
        return stores.weights["layer"][..., 0]

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """One step of the layer."""
        pulls = stores.weights["pulls"]
        change = self.step(stores, pulls, action, reward)
        pulls = pulls + (np.arange(self.n_arms) == action[:, None])
        layer = stores.weights["layer"] + change[..., None]
        return replace(stores, weights={"layer": layer, "pulls": pulls})


class RandomFeatures(Control):
    """Wins stay and losses shift; beside that it carries random Fourier features of its history.

    The phase of each of ``WAVES`` waves moves by a random multiple of every action and reward, a
    new one at every trial, and the state holds its cosine and sine (Rahimi & Recht 2007, "Random
    features for large-scale kernel machines"). So everything that has happened can be decoded from
    the state, and the choice reads nothing of it.
    """

    name: ClassVar[str] = "random_features"
    summary: ClassVar[str] = "control: win-stay lose-shift, beside unread features of its history"
    known_shares: ClassVar[Mapping[str, float]] = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.habit = WinStayLoseShift(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Random phases, the same in every episode, and no last trial."""
        phase = np.random.default_rng(_SEED).uniform(0.0, 2.0 * np.pi, WAVES)
        waves = {"cos": np.cos(phase), "sin": np.sin(phase)}
        state = {name: np.tile(each, (n, 1)) for name, each in waves.items()}
        return replace(self.habit.start(n, rng), state={**state, "trial": np.zeros(n, dtype=int)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Win-stay, lose-shift on the context, [N, K]."""
        return self.habit.act(stimulus, stores)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Turn the waves by the transition."""
        state, k, scale = stores.state, self.n_arms, np.sqrt(2.0 * self.family.horizon)
        turns = np.stack(
            [
                np.random.default_rng([_SEED, t]).normal(size=(2 * k, WAVES)) / scale
                for t in np.arange(state["trial"].max() + 1)
            ]
        )[state["trial"]]
        rows = np.arange(len(action))
        angle = turns[rows, action] + reward[:, None] * turns[rows, k + action]
        cos, sin = np.cos(angle), np.sin(angle)
        turned = {
            "cos": state["cos"] * cos - state["sin"] * sin,
            "sin": state["sin"] * cos + state["cos"] * sin,
        }
        after = {**turned, "trial": state["trial"] + 1}
        return replace(self.habit.learn(stores, stimulus, action, reward), state=after)


class LikeBest(Control):
    """Base of the controls that follow one of the exact references, and differ in one thing."""

    known_shares: ClassVar[Mapping[str, float]] = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.reference = next(cls for cls in CLONED if cls.why_not(family) is None)(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only what one of the references plays."""
        if any(reference.why_not(family) is None for reference in CLONED):
            return None
        return f"it follows {', '.join(reference.name for reference in CLONED)} alone"

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The reference's stores."""
        return self.reference.start(n, rng)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The reference's step."""
        return self.reference.learn(stores, stimulus, action, reward)


class Clone(LikeBest):
    """The best reference of a task, with its state in another basis.

    The real numbers of the reference's state are mirrored at a random plane and stretched after
    every step, and put back before the next one; all else is as in the reference.
    """

    name: ClassVar[str] = "clone"
    summary: ClassVar[str] = "control: the best reference, its state in a random basis"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        state = self.reference.start(1, np.random.default_rng(_SEED)).state
        self.shapes = {k: a.shape[1:] for k, a in state.items() if a.dtype.kind == "f"}
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        self.ends = np.cumsum(sizes)[:-1]
        rng, size = np.random.default_rng(_SEED), sum(sizes)
        normal = rng.normal(size=size)
        self.normal, self.stretch = normal / np.linalg.norm(normal), rng.uniform(0.5, 2.0, size)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """That of the reference, in the other basis."""
        return self._hide(super().start(n, rng))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The reference's choice, [N, K]."""
        probs, after = self.reference.act(stimulus, self._show(stores))
        return probs, self._hide(after)

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """The reference's step."""
        return self._hide(super().learn(self._show(stores), stimulus, action, reward))

    def _hide(self, stores: Stores) -> Stores:
        """The reference's stores in the other basis."""
        state = dict(stores.state)
        parts = [state.pop(key) for key in self.shapes]
        parts = [part.reshape(len(part), -1) for part in parts]
        return replace(
            stores,
            state={**state, "x": self._mirrored(np.concatenate(parts, axis=1)) * self.stretch},
        )

    def _mirrored(self, x: Array) -> Array:
        """Numbers [N, X] mirrored at a random plane, which mixes all; twice is not at all."""
        return x - 2.0 * (x @ self.normal)[:, None] * self.normal

    def _show(self, stores: Stores) -> Stores:
        """Back in the reference's own basis."""
        state = dict(stores.state)
        x = self._mirrored(state.pop("x") / self.stretch)
        parts = np.split(x, self.ends, axis=1)
        own = {
            key: part.reshape(len(x), *shape)
            for (key, shape), part in zip(self.shapes.items(), parts, strict=True)
        }
        return replace(stores, state={**state, **own})
