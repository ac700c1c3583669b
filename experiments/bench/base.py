"""What the benches share."""

from __future__ import annotations

from typing import Any

from metalocus.envs import Setting

Row = dict[str, Any]
"""What is printed on one line, by name."""
TEN_ARMS = Setting("metalocus/BernoulliBandit-v0", n_arms=10, horizon=100)
"""The task of the engine's bench, long and wide enough for its work to outweigh the calls."""
ROUNDS = 3
"""Rounds of which the best counts: other work on the machine can only slow one down."""
