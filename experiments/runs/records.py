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
PLACE = ("versions", "machine", "threads", "accelerator")
MACHINE = ("host", "processor", "instruction set")
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
    if not _is_manifest(manifest):
        raise Corrupt(
            f"{folder / MANIFEST} was edited or is of another version of metalocus; {AGAIN}"
        )
    for name in FILES:
        if results or name != RESULTS:
            _require_whole(folder / name, manifest["files"][name])
    if read_config(folder).name_under(manifest["source"]) != manifest["run"]:
        raise Corrupt(f"{folder / CONFIG} is of another run than {MANIFEST}; {AGAIN}")
    require_own_name(folder, manifest["run"])
    return manifest


def _is_manifest(found: Mapping[str, Any]) -> bool:
    """Whether a record has all that is read of a manifest, each of its type."""
    files, before = found.get("files"), found.get("continued_from", [])
    return (
        all(isinstance(found.get(name), str) for name in ("run", "source", "sha256"))
        and isinstance(found.get("steps"), int)
        and isinstance(files, dict)
        and all(isinstance(files.get(name), str) for name in FILES)
        and isinstance(before, list)
        and all(_is_place(each) for each in (found, *before))
    )


def _is_place(found: Any) -> bool:
    """Whether a record says what :func:`place` does; older runs do not name their machine."""
    if not isinstance(found, dict):
        return False
    packages, where = found.get("versions"), found.get("machine", dict.fromkeys(MACHINE, ""))
    return (
        isinstance(packages, dict)
        and isinstance(where, dict)
        and "metalocus" in packages
        and {*MACHINE} == where.keys()
        and all(isinstance(text, str) for text in (*packages.values(), *where.values()))
        and isinstance(found.get("threads"), int | None)
        and isinstance(found.get("accelerator"), str | None)
    )


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
    return dict(zip(MACHINE, (platform.node(), name, capability), strict=True))


def place(device: str) -> dict[str, Any]:
    """What a run is made with and where, beside its source: what may change its bits.

    Args:
        device: ``cpu`` or ``cuda``.

    Returns:
        ``versions``, ``machine``, ``threads`` of torch, and on CUDA the ``accelerator``'s name.
    """
    found = {"versions": versions(), "machine": machine(), "threads": torch.get_num_threads()}
    return found | ({"accelerator": torch.cuda.get_device_name()} if device == "cuda" else {})


def places_before(saved: Any, here: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The places other than here in which a run was made before.

    Args:
        saved: what its checkpoint says: a list of :func:`place`.
        here: this :func:`place`.

    Raises:
        Corrupt: it says something else.
    """
    if not isinstance(saved, list) or not all(_is_place(each) for each in saved):
        raise Corrupt("the checkpoint does not say where it was made; delete it and train again")
    return [each for i, each in enumerate(saved) if each != here and each not in saved[:i]]


def places_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where a run was made, and by which ``source``: places it was continued from, then its own.

    Returns:
        For each :func:`place` all that is known of it; ``machine`` is empty in older runs.
    """
    return [
        {"source": manifest["source"], "machine": {}}
        | {name: each[name] for name in PLACE if each.get(name) is not None}
        for each in (*manifest.get("continued_from", []), manifest)
    ]


def versions() -> dict[str, str]:
    """Of Python and the libraries that decide a run's numbers."""
    packages = ("metalocus", "torch", "numpy", "gymnasium", "stable-baselines3")
    return {"python": platform.python_version()} | {name: _version(name) for name in packages}


@cache
def _version(package: str) -> str:
    """Of an installed package, found among all that are installed once in a process."""
    return version(package)
