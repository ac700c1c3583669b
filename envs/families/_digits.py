"""Real images of handwritten digits, as stimuli."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGIT_SIZE = 64
"""Pixels of an image, 8 x 8."""


@cache
def digit_images() -> NDArray[np.float32]:
    """All 1,797 images bundled with scikit-learn, [1797, 64], from 0 (white) to 1.

    Source: Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits" (UCI).
    """
    images = _digits().data / 16.0
    return np.asarray(images, dtype=np.float32)


@cache
def digit_labels() -> NDArray[np.int64]:
    """Which digit each image shows, [1797]."""
    return np.asarray(_digits().target, dtype=np.int64)


@cache
def _digits() -> Any:
    from sklearn.datasets import load_digits  # a slow import that most families do not need

    return load_digits()
