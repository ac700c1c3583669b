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
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

Tensors = dict[str, Tensor]
LARGEST_RECORD = 2**26
"""Bytes; no record of ours comes near."""
LARGEST_FILE = 2**34
"""Bytes; the weights and checkpoints of the largest of our agents take a hundredth."""
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
    if os.name == "nt":  # Windows opens no folders; its journal keeps the new name
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_tensors(path: Path, tensors: Tensors, header: Mapping[str, Any]) -> str:
    """Write tensors and a JSON-able header; returns the SHA-256 of both."""
    tensors = _apart(tensors)
    digest = content_digest(tensors, header)
    text = json.dumps({**header, "sha256": digest})
    write_atomically(path, save(tensors, metadata={"metalocus": text}))
    return digest


def _apart(tensors: Tensors) -> Tensors:
    """On the CPU, none sharing memory with another, as safetensors wants them."""
    apart: Tensors = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        found = tensor.detach().cpu().contiguous()
        place = found.untyped_storage().data_ptr()
        apart[name] = found.clone() if place in taken else found
        taken.add(place)
    return apart


def read_tensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and header of a file.

    Args:
        path: of a file that :func:`write_tensors` wrote.

    Returns:
        Tensors by name, and the header with its ``sha256``.

    Raises:
        Corrupt: not such a file, its contents do not match their SHA-256, or a number is not
            finite.
    """
    require_file(path, "delete it and train again")
    try:
        data = path.read_bytes()  # safe_open takes no path that is not UTF-8
        tensors = load(data)
        described = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        header: dict[str, Any] = json.loads(described["__metadata__"]["metalocus"])
        recorded = header["sha256"]
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError):
        raise Corrupt(
            f"{path} is not a metalocus weights file; delete it and train again"
        ) from None
    rest = {name: value for name, value in header.items() if name != "sha256"}
    if recorded != content_digest(tensors, rest):
        raise Corrupt(f"{path} is corrupt (SHA-256 differs); delete it and train again")
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise Corrupt(f"{path} holds {name} that is not finite; delete it and train again")
    return tensors, header


def require_file(path: Path, advice: str, most: int = LARGEST_FILE) -> None:
    """Raise :class:`Corrupt` unless there is a plain file of at most so many bytes.

    A pipe would never end, and a huge file would fill the memory.

    Args:
        path: of the file.
        advice: what to do, for the message.
        most: bytes.
    """
    if not path.is_file():
        raise Corrupt(f"{path} is not a file; {advice}")
    if path.stat().st_size > most:
        raise Corrupt(f"{path} is larger than any that metalocus writes; {advice}")


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
        path: of the record.
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
