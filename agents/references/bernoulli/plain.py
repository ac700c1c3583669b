"""The best policy of a plain Bernoulli bandit, for tasks that hold one."""

from __future__ import annotations

from metalocus.agents.agent import EXACT
from metalocus.agents.references.bernoulli.bayes_optimal import BayesOptimal
from metalocus.agents.references.bernoulli.counts import CountingPolicy
from metalocus.agents.references.bernoulli.finite_index import FiniteIndex
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit


def best_policy(n_arms: int, horizon: int) -> CountingPolicy:
    """The exact optimum of independent uniform arms, or the finite-horizon index if too large.

    Raises:
        InvalidTask: too large for either.
    """
    plain = BernoulliBandit(n_arms, horizon)
    return BayesOptimal(plain) if is_exact(n_arms, horizon) else FiniteIndex(plain)


def is_exact(n_arms: int, horizon: int) -> bool:
    """Whether :func:`best_policy` is Bayes-optimal."""
    return BayesOptimal.why_not(BernoulliBandit(n_arms, horizon)) is None


def why_none(n_arms: int, horizon: int) -> str | None:
    """Why there is no :func:`best_policy`, None if there is one."""
    return (
        None if is_exact(n_arms, horizon) else FiniteIndex.why_not(BernoulliBandit(n_arms, horizon))
    )


def optimality(n_arms: int, horizon: int) -> int:
    """How near :func:`best_policy` is to the optimum."""
    plain = BernoulliBandit(n_arms, horizon)
    return EXACT if is_exact(n_arms, horizon) else FiniteIndex.optimality(plain)
