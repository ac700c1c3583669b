"""Miconi's target discovery: which of four new cues is the target, told by yes or no alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from metalocus.envs.checks import require, require_below, require_count, require_flag
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents

N_CUES = 4
MOST_BITS = 32
"""So that the number of different cues fits the 53 bits of a uniform number."""
SHORTEST = 5
"""Steps of the shortest trial: nothing, both cues, the question, nothing."""
LENGTHS = 4
"""Trials have 5 to 8 steps: as many lengths as cues."""


class TargetDiscovery(Family):
    """Two of four new cues are shown; was the target among them?

    ## Description
    Every episode has four new cues, one of which is the target. In a trial two of them are
    shown, one after the other, and then the agent is asked whether the target was one of the
    two. It is told whether its answer was right. No trial names the target, so answers have to
    be combined over trials. With ``together=True`` a trial is one step, in which both cues are
    shown and the answer is given: the same inference without the memory within a trial.

    ## Action Space
    ``Discrete(2)``: no (0) or yes (1). It counts only in the step that asks.

    ## Observation Space
    The cue, ``cue_bits`` zeros and ones (all zero where none is shown), and a 1 in the step that
    asks; with ``together`` the two cues. Then feedback (previous action and reward, first-step
    flag).

    ## Starting State
    Four different cues, none of which is all zero, drawn uniformly; each is the target with
    probability 1/4.

    ## Rewards
    1 for the right answer and -1 for the wrong one, 0 in all other steps. Each trial shows two
    different cues, drawn uniformly. It takes 5, 6, 7 or 8 steps, drawn uniformly: one in
    which nothing is shown, 2 to 5 of which two show a cue, the one that asks, and one more in
    which nothing is shown. What is shown does not depend on the actions.

    ## Episode End
    Terminates after ``horizon`` steps; never truncates. The last trial may be incomplete.

    ## Information
    ``cues`` (each cue's bits as a number), ``target`` (which of them), ``pair`` (the two of this
    trial), ``when`` (the steps of the trial that show them), ``length`` (steps of the trial)
    and ``place`` (the step of the trial) only with ``reveal=True``.

    ## Arguments
    * ``horizon``: steps in an episode. Default 120.
    * ``cue_bits``: length of a cue, 3 to 32. Default 20.
    * ``together``: show both cues in one step and ask in it. Default False.

    ## References
    Miconi et al. 2019, "Backpropamine: training self-modifying neural networks with
    differentiable neuromodulated plasticity", section 4.1, and the settings of its published
    code (eplen 120, rew 1). The code's cues may coincide or be all zero, with probability 1e-5.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "TargetDiscovery-v0"
    separates: ClassVar[str] = "combining yes and no over trials from remembering single answers"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"together": True, "horizon": 20},
        {"cue_bits": 3},
    )
    n_arms = 2
    reward_range = (-1.0, 1.0)

    def __init__(self, horizon: int = 120, cue_bits: int = 20, together: bool = False) -> None:
        self.horizon = require_count("horizon", horizon, 1)
        self.cue_bits = require_count("cue_bits", cue_bits, 3, MOST_BITS)
        self.together = require_flag("together", together)
        self.stimulus_size = 2 * self.cue_bits if self.together else self.cue_bits + 1

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``cues`` [N, 4], ``target`` [N], and the first trial (:meth:`_trial`)."""
        cues = 1 + _different(crn, "cues", 0, N_CUES, 2**self.cue_bits - 1)
        target = (crn.uniform("task") * N_CUES).astype(np.int64)
        place = np.zeros(len(crn), dtype=np.int64)
        return {"cues": cues, "target": target, "place": place, **self._trial(crn, 0)}

    def means(self, latents: Latents) -> Array:
        """1 for the right answer and -1 for the wrong one where there is a question, [N, 2]."""
        among = (latents["pair"] == latents["target"][:, None]).any(axis=1)
        right = np.where(np.arange(2) == among[:, None], 1.0, -1.0)
        return np.where(self.asked(latents)[:, None], right, 0.0)

    def asked(self, latents: Latents) -> Array:
        """Whether the coming step asks for an answer, [N]."""
        question = latents["length"] - (1 if self.together else 2)
        asked: Array = latents["place"] == question
        return asked

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """1 or -1 for an answer; then the next step, of a new trial if this one is over."""
        reward = self.means(latents)[np.arange(len(action)), action]
        place = latents["place"] + 1
        over = np.flatnonzero(place == latents["length"])
        place[over] = 0
        after = {**latents, "place": place}
        if len(over):
            for name, value in self._trial(crn.select(over), (t + 1)[over]).items():
                after[name] = latents[name].copy()
                after[name][over] = value
        return reward, after

    def stimulus(self, latents: Latents) -> Array:
        """The cue of this step and whether it asks, [N, B + 1]; or both cues, [N, 2 B]."""
        rows = np.arange(len(latents["pair"]))[:, None]
        code = latents["cues"][rows, latents["pair"]]
        bits = (code[:, :, None] >> np.arange(self.cue_bits) & 1).astype(np.float32)  # [N, 2, B]
        if self.together:
            return bits.reshape(len(bits), -1)
        now = latents["when"] == latents["place"][:, None]
        cue = (bits * now[:, :, None]).sum(axis=1)
        return np.concatenate([cue, self.asked(latents)[:, None]], axis=1).astype(np.float32)

    @property
    def latent_size(self) -> int:
        """``cues``, ``target``, ``pair``, ``when``, ``length`` and ``place``."""
        return N_CUES + 7

    def check_task(self, latents: Latents) -> None:
        """Four different cues of the length, and a trial as they are drawn."""
        cues, pair, when = latents["cues"], latents["pair"], latents["when"]
        require_below("cues", cues, 2**self.cue_bits)
        different = bool((np.diff(np.sort(cues, axis=1), axis=1) > 0).all() and (cues > 0).all())
        require(different, "cues must be different, and none of them 0")
        require_below("target", latents["target"], N_CUES)
        require_below("pair", pair, N_CUES)
        require(bool((pair[:, 0] != pair[:, 1]).all()), "pair must be two different cues")
        length = latents["length"]
        least, most = (1, 1) if self.together else (SHORTEST, SHORTEST + LENGTHS - 1)
        fits = bool(((length >= least) & (length <= most)).all())
        require(fits, f"length must be from {least} to {most}")
        place = latents["place"]
        require(bool(((place >= 0) & (place < length)).all()), "place must be within the trial")
        if self.together:
            require(bool((when == 0).all()), "when must be 0 where both cues are shown together")
        else:
            ordered = (when[:, 0] >= 1) & (when[:, 0] < when[:, 1]) & (when[:, 1] <= length - 3)
            require(bool(ordered.all()), "when must be two rising steps before the question")

    def _trial(self, crn: CommonRandomNumbers, t: ArrayLike) -> Latents:
        """``pair`` [N, 2], ``when`` [N, 2] and ``length`` [N] of the trial that begins at t."""
        pair = _different(crn, "pair", t, 2, N_CUES)
        if self.together:
            return {"pair": pair, "when": np.zeros_like(pair), "length": np.ones(len(crn), int)}
        length = SHORTEST + (crn.uniform("length", t) * LENGTHS).astype(np.int64)
        when = 1 + np.sort(_different(crn, "when", t, 2, length - 3), axis=1)
        return {"pair": pair, "when": when, "length": length}


def _different(
    crn: CommonRandomNumbers, stream: str, t: ArrayLike, many: int, below: ArrayLike
) -> Array:
    """Different whole numbers below a bound, all orders of all sets equally likely, [N, many].

    The i-th is drawn among the below - i that are left, by its rank: it moves up by one for each
    number drawn before, from the least on, that it is not below.
    """
    u = crn.uniform(stream, t, np.arange(many)[None])
    left = np.asarray(below).reshape(-1, 1) - np.arange(many)
    chosen = (u * left).astype(np.int64)
    for i in range(1, many):
        before = np.sort(chosen[:, :i], axis=1)
        for j in range(i):
            chosen[:, i] += chosen[:, i] >= before[:, j]
    return chosen
