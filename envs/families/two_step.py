"""The two-step task: a first choice, a common or a rare transition, then reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require,
    require_below,
    require_choice,
    require_count,
    require_probability,
    require_within,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards

FIRST = 0
"""The first stage; 1 and 2 are the states of the second."""
DRIFT = 0.025
"""Standard deviation of a drifting chance's change in a trial (Daw et al. 2011)."""
LOW, HIGH = 0.25, 0.75
"""Bounds of a drifting chance (Daw et al. 2011)."""


class TwoStep(Family):
    """A first choice leads to one of two states, commonly its own; each pays at a hidden rate.

    ## Description
    Each trial takes two steps. The first action leads to the state of its number with
    probability ``p_common``, else to the other state. There the second action decides the
    chance of reward; with ``second_choices=1`` the state alone decides it and the second
    action has no effect. The transitions are the same in every episode; the chances of reward
    are hidden and change. After a reward that followed a rare transition, a model-based agent,
    which knows the transitions, takes the *other* first action, and a model-free agent, which
    repeats what was rewarded, takes the same one. With ``p_common=0.5`` both first actions
    lead to either state equally often: the control, in which learning about the states cannot
    improve the first choice (and with one second choice learning cannot improve anything).

    ## Action Space
    ``Discrete(2)``, in both stages.

    ## Observation Space
    A one-hot stimulus of three numbers, the first stage or the state that was reached, then
    feedback (previous action and reward, first-step flag). The previous reward at the first
    stage is that of the last trial.

    ## Starting State
    The first stage. ``drifting``: the chance of every outcome is drawn from U[.25, .75].
    ``switching``: either state is the good one with probability 1/2.

    ## Rewards
    0 at the first stage; at the second 1 with the chance of the outcome, else 0.
    ``drifting``: after each trial every chance moves by a Gaussian of standard deviation
    .025 and is reflected at .25 and .75. ``switching``: the good state pays with probability
    ``p`` and the other with ``1 - p``; before every trial but the first, the good state
    switches with probability ``hazard``.

    ## Episode End
    Terminates after ``horizon`` steps, two a trial; never truncates.

    ## Information
    ``state`` (0 at the first stage, else the state reached), and ``chances`` or ``good`` (the
    good state, 0 or 1), only with ``reveal=True``.

    ## Arguments
    * ``rewards``: ``switching`` or ``drifting``. Default ``switching``.
    * ``second_choices``: actions that differ at the second stage, 1 or 2; 1 if the rewards
      are switching. Default 1.
    * ``p_common``: probability of the common transition. Default .8.
    * ``p``: the good state's probability of reward, if switching. Default .9.
    * ``hazard``: probability of a switch before a trial, if switching. Default .025.
    * ``horizon``: steps in an episode, an even number. Default 200, that is 100 trials.

    The defaults are the task of Wang et al. 2016. That of Daw et al. 2011 is
    ``rewards="drifting", second_choices=2, p_common=0.7``; that of Akam et al. 2015 is
    near ``p=0.8``.

    ## References
    Daw et al. 2011, "Model-based influences on humans' choices and striatal prediction
    errors"; Akam et al. 2015, "Simple plans or sophisticated habits?"; Wang et al. 2016,
    "Learning to reinforcement learn", and 2018, "Prefrontal cortex as a
    meta-reinforcement learning system".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "TwoStep-v0"
    separates: ClassVar[str] = "planning through a known transition from repeating what paid"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"rewards": "drifting", "second_choices": 2, "p_common": 0.7},
        {"rewards": "drifting"},
        {"p": 0.8},
        {"p_common": 0.5},
        {"rewards": "drifting", "second_choices": 2, "p_common": 0.5},
        {"horizon": 2},
    )

    def __init__(
        self,
        rewards: str = "switching",
        second_choices: int = 1,
        p_common: float = 0.8,
        p: float = 0.9,
        hazard: float = 0.025,
        horizon: int = 200,
    ) -> None:
        self.rewards = require_choice("rewards", rewards, ("switching", "drifting"))
        self.second_choices = require_count("second_choices", second_choices, 1, 2)
        one = self.second_choices == 1 or self.rewards == "drifting"
        require(one, "second_choices must be 1 if rewards are 'switching'; or let them be drifting")
        self.p_common = require_probability("p_common", p_common)
        self.p = require_probability("p", p)
        self.hazard = require_probability("hazard", hazard)
        self.horizon = require_count("horizon", horizon, 2)
        even = self.horizon % 2 == 0
        require(even, f"horizon must be even, for a trial takes two steps; got {self.horizon}")
        self.n_arms = 2
        self.stimulus_size = 3
        self.switches = "good" if self.rewards == "switching" else None

    @property
    def transitions(self) -> Array:
        """Probability that each first action leads to each state, [2, 2]."""
        return np.where(np.eye(2, dtype=bool), self.p_common, 1.0 - self.p_common)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``state`` [N], and ``chances`` [N, 2, C] of reward or ``good`` [N], the good state."""
        state = np.full(len(crn), FIRST, dtype=np.int64)
        if self.rewards == "switching":
            return {"state": state, "good": (crn.uniform("task") < 0.5).astype(np.int64)}
        u = crn.uniform("task", 0, self._outcomes()).reshape(len(crn), 2, -1)
        return {"state": state, "chances": LOW + (HIGH - LOW) * u}

    def chances(self, latents: Latents) -> Array:
        """Probability of reward after each second choice in each state, [N, 2, C]."""
        if self.rewards == "drifting":
            return latents["chances"]
        good = np.arange(2) == latents["good"][:, None]
        return np.where(good, self.p, 1.0 - self.p)[:, :, None]

    def means(self, latents: Latents) -> Array:
        """0 at the first stage, the chances of the state reached at the second, [N, 2]."""
        state = latents["state"]
        reached = self.chances(latents)[np.arange(len(state)), np.maximum(state, 1) - 1]
        paid = np.broadcast_to(reached, (len(state), 2))
        return np.where(state[:, None] == FIRST, 0.0, paid)

    def privileged_value(self, latents: Latents) -> Array:
        """Expected reward until the end of the trial, [N, 2]; later trials do not depend on it."""
        before = self.chances(latents).max(axis=2) @ self.transitions.T
        return np.where(latents["state"][:, None] == FIRST, before, self.means(latents))

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """A transition without reward at the first stage; reward, then a change, at the second."""
        state = latents["state"]
        first = state == FIRST
        reward = np.zeros(len(state))
        after = dict(latents)
        if first.any():
            common = crn.uniform("transit", t) < self.p_common
            after["state"] = np.where(first, 1 + np.where(common, action, 1 - action), FIRST)
        else:
            after["state"] = np.full_like(state, FIRST)
        if not first.all():
            place = np.maximum(state, 1) - 1
            choice = action % self.second_choices
            chance = self.chances(latents)[np.arange(len(state)), place, choice]
            paid = bernoulli_rewards(chance, place * self.second_choices + choice, t, crn)
            reward = np.where(first, 0.0, paid)
            after.update(self._changed(latents, first, t + 1, crn))
        return reward, after

    def _changed(
        self, latents: Latents, keep: Array, t: Array, crn: CommonRandomNumbers
    ) -> Latents:
        """Chances of reward, or the good state, at step t; the old ones in the rows ``keep``."""
        if self.rewards == "switching":
            switch = (crn.uniform("switch", t) < self.hazard) & ~keep
            return {"good": np.where(switch, 1 - latents["good"], latents["good"])}
        before = latents["chances"]
        moved = before + DRIFT * crn.normal("drift", t, self._outcomes()).reshape(before.shape)
        moved = HIGH - np.abs(HIGH - moved)  # a move is shorter than the space between the bounds
        moved = LOW + np.abs(moved - LOW)
        return {"chances": np.where(keep[:, None, None], before, moved)}

    def _outcomes(self) -> Array:
        """Number of every pair of state and second choice, [1, 2 C]."""
        return np.arange(2 * self.second_choices)[None]

    def stimulus(self, latents: Latents) -> Array:
        """One-hot: the first stage or the state reached, [N, 3]."""
        where: Array = np.arange(3) == latents["state"][:, None]
        return where.astype(np.float32)

    def check_task(self, latents: Latents) -> None:
        """The state is 0, 1 or 2; the good state 0 or 1; the chances within their bounds."""
        require_below("state", latents["state"], 3)
        if self.rewards == "switching":
            require_below("good", latents["good"], 2)
        else:
            require_within("chances", latents["chances"], LOW, HIGH)
