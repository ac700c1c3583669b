"""Other runs that a run is made from, among its arguments of training: recorded by their content.

``start`` is the run whose weights training begins with, ``reference`` may be one that is imitated.
Such a run is given by its folder and kept as its name and the SHA-256 of its weights, which decide
the result, beside the folder, which does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.ppo.files import Corrupt, read_record
from metalocus.envs import InvalidTask
from metalocus.envs.checks import require, short_repr
from metalocus.experiments.folders.folder import MANIFEST
from metalocus.experiments.runs.arguments import REFERENCE, RUN_ARGUMENTS, START


def with_runs(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of training with every folder of a run as what is kept of the run.

    Raises:
        InvalidTask: a folder holds no finished run.
    """
    return {name: _kept(name, v) if name in RUN_ARGUMENTS else v for name, v in given.items()}


def deciding(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without what does not decide a result: where another run lies."""
    return {
        name: {"run": v["run"], "sha256": v["sha256"]} if is_run(v) else v
        for name, v in given.items()
    }


def shown(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for people: another run as its name."""
    return {name: v["run"] if is_run(v) else v for name, v in given.items()}


def is_run(value: Any) -> bool:
    """Whether a value is what is kept of another run."""
    return isinstance(value, Mapping) and value.keys() == {"folder", "run", "sha256"}


def require_start(given: Mapping[str, Any]) -> None:
    """Raise :class:`InvalidTask` if training is to begin with something else than a run."""
    start = given.get(START)
    require(start is None or is_run(start), f"{START}: {_no_run(short_repr(start))}")


def _kept(name: str, value: Any) -> Any:
    """What is kept of the run in a folder; a named policy, and what is no folder, stay."""
    named = {*REFERENCES, *ONLINE, *CONTROLS} if name == REFERENCE else set()
    if not isinstance(value, str) or value in named or not os.path.exists(value):
        return value
    try:
        manifest = read_record(Path(value) / MANIFEST, "train it again")
        kept = {name: manifest[name] for name in ("run", "sha256")}
    except (Corrupt, KeyError):
        raise InvalidTask(f"{name}: {_no_run(value)}") from None
    return {"folder": os.path.abspath(value), **kept}


def _no_run(folder: str) -> str:
    return f"{folder} holds no finished run; `metalocus runs` lists those of a folder"
