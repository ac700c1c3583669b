"""Quadrature on [0, 1] for products of Beta densities and distribution functions."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.special import betainc, betaln

from metalocus.agents.agent import Array
from metalocus.agents.references.bernoulli.counts import Prior

NEGLIGIBLE = 35.0
"""Tails of less than exp(-35), about 6e-16, are cut off: double precision has no more."""


class Rule(NamedTuple):
    """Nodes x and weights, [M]; ``complement`` is 1 - x, with the digits that x loses near 1."""

    x: Array
    complement: Array
    weights: Array


def gauss_legendre(n: int) -> Rule:
    """Exact for polynomials of degree up to 2n - 1."""
    z, weights = leggauss(n)
    return Rule((1.0 + z) / 2.0, (1.0 - z) / 2.0, weights / 2.0)


def double_exponential(prior: Prior, pulls: int) -> Rule:
    """For Beta densities of up to that many pulls, which may be infinite at 0 or 1.

    x = 1 / (1 + exp(-π sinh v)) on an even grid of v (Takahasi & Mori 1974, "Double exponential
    formulas for numerical integration"); errs by about 1e-9.
    """
    step, end = _grid(prior, pulls)
    v = np.arange(-end, end, step)
    u = np.pi * np.sinh(v)
    x, complement = 1.0 / (1.0 + np.exp(-u)), 1.0 / (1.0 + np.exp(u))
    return Rule(x, complement, step * np.pi * np.cosh(v) * x * complement)


def count_double_exponential(prior: Prior, pulls: int) -> int:
    """Nodes of that rule."""
    step, end = _grid(prior, pulls)
    return math.ceil(2.0 * end / step)


def _grid(prior: Prior, pulls: int) -> tuple[float, float]:
    """Step and end of the even grid of v."""
    end = float(np.arcsinh(NEGLIGIBLE / (np.pi * min(*prior, 1.0))))
    return 0.5 / math.sqrt(pulls + sum(prior) + 2.0), end


def beta_density(a: Array, b: Array, rule: Rule) -> Array:
    """Density of Beta(a, b) at the nodes, a and b [C] -> [C, M]."""
    a, b = a[:, None], b[:, None]
    log_x, log_complement = np.log(rule.x), np.log(rule.complement)
    density: Array = np.exp((a - 1.0) * log_x + (b - 1.0) * log_complement - betaln(a, b))
    return density


def beta_distribution(a: Array, b: Array, rule: Rule) -> Array:
    """Distribution function of Beta(a, b) at the nodes, a and b [C] -> [C, M]."""
    a, b = a[:, None], b[:, None]
    left = rule.x < 0.5
    distribution = np.empty((len(a), len(left)))
    distribution[:, left] = betainc(a, b, rule.x[left])
    distribution[:, ~left] = 1.0 - betainc(b, a, rule.complement[~left])
    return distribution


def legendre_coefficients(rule: Rule) -> Array:
    """Legendre coefficients of the interpolant of values at Gauss-Legendre nodes, [M, M].

    Entry (i, n), divided by its 2n + 1, is what a value at node i adds to P_n(2x - 1).
    """
    coefficients: Array = legvander(2.0 * rule.x - 1.0, len(rule.x) - 1) * rule.weights[:, None]
    return coefficients


def upper_weights(coefficients: Array, lower: Array) -> Array:
    """Weights of the nodes for integrals from ``lower`` [N] to 1, [N, M].

    Exact for polynomials of degree below M, which are their own interpolants. With z = 2x - 1,
    (2n + 1) ∫ P_n(2x - 1) dx = (P_{n-1}(z) - P_{n+1}(z)) / 2 from x to 1, where P_{-1} = 1.

    Args:
        coefficients: of the rule, :func:`legendre_coefficients`.
        lower: from 0 to 1.
    """
    at_lower = legvander(2.0 * lower - 1.0, len(coefficients))
    before = np.concatenate([np.ones((len(lower), 1)), at_lower[:, :-2]], axis=1)
    weights: Array = (before - at_lower[:, 1:]) / 2.0 @ coefficients.T
    return weights
