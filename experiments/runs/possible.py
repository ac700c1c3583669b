"""Whether a training run can be made: asked before anything is trained or written."""

from __future__ import annotations

from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.settings import defaults_of, require_alike, require_known, require_sizes
from metalocus.envs import InvalidTask
from metalocus.envs.checks import MOST_ROWS, require, require_count
from metalocus.experiments.runs.arguments import agent_defaults, train_defaults
from metalocus.experiments.runs.build import try_out
from metalocus.experiments.runs.config import RL, RunConfig
from metalocus.experiments.runs.other_runs import require_start
from metalocus.experiments.runs.replicas import ONLINE, try_out_replicas

DEVICES = ("cpu", "cuda")
MOST_BYTES = 2**32
"""Memory that one rollout may take: half of a machine of 8 GiB."""
NUMBERS_A_STEP = 64
"""Kept of a transition beside its observation, at least: features, action, reward, targets."""
LARGEST_SEED = 2**32 - 1
"""NumPy's global generator, which Stable-Baselines3 seeds, takes no larger one."""


def require_possible(config: RunConfig) -> None:
    """Raise :class:`InvalidTask`, in one line, unless a run can be made."""
    config.setting.episodes()
    TRAINABLES.find(config.agent)
    trained = train_defaults(config.trainer)
    require_count("steps", config.steps, 0)
    require_count("seed", config.seed, 0, LARGEST_SEED)
    require_count("n_envs", config.n_envs, 1, MOST_ROWS)
    config.setting.family.check_size(config.n_envs)
    if config.agent_kwargs or config.train_kwargs or config.trainer != RL:
        _require_arguments(config, trained)
        try_out_replicas(config) if config.trainer == ONLINE else try_out(config)
    _require_small_rollout(config)
    if config.device not in DEVICES:
        raise InvalidTask(f"device must be one of {', '.join(DEVICES)}, got {config.device!r}")


def _require_arguments(config: RunConfig, trained: dict[str, Any]) -> None:
    """Raise :class:`InvalidTask` unless agent and trainer have such arguments."""
    agent = TRAINABLES.find(config.agent)
    own = agent_defaults(agent, config.setting.layout)
    by = "" if config.trainer == RL else f" by {config.trainer}"
    require_known(f"argument of {config.agent}", config.agent_kwargs, own)
    require_known(f"argument of training{by}", config.train_kwargs, trained)
    require_start(config.train_kwargs)
    require_alike(config.agent_kwargs, own)
    require_sizes(config.agent_kwargs, own | defaults_of(agent.cell))


def _require_small_rollout(config: RunConfig) -> None:
    """Raise :class:`InvalidTask` if one rollout cannot be held in memory."""
    needed = config.rollout * (config.setting.layout.size + NUMBERS_A_STEP) * 4
    refusal = (
        f"one rollout of {config.n_envs} environments would take {needed / 2**30:,.1f} GiB of"
        f" memory, more than {MOST_BYTES // 2**30} GiB; lower n_envs or the horizon"
    )
    require(needed <= MOST_BYTES, refusal)
