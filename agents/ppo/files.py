"""Files that are written whole or not at all, and tensors that are read without unpickling."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

Tensors = dict[str, Tensor]
LARGEST_RECORD = 2**26
"""Bytes; no record of ours comes near."""
_DIGEST = "sha256_of_this_record"


class Corrupt(ValueError):
    """A file that is not what it should be; the message says which and what to do."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file whole or not at all, even if the machine stops half-way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_tensors(path: Path, tensors: Tensors, header: Mapping[str, Any]) -> str:
    """Write tensors and a JSON-able header; returns the SHA-256 of both."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    digest = content_digest(tensors, header)
    text = json.dumps({**header, "sha256": digest})
    write_atomically(path, save(tensors, metadata={"metalocus": text}))
    return digest


def read_tensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and header of a file.

    Raises:
        Corrupt: not such a file, or its contents do not match their SHA-256.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header: dict[str, Any] = json.loads(metadata["metalocus"])
        recorded = header["sha256"]
    except (SafetensorError, OSError, KeyError, ValueError, TypeError):
        raise Corrupt(
            f"{path} is not a metalocus weights file; delete it and train again"
        ) from None
    rest = {name: value for name, value in header.items() if name != "sha256"}
    if recorded != content_digest(tensors, rest):
        raise Corrupt(f"{path} is corrupt (SHA-256 differs); delete it and train again")
    return tensors, header


def content_digest(tensors: Tensors, header: Mapping[str, Any]) -> str:
    """SHA-256 over a header, and the names, types, shapes and bytes of tensors."""
    hasher = hashlib.sha256()
    for name, value in sorted(header.items()):
        hasher.update(f"{name}{json.dumps(value, sort_keys=True)}".encode())
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        hasher.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON object with a SHA-256 of itself, whole or not at all."""
    text = json.dumps({**record, _DIGEST: record_digest(record)}, indent=1)
    write_atomically(path, text.encode())


def read_record(path: Path, advice: str) -> dict[str, Any]:
    """The object that :func:`write_record` wrote, without its SHA-256.

    Args:
        advice: how to mend it, for the message: "train again".

    Raises:
        Corrupt: it is missing, damaged, or was edited.
    """
    record = None
    with suppress(OSError, ValueError, RecursionError):
        if path.is_file() and path.stat().st_size <= LARGEST_RECORD:  # a pipe would never end
            record = json.loads(path.read_bytes())
    if not isinstance(record, dict) or record.pop(_DIGEST, None) != record_digest(record):
        raise Corrupt(f"{path} is missing or damaged; {advice}")
    return record


def record_digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
