"""Cued task switching: two tasks on the same digits and the same two keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require,
    require_below,
    require_count,
    require_flag,
    require_probability,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._switching import switched
from metalocus.envs.family import Array, Family, Latents

DIGITS = np.array([1, 2, 3, 4, 6, 7, 8, 9])
CATEGORIES = np.stack([DIGITS % 2, DIGITS > 5], axis=1).astype(np.int64)
"""Of each digit: odd, and above five, [8, 2]."""


class CuedSwitching(Family):
    """A cue says which of two questions to answer about a digit: is it odd, or is it above five?

    ## Description
    The task-switching experiment of psychology. Both questions are answered with the same
    two keys, so a digit is congruent (both tasks ask for the same key) or incongruent. The
    rules are the same in every episode and the cue is shown with every digit, so a policy
    without memory can be perfect and nothing needs to be learned within an episode. People
    are slower and err more when the task has just changed, which the probe
    ``switch`` measures (Monsell 2003, "Task switching"). With ``new_keys=True`` the keys of
    both tasks are drawn anew for every episode, and have to be learned from the feedback.

    ## Action Space
    ``Discrete(2)``: the key.

    ## Observation Space
    The one-hot cue (parity, magnitude) and the one-hot digit (1 to 9 without 5), ten
    numbers, then feedback (previous action and reward, first-step flag).

    ## Starting State
    Either task comes first with probability 1/2. Key 1 means odd in one task and above five
    in the other; with ``new_keys`` either task's keys are swapped with probability 1/2.

    ## Rewards
    1 for the right key, else 0. Every digit is drawn independently. The task changes with
    probability ``hazard`` before each trial but the first, or every ``run_length`` trials.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``task`` (0 parity, 1 magnitude), ``digit`` (its place among the eight) and ``swapped``
    (each task's keys) only with ``reveal=True``.

    ## Arguments
    * ``hazard``: probability of the other task before each trial. Default .5.
    * ``run_length``: trials of one task in a row, in place of ``hazard``; 2 for alternating
      runs. Default None: tasks follow at random.
    * ``horizon``: trials in an episode. Default 50.
    * ``new_keys``: draw the keys anew for every episode. Default False.

    ## References
    Monsell 2003, "Task switching"; Rogers & Monsell 1995, "Costs of a predictable switch
    between simple cognitive tasks" (alternating runs).

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "CuedSwitching-v0"
    separates: ClassVar[str] = "responding to a shown task from learning; new_keys, learning it too"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"new_keys": True},
        {"run_length": 2},
        {"hazard": 0.0, "new_keys": True},
    )

    def __init__(
        self,
        hazard: float = 0.5,
        run_length: int | None = None,
        horizon: int = 50,
        new_keys: bool = False,
    ) -> None:
        self.n_arms = 2
        self.hazard = require_probability("hazard", hazard)
        self.run_length = run_length
        if run_length is not None:
            self.run_length = require_count("run_length", run_length, 1)
        self.horizon = require_count("horizon", horizon, 1)
        self.new_keys = require_flag("new_keys", new_keys)
        self.telling = not new_keys
        self.stimulus_size = 2 + len(DIGITS)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``task`` [N] and ``digit`` [N] of the first trial, ``swapped`` [N, 2]."""
        task = (crn.uniform("task") < 0.5).astype(np.int64)
        swapped = (crn.uniform("keys", 0, np.arange(2)[None]) < 0.5).astype(np.int64)
        if not self.new_keys:
            swapped = np.zeros_like(swapped)
        return {"task": task, "digit": _digit(crn, 0), "swapped": swapped}

    def means(self, latents: Latents) -> Array:
        """1 for the right key, 0 for the other, [N, 2]."""
        right: Array = np.arange(2) == self._right(latents)[:, None]
        return right.astype(np.float64)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """1 if the key is right; then perhaps the other task, and another digit."""
        reward = (action == self._right(latents)).astype(np.float64)
        hazard = self.hazard if self.run_length is None else (t + 1) % self.run_length == 0
        task = switched(latents["task"], 2, hazard, crn, t + 1)
        return reward, {**latents, "task": task, "digit": _digit(crn, t + 1)}

    def stimulus(self, latents: Latents) -> Array:
        """One-hot task and one-hot digit, [N, 10]."""
        shown = np.zeros((len(latents["task"]), self.stimulus_size), dtype=np.float32)
        rows = np.arange(len(shown))
        shown[rows, latents["task"]] = 1.0
        shown[rows, 2 + latents["digit"]] = 1.0
        return shown

    def congruent(self, latents: Latents) -> Array:
        """Whether both tasks ask for the same key, [N]."""
        keys = CATEGORIES[latents["digit"]] ^ latents["swapped"]
        same: Array = keys[:, 0] == keys[:, 1]
        return same

    def check_task(self, latents: Latents) -> None:
        """There are two tasks with two orders of their keys, and eight digits."""
        for name, n in (("task", 2), ("digit", len(DIGITS)), ("swapped", 2)):
            require_below(name, latents[name], n)
        swapped = bool(latents["swapped"].any())
        require(self.new_keys or not swapped, "swapped must be 0 unless new_keys=True")

    def _right(self, latents: Latents) -> Array:
        """The right key, [N]."""
        task, rows = latents["task"], np.arange(len(latents["task"]))
        right: Array = CATEGORIES[latents["digit"], task] ^ latents["swapped"][rows, task]
        return right


def _digit(crn: CommonRandomNumbers, t: Array | int) -> Array:
    """Place of a digit among the eight, [N]."""
    return (crn.uniform("digit", t) * len(DIGITS)).astype(np.int64)
