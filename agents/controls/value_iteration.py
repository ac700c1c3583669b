"""A control that computes while nothing new is shown: a sweep of value iteration at every act."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Array, Stores, best_arms, spread
from metalocus.agents.controls.counting import Control
from metalocus.agents.references.mdp.policies import CertaintyEquivalent
from metalocus.agents.references.mdp.posterior import NO_ACTION
from metalocus.envs import Family


class SweepsValues(Control):
    """Plans in the posterior's mean process, one sweep of value iteration at every act.

    It learns as ``certainty_equivalent`` does. The state also holds ``plan`` [N, H, S, A], the
    value of each action by inner step and state. A transition empties it, and an act brings all
    of it one step nearer to the optimum, Q_h <- r + P max Q_{h+1}. After j acts on one
    observation it plans j steps ahead, and after H of them it is ``certainty_equivalent``.

    Source: Bellman 1957, "Dynamic programming".
    """

    name: ClassVar[str] = "sweeps_values"
    summary: ClassVar[str] = "control: one sweep of value iteration at every act"
    known_shares = {}

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        self.belief = CertaintyEquivalent(family)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only random processes can be planned in."""
        return CertaintyEquivalent.why_not(family)

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No counts and an empty plan."""
        return self._forget(self.belief.start(n, rng))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the actions of highest value in the plan so far, [N, A]."""
        plan = stores.state["plan"]
        _, seen = self.belief.act(stimulus, stores)
        rewards, transitions = self.belief.model(seen)
        swept = np.repeat(rewards[:, None], plan.shape[1], axis=1)
        swept[:, :-1] += np.einsum("nsax,nhx->nhsa", transitions, plan[:, 1:].max(axis=3))
        rows, state = np.arange(len(plan)), seen.state
        values = swept[rows, state["inner"], state["place"]]
        # The transition that led here is counted now, and not again at the next act.
        counted = {"plan": swept, "action": np.full(len(plan), NO_ACTION)}
        return spread(best_arms(values)), replace(seen, state={**state, **counted})

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the transition; the plan for the process as it was believed is dropped."""
        return self._forget(self.belief.learn(stores, stimulus, action, reward))

    def _forget(self, stores: Stores) -> Stores:
        n, states, actions = stores.state["pulls"].shape
        plan = np.zeros((n, self.belief.inner_horizon, states, actions))
        return replace(stores, state={**stores.state, "plan": plan})
