"""The command that makes a run, or makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalocus.experiments.runs.config import RL, RunConfig
from metalocus.experiments.runs.other_runs import is_run


def train_command(config: RunConfig, out: Path) -> str:
    """The command line that makes a run under a folder; a finished one is left as it is."""
    words = ["metalocus", "train", "--env", config.setting.env, "--agent", config.agent]
    words += ["--steps", str(config.steps), "--seed", str(config.seed)]
    words += ["--n-envs", str(config.n_envs), "--device", config.device, "--out", str(out)]
    if config.trainer != RL:
        words += ["--trainer", config.trainer]
    given = {
        "--env-kwargs": config.setting.kwargs,
        "--agent-kwargs": config.agent_kwargs,
        "--train-kwargs": config.train_kwargs,
    }
    for option, kwargs in given.items():
        if kwargs:
            words += [option, *_pairs(kwargs)]
    return shlex.join(words)


def _pairs(kwargs: Mapping[str, Any]) -> list[str]:
    values = {name: value["folder"] if is_run(value) else value for name, value in kwargs.items()}
    return [f"{name}={value}" for name, value in values.items()]
