"""Trained runs as SB3 zips, and back, without unpickling what comes in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.envs import InvalidTask
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs import folder as runs
from metalocus.experiments.runs.build import build_model, build_policy
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import write_finished
from metalocus.experiments.runs.load import load_agent

_CONFIG, _WEIGHTS = "metalocus.json", "policy.pth"


def export_run(folder: Path, file: Path) -> None:
    """Write a finished run as a zip for ``SequencePPO.load``; our config travels inside.

    Raises:
        WrongUse: the file exists.
        NotARun, Corrupt: see :func:`metalocus.experiments.runs.load.load_agent`.
    """
    if file.exists():
        raise WrongUse(f"{file} exists; choose another name")
    agent, config = load_agent(folder)
    model = build_model(config)
    model.policy.load_state_dict(agent.policy.state_dict())
    buffer = io.BytesIO()
    model.save(buffer)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(_CONFIG, config.to_json())
    write_atomically(file, buffer.getvalue())


def import_run(file: Path, out: Path) -> Path:
    """Make a run directory of an exported zip; returns it.

    Raises:
        Corrupt: not a zip that :func:`export_run` wrote.
        WrongUse: the run exists under ``out``.
    """
    config, weights = _read(file)
    folder = out / config.name
    policy = build_policy(config)
    try:
        policy.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError):
        raise Corrupt(f"{file}: its weights do not fit its config") from None
    with runs.locked(folder):
        if runs.is_done(folder):
            raise WrongUse(f"{folder} exists; choose another --out")
        write_atomically(folder / runs.CONFIG, config.to_json().encode())
        runs.write_results(folder, [])
        write_finished(policy, config, folder, {"steps": config.steps, "imported": file.name})
    return folder


def _read(file: Path) -> tuple[RunConfig, dict[str, Any]]:
    try:
        with zipfile.ZipFile(file) as archive:
            config = RunConfig.from_json(archive.read(_CONFIG).decode())
            config.check()
            stored = io.BytesIO(archive.read(_WEIGHTS))
            weights = torch.load(stored, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WrongUse(f"{file} does not exist") from None
    except InvalidTask:
        raise
    except Exception:  # a zip from elsewhere can fail in any way; none of them is ours
        raise Corrupt(f"{file} is not a zip written by `metalocus export`") from None
    return config, weights
