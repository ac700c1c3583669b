"""One step of a hidden-Markov filter: Bayes' rule on an observation, then the transition."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metalocus.agents.agent import Array


def posterior(belief: Array, likelihood: Array) -> Array:
    """Bayes' rule over M hypotheses, both [N, M]; uniform where no hypothesis is possible."""
    joint = belief * likelihood
    evidence = joint.sum(axis=1, keepdims=True)
    anew = np.full_like(joint, 1.0 / joint.shape[1])
    updated: Array = np.divide(joint, evidence, out=anew, where=evidence > 0.0)
    return updated


def after_hazard(belief: Array, hazard: ArrayLike) -> Array:
    """Belief after a switch, with the hazard's probability, to one of the others, [..., M >= 2]."""
    total = belief.sum(axis=-1, keepdims=True)
    elsewhere = (total - belief) / (belief.shape[-1] - 1)
    after: Array = belief + np.asarray(hazard) * (elsewhere - belief)
    return after
