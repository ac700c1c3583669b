"""Where each part of an observation stands: [stimulus | action | reward | first | time]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from metalocus.envs.checks import InvalidTask, require, short_repr
from metalocus.envs.family import Family

PARTS = ("stimulus", "action", "reward", "first", "time")
DEFAULT_PARTS = ("stimulus", "action", "reward", "first")
FEEDBACK = ("action", "reward", "first")


class Layout:
    """The parts of one family's observation.

    Parts: ``stimulus`` [S]; ``action``, the previous action one-hot [K], all zero at the
    first trial; ``reward``, the previous reward [1]; ``first``, 1 at the first trial [1];
    ``time``, trial / horizon [1].

    Args:
        family: gives the sizes and ranges.
        observe: names of the parts in the observation, in any order.

    Attributes:
        slices: where each part stands, by name, in the order of ``PARTS``.
        size: numbers in an observation D.

    Raises:
        InvalidTask: an unknown part, or an empty observation.
    """

    def __init__(self, family: Family, observe: Iterable[str] = DEFAULT_PARTS) -> None:
        try:
            names = [observe] if isinstance(observe, str) else list(observe)
        except TypeError:
            raise InvalidTask(f"observe must name parts, got {short_repr(observe)}") from None
        for name in names:
            if not (isinstance(name, str) and name in PARTS):
                choice = f"choose from {', '.join(PARTS)}"
                raise InvalidTask(f"observe has no part {short_repr(name)}; {choice}")
        sizes = dict(zip(PARTS, (family.stimulus_size, family.n_arms, 1, 1, 1), strict=True))
        self.family = family
        self.slices: dict[str, slice] = {}
        self.size = 0
        for name in PARTS:
            if name in names and sizes[name]:
                self.slices[name] = slice(self.size, self.size + sizes[name])
                self.size += sizes[name]
        require(self.size > 0, "observe leaves an empty observation; name a part that exists")

    def indices(self, parts: Iterable[str]) -> list[int]:
        """Positions of the named parts in the observation; parts that are left out have none."""
        names = set(parts)
        present = [where for name, where in self.slices.items() if name in names]
        return [i for where in present for i in range(where.start, where.stop)]

    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Least and greatest value of every number of the observation, each [D]."""
        low, high = np.zeros(self.size, np.float32), np.ones(self.size, np.float32)
        for name, (least, most) in (
            ("stimulus", self.family.stimulus_range),
            ("reward", self.family.reward_range),
        ):
            if name in self.slices:
                low[self.slices[name]] = min(least, 0.0)
                high[self.slices[name]] = max(most, 0.0)
        return low, high

    def encode(
        self, stimulus: NDArray[Any], action: NDArray[Any], reward: NDArray[Any], t: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Observations before trial t, [N, D].

        Args:
            stimulus: [N, S].
            action: previous action [N], -1 where there is none.
            reward: previous reward [N], 0 where there is none.
            t: trial number [N].
        """
        obs = np.zeros((len(t), self.size), dtype=np.float32)
        for name, where in self.slices.items():
            if name == "stimulus":
                obs[:, where] = stimulus
            elif name == "action":
                rows = np.flatnonzero(action >= 0)
                obs[rows, where.start + action[rows]] = 1.0
            elif name == "reward":
                obs[:, where.start] = reward
            elif name == "first":
                obs[:, where.start] = t == 0
            else:
                obs[:, where.start] = t / self.family.horizon
        return obs


def observation_space(layout: Layout) -> spaces.Box:
    """float32 Box [D] with the true bounds of every part."""
    low, high = layout.bounds()
    return spaces.Box(low, high, dtype=np.float32)


def action_space(layout: Layout) -> spaces.Discrete:
    """One action for each arm."""
    return spaces.Discrete(layout.family.n_arms)
