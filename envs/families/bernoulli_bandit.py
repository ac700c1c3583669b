"""Stationary Bernoulli bandits, independent or dependent arms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require, require_count, short_repr
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._stationary import StationaryArms
from metalocus.envs.family import Latents

_DEPENDENT = {"easy": 0.1, "medium": 0.25, "hard": 0.4}
_PRIORS = "'uniform', 'beta(a,b)', 'dependent', 'easy', 'medium' or 'hard'"


class BernoulliBandit(StationaryArms):
    """K arms that pay 1 or 0 with fixed probabilities drawn anew for every episode.

    ## Description
    The classic test of learning inside an episode: which arm is best can be found out
    only by pulling, and every pull that explores costs a pull of the best arm.

    ## Action Space
    ``Discrete(n_arms)``: the arm to pull.

    ## Observation Space
    Feedback only (previous action and reward, first-step flag); there is no stimulus.

    ## Starting State
    Each arm's probability is drawn from the prior.

    ## Rewards
    1 with the arm's probability, else 0.

    ## Episode End
    Terminates after ``horizon`` pulls; never truncates.

    ## Information
    ``means`` (true probabilities) only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of arms, at least 2. Default 2.
    * ``horizon``: pulls in an episode. Default 50.
    * ``prior``: ``uniform`` (independent U[0,1]); ``beta(a,b)`` (independent); or for two
      arms the dependent priors of Wang 2016, p2 = 1 - p1, with p1 from U[0,1]
      (``dependent``), {.1,.9} (``easy``), {.25,.75} (``medium``), {.4,.6} (``hard``).

    ## References
    Duan et al. 2016, "RL^2", section 3.1; Wang et al. 2016, "Learning to reinforcement
    learn", section 3.1.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "BernoulliBandit-v0"
    separates: ClassVar[str] = "exploring and counting from one-step memory (win-stay, lose-shift)"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"n_arms": 5, "horizon": 100},
        {"n_arms": 10, "horizon": 10},
        {"horizon": 1},
        {"prior": "beta(2,5)"},
        {"prior": "beta(0.5,0.5)"},
        {"prior": "dependent"},
        {"prior": "easy"},
        {"prior": "medium"},
        {"prior": "hard"},
    )

    def __init__(self, n_arms: int = 2, horizon: int = 50, prior: str = "uniform") -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.horizon = require_count("horizon", horizon, 1)
        require(isinstance(prior, str), f"prior must be {_PRIORS}, got {short_repr(prior)}")
        self.prior = str(prior)
        self.beta = _parse_beta(self.prior)
        if self.beta is None:
            known = self.prior == "dependent" or self.prior in _DEPENDENT
            require(known, f"prior must be {_PRIORS}, got {short_repr(prior)}")
            require(self.n_arms == 2, f"prior {self.prior!r} needs n_arms=2, got {n_arms}")

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``means`` [N, K]."""
        if self.beta is not None:
            u = crn.uniform("task", 0, np.arange(self.n_arms)[None])
            if self.beta != (1.0, 1.0):
                from scipy.special import betaincinv  # slow import, needed here alone

                u = betaincinv(*self.beta, u)
            return {"means": u}
        first = crn.uniform("task")
        if self.prior in _DEPENDENT:
            low = _DEPENDENT[self.prior]
            first = np.where(first < 0.5, low, 1.0 - low)
        return {"means": np.stack([first, 1.0 - first], axis=1)}

    @property
    def support(self) -> tuple[float, float] | None:
        """The two values of p1 under a discrete dependent prior, else None."""
        low = _DEPENDENT.get(self.prior)
        return None if low is None else (low, 1.0 - low)


def _parse_beta(prior: str) -> tuple[float, float] | None:
    """Parameters of an independent Beta prior; None if the prior is a dependent one."""
    if prior == "uniform":
        return 1.0, 1.0
    match = re.fullmatch(r"beta\(\s*([^,\s]+)\s*,\s*([^,\s]+)\s*\)", prior)
    if match is None:
        return None
    try:
        a, b = float(match[1]), float(match[2])
    except ValueError:
        a = b = -1.0
    positive = 0.0 < a < np.inf and 0.0 < b < np.inf
    require(positive, f"prior beta(a,b) needs two positive numbers, got {short_repr(prior)}")
    return a, b
