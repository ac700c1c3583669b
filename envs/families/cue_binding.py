"""Binding of cues to actions, drawn anew for every episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require,
    require_below,
    require_choice,
    require_count,
    require_flag,
    short_repr,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._digits import DIGIT_SIZE, digit_images
from metalocus.envs.family import Array, Family, Latents

CUES = ("bits", "digits", "fixed")
MOST_CUES = 64
"""More than any memory here is asked to hold; drawing them takes time quadratic in their number."""
MOST_BITS = 32
"""So that the number of different cues fits the 53 bits of a uniform number."""


class CueBinding(Family):
    """Random cues, each bound to an action, shown repeatedly in random order.

    ## Description
    How many arbitrary pairs can be held in memory at once? Cues and their actions are drawn
    anew for every episode, so the action of a cue is found by trying and has to be
    remembered until the cue is shown again. Cues come in passes: each pass shows every cue
    once, in a new random order. In the first pass the agent can only try.

    Cues are random bits, or real images of handwritten digits (which digit an image shows
    says nothing about its action). With ``cues="fixed"`` all episodes have the same cues, as
    in the control of Miconi: only the actions are new, and training can learn to recognise
    the cues. With ``fixed_actions=True`` too, the actions are the same as well, and nothing
    needs to be learned within an episode: the control.

    ## Action Space
    ``Discrete(n_arms)``.

    ## Observation Space
    The cue: ``cue_bits`` zeros and ones, or 64 pixels, or a one-hot number if fixed. Then
    feedback (previous action and reward, first-step flag).

    ## Starting State
    A set of ``n_cues`` different cues, all sets equally likely. Each cue's action is drawn
    uniformly and independently, so several cues may have the same action.

    ## Rewards
    1 for the action that is bound to the cue shown, else 0.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates. The last pass may be incomplete.

    ## Information
    ``cues`` (each cue's code: its bits as a number, its image's place in ``digit_images()``, or
    its number), ``bound`` (each one's action), ``order`` (of the current pass) and ``shown``
    (which cue is) only with ``reveal=True``.

    ## Arguments
    * ``n_cues``: cues in an episode, 1 to 64. Default 8.
    * ``n_arms``: number of actions, at least 2. Default 4.
    * ``horizon``: trials in an episode. Default 64.
    * ``cues``: ``bits``, ``digits`` or ``fixed``. Default ``bits``.
    * ``cue_bits``: length of a cue of bits, 1 to 32. Default 16.
    * ``fixed_actions``: cue i is bound to action i modulo ``n_arms`` in every episode; needs
      ``cues="fixed"``. Default False.

    ## References
    Miconi et al. 2019, "Backpropamine: training self-modifying neural networks with
    differentiable neuromodulated plasticity", section 4.1; Alpaydin & Kaynak 1998, "Optical
    recognition of handwritten digits" (the images).

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "CueBinding-v0"
    separates: ClassVar[str] = "how many bindings are held; fixed actions, knowing from learning"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"n_cues": 4, "cues": "fixed", "fixed_actions": True},
        {"n_cues": 4, "cues": "fixed"},
        {"cues": "digits"},
        {"cues": "digits", "n_cues": 64, "horizon": 256},
        {"n_cues": 1, "cue_bits": 1, "n_arms": 2},
        {"n_cues": 5, "horizon": 13},
    )

    def __init__(
        self,
        n_cues: int = 8,
        n_arms: int = 4,
        horizon: int = 64,
        cues: str = "bits",
        cue_bits: int = 16,
        fixed_actions: bool = False,
    ) -> None:
        self.n_cues = require_count("n_cues", n_cues, 1, MOST_CUES)
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.horizon = require_count("horizon", horizon, 1)
        self.kind = require_choice("cues", cues, CUES)
        self.cue_bits = require_count("cue_bits", cue_bits, 1, MOST_BITS)
        self.fixed_actions = self.telling = require_flag("fixed_actions", fixed_actions)
        needs = 'fixed_actions=True needs cues="fixed": new cues cannot be known beforehand'
        require(self.kind == "fixed" or not self.fixed_actions, needs)
        sizes = {"bits": self.cue_bits, "digits": DIGIT_SIZE, "fixed": self.n_cues}
        self.stimulus_size = sizes[self.kind]
        self.n_codes = 2**self.cue_bits if self.kind == "bits" else self.n_cues
        if self.kind == "digits":
            self.n_codes = len(digit_images())
        few = f"cue_bits={cue_bits} makes {self.n_codes} different cues, too few for {n_cues}"
        require(self.n_codes >= self.n_cues, few)

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``cues`` and ``bound`` [N, C], ``order`` [N, C] of the first pass, ``shown`` [N]."""
        each, order = np.arange(self.n_cues), self._order(crn, 0)
        if self.kind == "fixed":
            cues = np.tile(each, (len(crn), 1))
        else:
            cues = _distinct(crn, self.n_cues, self.n_codes)
        if self.fixed_actions:
            bound = np.tile(each % self.n_arms, (len(crn), 1))
        else:
            bound = (crn.uniform("bound", 0, each[None]) * self.n_arms).astype(np.int64)
        return {"cues": cues, "bound": bound, "order": order, "shown": order[:, 0].copy()}

    def means(self, latents: Latents) -> Array:
        """1 for the action bound to the cue shown, 0 for the others, [N, K]."""
        right: Array = np.arange(self.n_arms) == _shown(latents, "bound")[:, None]
        return right.astype(np.float64)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """1 for the bound action; then the next cue, of a new pass if this one is over."""
        reward = (action == _shown(latents, "bound")).astype(np.float64)
        place, order = (t + 1) % self.n_cues, latents["order"]
        over = np.flatnonzero(place == 0)
        if len(over):
            order = order.copy()
            order[over] = self._order(crn.select(over), (t + 1)[over])
        shown = order[np.arange(len(order)), place]
        return reward, {**latents, "order": order, "shown": shown}

    def stimulus(self, latents: Latents) -> Array:
        """The cue, [N, S]."""
        code = _shown(latents, "cues")
        if self.kind == "digits":
            return digit_images()[code]
        each = np.arange(self.stimulus_size)
        shown = code[:, None] >> each & 1 if self.kind == "bits" else code[:, None] == each
        return shown.astype(np.float32)

    @property
    def latent_size(self) -> int:
        """``cues``, ``bound`` and ``order`` of every cue, and ``shown``."""
        return 3 * self.n_cues + 1

    def check_task(self, latents: Latents) -> None:
        """Different cues of the kind, each bound to an action and shown once in a pass."""
        cues, order, each = latents["cues"], latents["order"], np.arange(self.n_cues)
        require_below("cues", cues, self.n_codes)
        different = bool((np.diff(np.sort(cues, axis=1), axis=1) > 0).all())
        require(different, f"cues must be different, got {short_repr(cues)}")
        own = self.kind != "fixed" or bool((cues == each).all())
        require(own, f"fixed cues are 0, 1, ... in this order, got {short_repr(cues)}")
        require_below("bound", latents["bound"], self.n_arms)
        given = not self.fixed_actions or bool((latents["bound"] == each % self.n_arms).all())
        require(given, f"fixed_actions binds cue i to action i modulo {self.n_arms}")
        require_below("shown", latents["shown"], self.n_cues)
        once = bool((np.sort(order, axis=1) == each).all())
        require(once, f"order must name every cue once, got {short_repr(order)}")

    def _order(self, crn: CommonRandomNumbers, t: Array | int) -> Array:
        """A random order of the cues for the pass that begins at t, [N, C]."""
        return crn.uniform("order", t, np.arange(self.n_cues)[None]).argsort(axis=1)


def _shown(latents: Latents, name: str) -> Array:
    """A property of the cue that is shown, [N]."""
    which = latents["shown"]
    value: Array = latents[name][np.arange(len(which)), which]
    return value


def _distinct(crn: CommonRandomNumbers, many: int, below: int) -> Array:
    """Different whole numbers below a bound, all sets equally likely, [N, many].

    Floyd's algorithm (Bentley & Floyd 1987, "A sample of brilliance"): the i-th number is
    drawn from 0 to last_i = below - many + i, and replaced by last_i if it was drawn before.
    """
    last = below - many + np.arange(many)
    chosen = (crn.uniform("cues", 0, np.arange(many)[None]) * (last + 1)).astype(np.int64)
    for i in range(1, many):
        taken = (chosen[:, :i] == chosen[:, i : i + 1]).any(axis=1)
        chosen[taken, i] = last[i]
    return chosen
