"""Fitting a strategy to an agent's choice probabilities."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.evidence import Evidence
from metalocus.experiments.strategies.strategy import Strategy, Table

SPREAD = 9
"""Two to this many points, spread evenly, are tried first."""
TRIED_ON = 10
"""Episodes that these are tried on, enough to rank them."""
SEARCH_STEPS = 40
"""Of the search; most take fewer."""
STEP = 1e-5
"""Of the differences that gradients are taken from, as a part of each parameter's range."""
ENOUGH = 1e-7
"""The search ends where a step gains less than this, in nats a choice."""


def fitted(strategy: Strategy, seen: Evidence, probs: Array) -> Array:
    """The parameters [1, p] of least cross-entropy from the agent's probabilities [T, N, K].

    That is the maximum of the expected likelihood of its choices. A quasi-Newton search
    (L-BFGS-B) within the parameters' bounds begins at the best of some evenly spread points in each
    of four regions.
    """
    if isinstance(strategy, Table):
        return strategy.fitted(seen, probs)
    if not strategy.free:
        return np.empty((1, 0))

    from scipy.stats import qmc  # a slow import, needed here alone

    def natural(x: Array) -> Array:
        theta = [each.natural(x[:, i]) for i, each in enumerate(strategy.parameters)]
        return np.stack(theta, axis=1)

    def loss(x: Array) -> Array:
        found: Array = surprise(strategy.log_probs(seen, natural(x)), probs).mean(axis=1)
        return found

    def loss_and_gradient(x: Array) -> tuple[float, Array]:
        step = np.where(x + STEP <= 1.0, STEP, -STEP)
        losses = loss(np.concatenate([x[None], x + np.diag(step)]))
        return float(losses[0]), (losses[1:] - losses[0]) / step

    points = qmc.Sobol(strategy.free, scramble=False).random_base2(SPREAD)
    rough = strategy.log_probs(seen.rows(slice(TRIED_ON)), natural(points))
    ranked = points[np.argsort(surprise(rough, probs[:, :TRIED_ON]).mean(axis=1), kind="stable")]
    # The last two parameters are slope and lapse: soft choices without lapses and sharp ones with
    # them are valleys apart, so the search begins at the best point of each quarter of their plane.
    _, first = np.unique(ranked[:, -2:] >= 0.5, axis=0, return_index=True)
    starts = ranked[first]
    bounds = [(0.0, 1.0)] * strategy.free
    options = {"maxiter": SEARCH_STEPS, "ftol": ENOUGH}
    found = [
        minimize(loss_and_gradient, start, jac=True, bounds=bounds, options=options)
        for start in starts
    ]
    best: Array = natural(min(found, key=lambda each: float(each.fun)).x[None])
    return best


def surprise(log_probs: Array, probs: Array) -> Array:
    """Cross-entropy of each episode, nats a choice: [..., T, N, K] and [T, N, K] -> [..., N]."""
    found: Array = -np.einsum("...tnk,tnk->...n", log_probs, probs) / len(probs)
    return found


def entropy(probs: Array) -> Array:
    """Of the agent's own choices, nats a choice: [T, N, K] -> [N]."""
    log_probs = np.log(np.where(probs > 0.0, probs, 1.0))
    return surprise(log_probs, probs)
