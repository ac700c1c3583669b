"""Thompson sampling on the Kalman filter, by its exact choice probabilities."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.references.generic.normal import ThompsonChoice
from metalocus.agents.references.restless.belief import KalmanPolicy


class KalmanThompson(KalmanPolicy, ThompsonChoice):
    """Pulls each arm with the posterior probability that its mean is the highest now.

    Source: Thompson 1933, "On the likelihood that one unknown probability exceeds
    another"; as a model of choice, Speekenbrink & Konstantinidis 2015, "Uncertainty and
    exploration in a restless bandit problem".
    """

    name: ClassVar[str] = "kalman_thompson"
    summary: ClassVar[str] = "Thompson sampling on exact Kalman filters, exact probabilities"
