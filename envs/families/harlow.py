"""Harlow's learning to learn: which of two new objects pays is known after one trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from metalocus.envs.checks import (
    require,
    require_below,
    require_choice,
    require_count,
    require_flag,
    require_probability,
    require_within,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._digits import DIGIT_SIZE, digit_images, digit_labels
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards

_DIGITS = 10


class Harlow(Family):
    """Two objects, one of which pays, change sides at random; every episode has a new pair.

    ## Description
    Before each trial two objects are shown, one at the left and one at the right; the agent
    takes one. Which object pays stays the same throughout the episode, while its side changes.
    The first choice can only be a guess. Its reward tells which object pays, so all later
    choices can be right: learning in one trial, about objects never seen before. With
    ``fixed=True`` the objects and the one that pays are the same in every episode: the
    control, in which nothing needs to be learned within the episode.

    ## Action Space
    ``Discrete(2)``: take the object at the left (0) or at the right (1).

    ## Observation Space
    The stimulus, the left object's numbers and then the right one's, and feedback (previous
    action and reward, first-step flag). An object is ``features`` numbers in [0, 1], or the
    64 pixels of an image of a handwritten digit.

    ## Starting State
    ``features``: every number is drawn from U[0, 1]. ``digits``: two images of different
    digits, digits and images drawn uniformly. Either object is the one that pays.

    ## Rewards
    1 with probability ``p`` for the object that pays and ``1 - p`` for the other, else 0. The
    sides are drawn at random before each trial.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``objects`` (the one that pays first) and ``side`` (where it lies, 0 left and 1 right) only
    with ``reveal=True``.

    ## Arguments
    * ``objects``: ``features`` or ``digits``. Default ``features``.
    * ``features``: numbers that make an abstract object. Default 8.
    * ``p``: reward probability of the object that pays. Default 1.
    * ``horizon``: trials in an episode. Default 6.
    * ``fixed``: the same two objects in every episode. Default False.

    ## References
    Harlow 1949, "The formation of learning sets"; Wang et al. 2016, "Learning to
    reinforcement learn", section 3.2, and 2018, "Prefrontal cortex as a meta-reinforcement
    learning system". Fixation and the search for the objects are left out.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "Harlow-v0"
    separates: ClassVar[str] = "one-trial learning about new objects from knowing fixed ones"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"objects": "digits"},
        {"fixed": True},
        {"objects": "digits", "fixed": True},
        {"p": 0.8, "horizon": 12},
        {"features": 1},
        {"horizon": 1},
    )

    def __init__(
        self,
        objects: str = "features",
        features: int = 8,
        p: float = 1.0,
        horizon: int = 6,
        fixed: bool = False,
    ) -> None:
        self.objects = require_choice("objects", objects, ("features", "digits"))
        self.features = require_count("features", features, 1)
        self.p = require_probability("p", p)
        self.horizon = require_count("horizon", horizon, 1)
        self.fixed = self.telling = require_flag("fixed", fixed)
        self.n_arms = 2
        self.object_size = DIGIT_SIZE if self.objects == "digits" else self.features
        self.stimulus_size = 2 * self.object_size

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``objects`` [N, 2, F], the one that pays first, and ``side`` [N] where it lies."""
        if self.fixed:
            pair = np.broadcast_to(self.fixed_objects, (len(crn), 2, self.object_size))
            return {"objects": pair.copy(), "side": self._side(crn, 0)}
        return {"objects": self._drawn(crn), "side": self._side(crn, 0)}

    @property
    def fixed_objects(self) -> Array:
        """The two objects of every episode if fixed, the one that pays first, [2, F]."""
        pair: Array = self._drawn(CommonRandomNumbers(np.zeros(1, dtype=np.uint64)))[0]
        return pair

    def _drawn(self, crn: CommonRandomNumbers) -> Array:
        """Two different objects, [N, 2, F]."""
        if self.objects == "features":
            u = crn.uniform("objects", 0, np.arange(2 * self.features)[None])
            return u.astype(np.float32).reshape(len(crn), 2, self.features)
        u = crn.uniform("objects", 0, np.arange(4)[None])
        one = (u[:, 0] * _DIGITS).astype(np.int64)
        other = (one + 1 + (u[:, 1] * (_DIGITS - 1)).astype(np.int64)) % _DIGITS
        digit = np.stack([one, other], axis=1)
        counts = np.bincount(digit_labels(), minlength=_DIGITS)
        by_digit = np.argsort(digit_labels(), kind="stable")
        place = (np.cumsum(counts) - counts)[digit] + (u[:, 2:] * counts[digit]).astype(np.int64)
        drawn: Array = digit_images()[by_digit[place]]
        return drawn

    @staticmethod
    def _side(crn: CommonRandomNumbers, t: ArrayLike) -> Array:
        """Side of the object that pays at trial t, [N]."""
        return (crn.uniform("side", t) < 0.5).astype(np.int64)

    def means(self, latents: Latents) -> Array:
        """Probability p on the side of the object that pays, 1 - p on the other, [N, 2]."""
        return np.where(np.arange(2) == latents["side"][:, None], self.p, 1.0 - self.p)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; then the sides of the next trial, whatever the action."""
        chance = np.where(action == latents["side"], self.p, 1.0 - self.p)
        reward = bernoulli_rewards(chance, action, t, crn)
        return reward, {**latents, "side": self._side(crn, t + 1)}

    def stimulus(self, latents: Latents) -> Array:
        """The left object, then the right one, [N, 2 F]."""
        objects, side = latents["objects"], latents["side"]
        order = np.stack([side, 1 - side], axis=1)
        shown: Array = objects[np.arange(len(side))[:, None], order].reshape(len(side), -1)
        return shown

    @property
    def latent_size(self) -> int:
        """The numbers of both ``objects``, and ``side``."""
        return 2 * self.object_size + 1

    def check_task(self, latents: Latents) -> None:
        """The side is 0 or 1, the objects differ and their numbers are in [0, 1]."""
        require_below("side", latents["side"], 2)
        objects = latents["objects"]
        require_within("objects", objects, 0.0, 1.0)
        differ = bool((objects[:, 0] != objects[:, 1]).any(axis=1).all())
        require(differ, "objects must differ from each other")
