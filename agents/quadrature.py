"""Quadrature on [0, 1] for products of Beta densities and distribution functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.special import betainc, betaln

from metalocus.agents.agent import Array
from metalocus.agents.counts import Prior

NEGLIGIBLE = 35.0
"""Tails of less than exp(-35) are cut off."""


class Rule(NamedTuple):
    """Nodes and weights [M]; 1 - x is kept apart for the digits that x loses near 1."""

    x: Array
    complement: Array
    weights: Array


def gauss_legendre(n: int) -> Rule:
    """Exact for polynomials of degree up to 2n - 1."""
    z, weights = leggauss(n)
    return Rule((1.0 + z) / 2.0, (1.0 - z) / 2.0, weights / 2.0)


def double_exponential(prior: Prior, pulls: int) -> Rule:
    """For densities with a singular end, narrowed by that many pulls; errs by about 1e-9.

    x = 1 / (1 + exp(-π sinh v)) on an even grid of v (Takahasi & Mori 1974).
    """
    step = 0.5 / np.sqrt(pulls + sum(prior) + 2.0)
    end = np.arcsinh(NEGLIGIBLE / (np.pi * min(*prior, 1.0)))
    v = np.arange(-end, end, step)
    u = np.pi * np.sinh(v)
    x, complement = 1.0 / (1.0 + np.exp(-u)), 1.0 / (1.0 + np.exp(u))
    return Rule(x, complement, step * np.pi * np.cosh(v) * x * complement)


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


def upper_weights(rule: Rule, lower: Array) -> Array:
    """Weights of a Gauss-Legendre rule for integrals from ``lower`` [N] to 1, [N, M].

    Exact for polynomials of degree below M, each of which is its interpolant at the nodes:
    Σ_n (2n + 1) w_i P_n(x_i) P_n(x) is the i-th Lagrange polynomial, and
    ∫ P_n = (P_{n+1} - P_{n-1}) / (2n + 1), with P_{-1} = 1 for the integral of P_0 from x to 1.
    """
    count = len(rule.x)
    at_lower = legvander(2.0 * lower - 1.0, count)
    before = np.concatenate([np.ones((len(lower), 1)), at_lower[:, : count - 1]], axis=1)
    integrals = (before - at_lower[:, 1:]) / 2.0
    weights: Array = integrals @ legvander(2.0 * rule.x - 1.0, count - 1).T * rule.weights
    return weights
