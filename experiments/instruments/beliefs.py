"""What the best reference of a task believes, as targets that a store may hold."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from metalocus.agents.agent import Array, ReferencePolicy, Stores
from metalocus.agents.references.bernoulli.counts import CountingPolicy
from metalocus.agents.references.dataset.labels import LabelPolicy
from metalocus.agents.references.dataset.posterior import Posterior
from metalocus.agents.references.mdp.posterior import PlanningPolicy, mean_rewards
from metalocus.agents.references.memory.binding import BindingMemory
from metalocus.agents.references.memory.informative import InformativeOptimal
from metalocus.agents.references.normal.choices import NormalPolicy
from metalocus.agents.references.switching.hidden_markov import after_hazard
from metalocus.agents.references.switching.reversal import Filter
from metalocus.agents.references.switching.rule import RuleFilter
from metalocus.agents.references.switching.volatile import VolatileFilter
from metalocus.agents.rollout import Trial
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit

TARGETS = {
    "belief": "probability of every hidden state of the task",
    "mean": "expected reward of every action",
    "value": "reward to come if the best is chosen",
    "change": "probability that the hidden task had just changed",
    "error": "prediction error of the last reward",
}
"""What there is to decode, by its name."""
MOST_HYPOTHESES = 16
"""A belief over more is a density, of which ``mean`` is what matters."""
TINY = 1e-12
"""Least probability that is divided by."""


class Beliefs:
    """Observer of a reference that shadows the agent, to be called at every trial.

    ``belief`` [N, M] is that of a filter over M hidden states. ``mean`` [N, K] is
    :func:`expected_rewards`. ``value`` [N, 1] is the greatest of the reference's
    :meth:`~metalocus.agents.agent.ReferencePolicy.values`. ``change`` [N, 1] is, for a filter of
    a hidden state z of transition probabilities A,

        P(z_t-1 != z_t-2 | rewards to t-1) = 1 - sum_{j ~ k} p_t-2(j) A(j, k) q(k) / p_t-1(k),

    over pairs j ~ k that count as the same state, with p the belief before a trial, p_t-2(j)
    that after its reward, and q the belief after the reward of trial t-1: the change-point
    probability of Nassar et al. 2010, "An approximately Bayesian delta-rule model explains the
    dynamics of belief updating in a changing environment". ``error`` [N, 1] is the reward of trial
    t-1 minus its expectation. A target that the reference does not give is left out.
    """

    def __init__(self, reference: ReferencePolicy) -> None:
        self.reference = reference
        self.chain = hidden_chain(reference)
        self._mean: Array | None = None
        self._belief: Array | None = None

    def __call__(self, trial: Trial) -> dict[str, Array]:
        """Targets at this trial by name, [N, Q] each; the reference is the first shadow."""
        stores, found = trial.shadows[0][1], {}
        values = self.reference.values(stores)
        mean = expected_rewards(self.reference, trial.stimulus, stores)
        belief = stores.state.get("belief")
        if belief is not None and belief[0].size <= MOST_HYPOTHESES:
            found["belief"] = belief.reshape(len(belief), -1)
        if mean is not None:
            found["mean"] = mean
        if values is not None:
            found["value"] = values.max(axis=1, keepdims=True)
        if trial.last is not None:
            rows = np.arange(len(trial.last.action))
            if self.chain is not None and self._belief is not None:
                found["change"] = self._changed(stores.state["belief"])[:, None]
            if self._mean is not None:
                expected = self._mean[rows, trial.last.action]
                found["error"] = (trial.last.reward - expected)[:, None]
        self._mean = mean
        if self.chain is not None:
            self._belief = stores.state["belief"].reshape(len(trial.stimulus), -1)
        return found

    def _changed(self, belief: Array) -> Array:
        """Probability of a change just before the last reward, [N]."""
        assert self.chain is not None
        assert self._belief is not None
        moves, same = self.chain
        to, back = self._belief, np.linalg.pinv(moves)
        before = np.clip(to @ back, 0.0, 1.0)  # after the reward of the trial before
        after = np.clip(belief.reshape(len(belief), -1) @ back, 0.0, 1.0)
        stayed = before @ (moves * same)
        ratio = np.divide(stayed, to, out=np.zeros_like(to), where=to > TINY)
        changed: Array = 1.0 - (after * ratio).sum(axis=1)
        return np.clip(changed, 0.0, 1.0)


@singledispatch
def expected_rewards(reference: ReferencePolicy, stimulus: Array, stores: Stores) -> Array | None:
    """Expected reward of every action now, [N, K]; by default the values, None without them.

    Args:
        reference: whose belief it is.
        stimulus: shown, [N, S].
        stores: after its act.
    """
    return reference.values(stores)


@expected_rewards.register
def _counts(reference: CountingPolicy, stimulus: Array, stores: Stores) -> Array:
    family = reference.family
    if isinstance(family, BernoulliBandit) and family.beta is None:
        return _dependent(family.support, stores)
    return reference.posterior_mean(stores)


def _dependent(support: tuple[float, float] | None, stores: Stores) -> Array:
    """Two arms whose chances add up to 1: a success of one is as a failure of the other."""
    wins, losses = stores.state["successes"], stores.state["failures"]
    fro = wins[:, 0] + losses[:, 1], losses[:, 0] + wins[:, 1]
    if support is None:
        first = (1.0 + fro[0]) / (2.0 + fro[0] + fro[1])
    else:
        low, high = support
        log_odds = (fro[0] - fro[1]) * np.log(high / low)
        first = (1.0 + (high - low) * np.tanh(log_odds / 2.0)) / 2.0
    return np.stack([first, 1.0 - first], axis=1)


@expected_rewards.register
def _normal(reference: NormalPolicy, stimulus: Array, stores: Stores) -> Array:
    return reference.belief(stimulus, stores)[0]


@expected_rewards.register
def _processes(reference: PlanningPolicy, stimulus: Array, stores: Stores) -> Array:
    place = stores.state["place"]
    here: Array = mean_rewards(stores)[np.arange(len(place)), place]
    return here


@expected_rewards.register
def _examples(reference: Posterior, stimulus: Array, stores: Stores) -> Array:
    shown = 0.0 if reference.dataset.shuffled else stores.state["evidence"]
    counts = 1.0 + stores.state["feedback"] + shown
    mean: Array = counts[:, :, 0] / counts.sum(axis=2)
    return mean


@expected_rewards.register
def _labels(reference: LabelPolicy, stimulus: Array, stores: Stores) -> Array:
    return reference.votes(stores, reference.family.query(stimulus))


@expected_rewards.register
def _bindings(reference: BindingMemory, stimulus: Array, stores: Stores) -> Array:
    here = stores.state["here"]
    possible = stores.state["possible"][np.arange(len(here)), here]
    chance: Array = possible / np.maximum(possible.sum(axis=1, keepdims=True), 1.0)
    return chance


@expected_rewards.register
def _targets(reference: InformativeOptimal, stimulus: Array, stores: Stores) -> Array:
    possible = stores.state["possible"].astype(float)
    chance: Array = possible / np.maximum(possible.sum(axis=1, keepdims=True), 1.0)
    return chance


@singledispatch
def hidden_chain(reference: ReferencePolicy) -> tuple[Array, Array] | None:
    """Of a filter whose ``belief`` is over M hidden states, how they change; None of another.

    Returns:
        probabilities of moving from state to state, [M, M], and 1 where two states count as the
        same, [M, M].
    """
    return None


@hidden_chain.register
def _reversals(reference: Filter) -> tuple[Array, Array] | None:
    states = np.eye(reference.n_arms)
    return None if reference.cued else (after_hazard(states, reference.hazard), states)


@hidden_chain.register
def _rules(reference: RuleFilter) -> tuple[Array, Array] | None:
    states = np.eye(reference.n_features)
    return None if reference.cue_size else (after_hazard(states, reference.hazard), states)


@hidden_chain.register
def _volatile(reference: VolatileFilter) -> tuple[Array, Array] | None:
    if reference.cued:
        return None
    states = np.eye(4).reshape(4, 2, 2)  # level and good arm
    levels = after_hazard(states.swapaxes(1, 2), reference.level_hazard).swapaxes(1, 2)
    moves = after_hazard(levels, reference.hazards[:, None])
    return moves.reshape(4, 4), np.tile(np.eye(2), (2, 2))
