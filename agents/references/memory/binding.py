"""The optimum of cue binding: a memory that holds every cue and what was tried on it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.sizes import too_large
from metalocus.envs import Family
from metalocus.envs.common_random_numbers import mix
from metalocus.envs.families.cue_binding import CueBinding

SHADES = 16
"""Every number of a cue is a whole multiple of 1 / 16: bits, and the shades of the images."""


class BindingMemory(ReferencePolicy):
    """Repeats what has won on a cue, else tries an action that has not yet failed on it.

    Bayes-optimal: cues are bound independently, the agent does not influence their order, and
    the untried actions of a cue are exchangeable. To repeat a failure earns nothing and is not
    informative.

    The state is ``cue`` [N, C], a 64-bit fingerprint of every cue seen so far, 0 where there
    is none; ``possible`` [N, C, K], 1 for every action that may be bound to that cue;
    ``here`` [N], the index of the cue that ``act`` has seen last; and ``t`` [N], the trial.
    Where the bindings are known beforehand, ``possible`` starts at them.

    Source: the rule follows from the task, that of Miconi et al. 2019, "Backpropamine".
    """

    name: ClassVar[str] = "binding_memory"
    summary: ClassVar[str] = "remembers every cue's wins and failures: optimal, never forgets"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, CueBinding)  # why_not has refused all others
        self.n_cues, self.horizon, self.known = family.n_cues, family.horizon, family.fixed_actions

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only cue binding can be played, if its bindings fit into memory."""
        if not isinstance(family, CueBinding):
            return "it binds the cues of CueBinding alone"
        what = f"the bindings of {family.n_cues} cues to {family.n_arms} actions"
        n_bytes = 8 * family.n_cues * family.n_arms
        return too_large(what, n_bytes)

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: only untried actions are informative, and they are exchangeable."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No cue seen and every action possible, unless the bindings are known."""
        cue = np.zeros((n, self.n_cues), dtype=np.uint64)
        possible = np.ones((n, self.n_cues, self.n_arms))
        if self.known:
            each = np.arange(self.n_cues)
            cue[:] = fingerprint(np.eye(self.n_cues))
            possible[:] = each[:, None] % self.n_arms == np.arange(self.n_arms)
        state = {"cue": cue, "possible": possible, "here": np.zeros(n, int), "t": np.zeros(n, int)}
        return Stores(state=state)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the actions that may be bound to the cue, [N, K]."""
        shown, cue = fingerprint(stimulus), stores.state["cue"].copy()
        same = cue == shown[:, None]
        free = np.where(same.any(axis=1)[:, None], same, cue == 0)
        here = free.argmax(axis=1)  # its place, or the first one that is free
        cue[np.arange(len(cue)), here] = shown
        stores = replace(stores, state={**stores.state, "cue": cue, "here": here})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """After a success one action is possible, after a failure one fewer."""
        rows, here = np.arange(len(action)), stores.state["here"]
        possible = stores.state["possible"].copy()
        taken, won = np.arange(self.n_arms) == action[:, None], rewarded(reward)[:, None]
        possible[rows, here] *= taken == won
        after = {"possible": possible, "t": stores.state["t"] + 1}
        return replace(stores, state={**stores.state, **after})

    def values(self, stores: Stores) -> Array:
        """Value of an action on the cue seen last, above that of one known to fail, [N, K].

        Let the cue come n times more, and m actions be possible. The bound one is among the
        first j that are tried with probability j / m. So trying one now, rather than the next
        time, earns min(m, n + 1) / m in all. The last pass through the cues may be incomplete,
        so n is known only as an expectation over it.
        """
        rows, here = np.arange(len(stores.state["here"])), stores.state["here"]
        possible = stores.state["possible"][rows, here]
        left = self.horizon - (stores.state["t"] // self.n_cues + 1) * self.n_cues
        passes, rest = np.divmod(np.maximum(left, 0), self.n_cues)
        count = possible.sum(axis=1)
        once, more = np.minimum(count, passes + 1), np.minimum(count, passes + 2)
        gained = once + (more - once) * rest / self.n_cues
        values: Array = possible * (gained / np.maximum(count, 1.0))[:, None]
        return values


def fingerprint(stimulus: Array) -> Array:
    """One 64-bit word for each cue [N, S], in whole-number arithmetic: exact in any batch."""
    shades = np.rint(stimulus * SHADES).astype(np.uint64)
    words = mix(np.arange(1, stimulus.shape[1] + 1, dtype=np.uint64))
    mark: Array = mix((shades * words).sum(axis=1, dtype=np.uint64) + np.uint64(1))
    return mark
