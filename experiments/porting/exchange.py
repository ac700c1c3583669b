"""Trained runs as SB3 zips, and back, without unpickling what comes in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metalocus.agents.ppo.files import Corrupt, content_digest, record_digest, write_atomically
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.envs import InvalidTask
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import CONFIG, WRITTEN
from metalocus.experiments.folders.lease import locked
from metalocus.experiments.folders.results import write_results
from metalocus.experiments.runs.build import build_model, build_policy, fill
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_policy
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.runs.records import IDENTITY, load_manifest, write_finished
from metalocus.experiments.runs.subject import EXPORTED

_WEIGHTS = "policy.pth"
_DIGEST = "sha256_of_this_record"
_MARGIN = 2**20
"""Bytes that names and descriptions of tensors may take beside their numbers."""


def export_run(folder: Path, file: Path) -> None:
    """Write a finished run as a zip for ``SequencePPO.load``.

    What it is and what its training took travel inside, the measurements made during training do
    not: it works where those are damaged.

    Raises:
        WrongUse: the file exists.
        NotARun, Corrupt: see :func:`metalocus.experiments.runs.load.load_policy`.
    """
    if file.exists():
        raise WrongUse(f"{file} exists; choose another name")
    agent, config = load_policy(folder, results=False)
    manifest = load_manifest(folder, results=False)
    model = build_model(config)
    weights = agent.policy.state_dict()
    model.policy.load_state_dict(weights)
    buffer = io.BytesIO()
    model.save(buffer)
    own = (*IDENTITY, "sha256", "files", "parameters")
    record = {
        **{name: manifest[name] for name in IDENTITY},
        "config": json.loads(config.to_json()),
        "account": {name: value for name, value in manifest.items() if name not in own},
        "weights": content_digest(dict(weights), {}),
    }
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(EXPORTED, json.dumps({**record, _DIGEST: record_digest(record)}))
    write_atomically(file, buffer.getvalue())


def import_run(file: Path, out: Path) -> Path:
    """Make a run directory of an exported zip; returns it.

    Args:
        file: written by :func:`export_run`.
        out: folder of runs.

    Raises:
        Corrupt: not a zip that :func:`export_run` wrote, or it was edited.
        WrongUse: the run exists under ``out``, finished or not.
    """
    record, config, policy = _read(file)
    return write_imported(out, config, policy, {**record["account"], "imported": file.name}, record)


def write_imported(
    out: Path,
    config: RunConfig,
    policy: SequencePolicy,
    account: Mapping[str, Any],
    made_by: Mapping[str, Any],
) -> Path:
    """Write a finished run without measurements; returns its folder.

    Args:
        out: folder of runs.
        config: of the run.
        policy: as trained.
        account: what training took, ready for JSON.
        made_by: the name, source and versions of the run.

    Raises:
        WrongUse: the run exists under ``out``, finished or not.
    """
    folder = out / str(made_by["run"])
    with locked(folder):
        paths = [folder / name for name in WRITTEN]
        if any(path.exists() for path in paths):
            raise WrongUse(f"{folder} exists; choose another --out")
        try:
            write_atomically(folder / CONFIG, config.to_json().encode())
            write_results(folder, made_by["run"], [])
            write_finished(folder, config, policy, account, made_by)
        except BaseException:  # such as a full disk: leave no half of a run
            for path in paths:
                path.unlink(missing_ok=True)
            raise
    return folder


def _read(file: Path) -> tuple[dict[str, Any], RunConfig, SequencePolicy]:
    """What a zip says of itself, its config, and the trained policy."""
    if not file.exists():
        raise WrongUse(f"{file} does not exist")
    try:
        with zipfile.ZipFile(io.BytesIO(file.read_bytes()) if file.is_file() else "") as archive:
            record = _read_record(archive)
            config = RunConfig.from_json(json.dumps(record["config"]))
            require_possible(config)
            named = config.name_under(record["source"]) == record["run"]
            policy = build_policy(config)
            own = sum(value.nbytes for value in policy.state_dict().values())
            weights = _read_weights(archive, own + _MARGIN)
    except InvalidTask:
        raise
    except Exception:  # a zip from elsewhere can fail in any way; none of them is ours
        raise Corrupt(f"{file} is not a zip written by `metalocus export`, or damaged") from None
    try:
        fill(policy, weights)
    except ValueError as error:
        raise Corrupt(f"{file}: its weights do not fit its config ({error})") from None
    if not named or content_digest(weights, {}) != record["weights"]:
        raise Corrupt(f"{file}: its weights are not those of the run that it names; export anew")
    return record, config, policy


def _read_record(archive: zipfile.ZipFile) -> dict[str, Any]:
    """What a zip says of itself; ValueError if it was edited."""
    record = json.loads(_read_member(archive, EXPORTED, _MARGIN))
    if record.pop(_DIGEST) != record_digest(record):
        raise ValueError("the record was edited")
    return {name: record[name] for name in (*IDENTITY, "config", "account", "weights")}


def _read_weights(archive: zipfile.ZipFile, most: int) -> dict[str, Tensor]:
    """The weights in a zip, of at most so many bytes; nothing but tensors is unpickled."""
    stored = io.BytesIO(_read_member(archive, _WEIGHTS, most))
    with zipfile.ZipFile(stored) as inner:  # its members may be compressed too
        if sum(member.file_size for member in inner.infolist()) > most:
            raise ValueError("the weights are too large")
    stored.seek(0)
    weights: dict[str, Tensor] = torch.load(stored, map_location="cpu", weights_only=True)
    return weights


def _read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member of a zip; ValueError if it unpacks to more bytes than ``most``."""
    if archive.getinfo(name).file_size > most:
        raise ValueError(f"{name} is too large")
    return archive.read(name)
