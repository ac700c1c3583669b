"""Text and pictures of an episode, which show the hidden means of the arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.envs.checks import require, require_choice
from metalocus.envs.episodes import Episodes

MODES = ("ansi", "rgb_array")
MOST_BARS = 1000
"""Arms of the widest picture, 12 MB of pixels."""

_HEIGHT, _BAR, _GAP = 120, 24, 8
_PAPER, _INK, _ARM, _CHOSEN, _WIN, _LOSS = (
    (255, 255, 255),
    (60, 60, 60),
    (198, 210, 224),
    (66, 110, 180),
    (52, 152, 92),
    (204, 78, 66),
)


def require_mode(mode: Any, modes: Sequence[str] = MODES) -> str | None:
    """``mode`` if it is None or one of ``modes``, else :class:`InvalidTask`."""
    return None if mode is None else require_choice("render_mode", mode, modes)


def ansi(episodes: Episodes, row: int = 0) -> str:
    """One line: trial, every arm's true mean, the last choice and its reward."""
    means = " ".join(f"{mean:.2f}" for mean in episodes.means()[row])
    text = f"trial {episodes.t[row]}/{episodes.family.horizon}  means {means}"
    if episodes.action[row] < 0:
        return text
    return f"{text}  chose {episodes.action[row]}  reward {episodes.reward[row]:g}"


def rgb_array(episodes: Episodes, row: int = 0) -> NDArray[np.uint8]:
    """A bar an arm at its true mean, the last choice dark; its reward in the strip on top.

    The line at the bottom is as long as the part of the episode that is over.

    Returns:
        [H, W, 3].

    Raises:
        InvalidTask: more than ``MOST_BARS`` arms.
    """
    n_arms = episodes.family.n_arms
    require(n_arms <= MOST_BARS, f"a picture shows at most {MOST_BARS} arms, not {n_arms}")
    means, chosen = episodes.means()[row], int(episodes.action[row])
    low, high = episodes.family.reward_range
    width = _GAP + len(means) * (_BAR + _GAP)
    image = np.full((_HEIGHT, width, 3), _PAPER, dtype=np.uint8)
    for arm, mean in enumerate(means):
        left = _GAP + arm * (_BAR + _GAP)
        height = round(80 * (mean - low) / (high - low))
        image[108 - height : 109, left : left + _BAR] = _CHOSEN if arm == chosen else _ARM
        if arm == chosen:
            won = episodes.reward[row] > (low + high) / 2
            image[8:18, left : left + _BAR] = _WIN if won else _LOSS
    done = int(width * episodes.t[row] / episodes.family.horizon)
    image[114:118, :done] = _INK
    return image
