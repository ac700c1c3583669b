"""Inference and planning in the two-step task."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from metalocus.agents.agent import EXACT, NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.two_step import DRIFT, FIRST, HIGH, LOW, TwoStep

CELLS = 50
"""Cells of the grid for a drifting chance: narrower, 0.01, than one step of its walk, 0.025."""


class TwoStepFilter(ReferencePolicy):
    """Infers what pays, and takes the action of highest expected reward in the trial.

    Switching rewards: the belief is exact, and greedy choice on it Bayes-optimal. A reward in
    one state is as likely as none in the other under both hypotheses (p against 1 - p), so all
    choices are equally informative, and the agent does not influence switches.

    Drifting rewards: each chance of reward is a hidden random walk, whose posterior is kept on a
    grid of 50 cells. The belief is nearly exact, but greedy choice on it is not optimal: it
    ignores information.

    The state is ``belief``: [N, 2], which state is the good one, or [N, 2, C, G], the posterior
    of the chance of each outcome on the grid; and ``place`` [N], the last stimulus. A reward of
    probability 0 under the belief resets it to uniform.

    Source: the forward recursion of Rabiner 1989, "A tutorial on hidden Markov models",
    equations 19 to 21; planning as the model-based learner of Daw et al. 2011.
    """

    name: ClassVar[str] = "two_step_filter"
    summary: ClassVar[str] = "greedy on a Bayes filter of what pays; optimal if rewards switch"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, TwoStep)  # why_not has refused all others
        self.switching = family.rewards == "switching"
        self.second_choices, self.transitions = family.second_choices, family.transitions
        if self.switching:
            p, hazard = family.p, family.hazard
            self.change = np.array([[1.0 - hazard, hazard], [hazard, 1.0 - hazard]])
            self.grid = np.array([[p, 1.0 - p], [1.0 - p, p]])  # by state and good state
        else:
            self.grid, self.change = reflected_walk(CELLS)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the two-step task can be played."""
        return None if isinstance(family, TwoStep) else "it filters what pays in TwoStep alone"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact where rewards switch, else near the optimum."""
        return EXACT if isinstance(family, TwoStep) and family.rewards == "switching" else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The prior, which is uniform in both cases."""
        shape = (2,) if self.switching else (2, self.second_choices, CELLS)
        belief = np.full((n, *shape), 1.0 / shape[-1])
        return Stores(state={"belief": belief, "place": np.full(n, FIRST)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the actions of highest expected reward, [N, 2]."""
        place = stimulus.argmax(axis=1)
        stores = replace(stores, state={**stores.state, "place": place})
        return spread(best_arms(self.values(stores))), stores

    def values(self, stores: Stores) -> Array:
        """Expected reward of the rest of the trial, [N, 2]; later trials are left out."""
        belief, place = stores.state["belief"], stores.state["place"]
        chances = (belief @ self.grid.T)[..., None] if self.switching else belief @ self.grid
        second = chances[np.arange(len(place)), np.maximum(place, 1) - 1]
        first = chances.max(axis=2) @ self.transitions.T
        return np.where(place[:, None] == FIRST, first, np.broadcast_to(second, first.shape))

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on a reward of the second stage, then the change between trials."""
        place, belief = stimulus.argmax(axis=1), stores.state["belief"]
        rows, reached = np.arange(len(place)), np.maximum(place, 1) - 1
        where = (rows,) if self.switching else (rows, reached, action % self.second_choices)
        chance = self.grid[reached] if self.switching else self.grid
        joint = belief[where] * np.where(rewarded(reward)[:, None], chance, 1.0 - chance)
        evidence = joint.sum(axis=1, keepdims=True)
        uniform = np.full_like(joint, 1.0 / joint.shape[1])
        after = belief.copy()
        after[where] = np.divide(joint, evidence, out=uniform, where=evidence > 0.0)
        second = (place != FIRST).reshape(-1, *[1] * (belief.ndim - 1))
        return replace(
            stores, state={**stores.state, "belief": np.where(second, after @ self.change, belief)}
        )


def reflected_walk(cells: int) -> tuple[Array, Array]:
    """Cells of the drifting chances: midpoints [G] and transition probabilities [G, G].

    A step starts at the midpoint of its cell. The probability of a cell is that of ending in it
    or, before reflection at either bound, in one of its two mirror images.
    """
    edges = np.linspace(LOW, HIGH, cells + 1)
    middles = (edges[1:] + edges[:-1]) / 2.0

    def mass(left: Array, right: Array) -> Array:
        moved = ndtr((np.stack([left, right])[:, None] - middles[:, None]) / DRIFT)
        return np.asarray(moved[1] - moved[0])

    low = mass(2.0 * LOW - edges[1:], 2.0 * LOW - edges[:-1])
    high = mass(2.0 * HIGH - edges[1:], 2.0 * HIGH - edges[:-1])
    moves = mass(edges[:-1], edges[1:]) + low + high
    return middles, moves / moves.sum(axis=1, keepdims=True)
