"""Thompson sampling on Bayesian linear regression, by its exact choice probabilities."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.references.generic.normal import ThompsonChoice
from metalocus.agents.references.linear.belief import LinearPolicy


class LinearThompson(LinearPolicy, ThompsonChoice):
    """Pulls each arm with the posterior probability that it is the best one in this context.

    Source: Agrawal & Goyal 2013, "Thompson sampling for contextual bandits with linear
    payoffs", with the true prior and noise.
    """

    name: ClassVar[str] = "linear_thompson"
    summary: ClassVar[str] = "Thompson sampling on Bayesian linear regression, exact probabilities"
