"""What a finished run records of itself, and whether all of it is there and whole."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from metalocus.agents.ppo.files import (
    Corrupt,
    Tensors,
    read_record,
    write_record,
    write_tensors,
)
from metalocus.agents.ppo.policy import SequencePolicy, n_parameters
from metalocus.envs import InvalidTask
from metalocus.experiments.folders.folder import (
    BEFORE,
    CHECKPOINT,
    CONFIG,
    MANIFEST,
    META,
    RESULTS,
    WEIGHTS,
    NotARun,
    read_whole,
    require_own_name,
)
from metalocus.experiments.runs.config import RunConfig

FILES = (CONFIG, WEIGHTS, META, RESULTS)
"""All that a finished run consists of, beside its manifest."""
IDENTITY = ("run", "source", "versions")
AGAIN = "put back a copy of it, or delete it and repeat the train command to train the run again"


def identity(config: RunConfig) -> dict[str, Any]:
    """What every record of a run that is made here and now names."""
    return {"run": config.name, "source": config.source, "versions": versions()}


def write_finished(
    folder: Path,
    config: RunConfig,
    policy: SequencePolicy,
    account: Mapping[str, Any],
    made_by: Mapping[str, Any],
) -> None:
    """Write a policy as trained, and all that :func:`write_tensors_finished` writes."""
    weights, count = dict(policy.state_dict()), n_parameters(policy)
    write_tensors_finished(folder, config, weights, count, account, made_by)


def write_tensors_finished(
    folder: Path,
    config: RunConfig,
    weights: Tensors,
    parameters: int,
    account: Mapping[str, Any],
    made_by: Mapping[str, Any],
) -> None:
    """Write the weights, what they are, and last of all the manifest.

    Args:
        folder: of the run, with its config and its results.
        config: of the run.
        weights: as trained, by name.
        parameters: how many of their numbers were trained.
        account: what training took, ready for JSON.
        made_by: the run's :func:`identity`, where it was trained.
    """
    made_by = {name: made_by[name] for name in IDENTITY}
    digest = write_tensors(folder / WEIGHTS, weights, made_by)
    parts = config.setting.layout.slices
    layout = {name: [where.start, where.stop] for name, where in parts.items()}
    write_record(folder / META, {**made_by, "sha256": digest, "layout": layout})
    files = {name: hashlib.sha256(read_whole(folder / name)).hexdigest() for name in FILES}
    counted = {"parameters": parameters, "sha256": digest, "files": files}
    write_record(folder / MANIFEST, {**account, **made_by, **counted})
    for name in (CHECKPOINT, BEFORE):
        (folder / name).unlink(missing_ok=True)


def read_config(folder: Path) -> RunConfig:
    """The settings of the run in a folder.

    Raises:
        NotARun: there is none, its config is damaged, or it takes code from outside the package
            that is not loaded.
    """
    try:
        return RunConfig.from_json(read_whole(folder / CONFIG))
    except InvalidTask as error:
        raise NotARun(f"{folder}: {error}") from None
    except (OSError, ValueError):
        raise NotARun(f"{folder} is not a run directory (no readable {CONFIG})") from None


def is_done(folder: Path) -> bool:
    """Whether a finished run is in a folder, with all of its files.

    Raises:
        Corrupt: one of its files is damaged or that of another run.
    """
    if not all(os.path.exists(folder / name) for name in (MANIFEST, *FILES)):
        return False  # unlike Path.exists, this has an answer for names that cannot be
    load_manifest(folder)
    return True


def load_manifest(folder: Path, results: bool = True) -> dict[str, Any]:
    """What was recorded when the run finished; all of its files are there and whole.

    Args:
        folder: of the run.
        results: whether the measurements made during training must be whole too.

    Raises:
        NotARun: there is no run, or it has not finished.
        Corrupt: a file is missing or damaged, or of another run.
    """
    if not (os.path.exists(folder / CONFIG) and os.path.exists(folder / MANIFEST)):
        read_config(folder)
        raise NotARun(f"{folder} is an unfinished run; repeat its train command to continue it")
    manifest = read_record(folder / MANIFEST, AGAIN)
    if not {*IDENTITY, "sha256", "files"} <= manifest.keys():
        raise Corrupt(f"{folder / MANIFEST} is of another version of metalocus; {AGAIN}")
    for name in FILES:
        if results or name != RESULTS:
            _require_whole(folder / name, manifest["files"][name])
    if read_config(folder).name_under(manifest["source"]) != manifest["run"]:
        raise Corrupt(f"{folder / CONFIG} is of another run than {MANIFEST}; {AGAIN}")
    require_own_name(folder, manifest["run"])
    return manifest


def _require_whole(path: Path, sha256: str) -> None:
    """Raise :class:`Corrupt` unless a file has the SHA-256 that the manifest records."""
    if not path.exists():
        raise Corrupt(f"{path} is missing; {AGAIN.replace('delete it and ', '')}")
    try:
        whole = hashlib.sha256(read_whole(path)).hexdigest() == sha256
    except OSError:
        whole = False
    if not whole:
        saved = "; `metalocus export` saves the weights, which are whole"
        more = saved if path.name == RESULTS else ""
        raise Corrupt(f"{path} is damaged or of another run than {MANIFEST}; {AGAIN}{more}")


@cache
def machine() -> dict[str, str]:
    """Where a run was made: the machine's name, its processor and the instructions used."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
        name = found[1] if found else name
    capability = torch.backends.cpu.get_cpu_capability()
    return {"host": platform.node(), "processor": name, "instruction set": capability}


def versions() -> dict[str, str]:
    """Of Python and the libraries that decide a run's numbers."""
    packages = ("metalocus", "torch", "numpy", "gymnasium", "stable-baselines3")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
