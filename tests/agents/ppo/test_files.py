"""Files of tensors: whole or refused, and written whole or not at all."""

import json
import os
import resource
import signal
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch

from metalocus.agents.ppo import files
from metalocus.agents.ppo.files import (
    Corrupt,
    read_record,
    read_tensors,
    write_atomically,
    write_record,
    write_tensors,
)

TENSORS = {
    "float": torch.arange(3.0),
    "keys": torch.tensor([2**63 + 1, 5], dtype=torch.uint64),
    "flags": torch.tensor([[True], [False]]),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "number": torch.tensor(7),
    "nothing": torch.zeros(0, 3),
}
HEADER = {"counters": {"steps": 120, "mean": 0.1 + 0.2}}


@pytest.fixture
def stored(tmp_path):
    """A small file of tensors."""
    write_tensors(tmp_path / "file", TENSORS, HEADER)
    return tmp_path / "file"


def refused(path, data):
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="delete it and train again") as raised:
        read_tensors(path)
    assert len(str(raised.value).splitlines()) == 1
    assert str(path) in str(raised.value)
    assert path.read_bytes() == data


def test_tensors_and_header_come_back_as_they_were(stored):
    tensors, header = read_tensors(stored)
    assert tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        assert torch.equal(tensors[name], expected)
        assert tensors[name].dtype == expected.dtype
    assert header.pop("sha256") == files.content_digest(TENSORS, HEADER)
    assert header == HEADER


def test_a_file_cut_off_anywhere_is_refused(stored):
    data = stored.read_bytes()
    for length in range(len(data)):
        refused(stored, data[:length])


def test_any_flipped_bit_is_refused(stored):
    data = stored.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        refused(stored, bytes(flipped))


def test_foreign_and_missing_files_are_refused(stored):
    from safetensors.torch import save

    for data in (b"", b"PK\3\4 a zip", save(TENSORS), save(TENSORS, {"metalocus": "[1]"})):
        refused(stored, data)
    for text in ("{}", "1", "null", '{"sha256": 5}', "no json"):
        refused(stored, save(TENSORS, {"metalocus": text}))
    stored.unlink()
    with pytest.raises(Corrupt):
        read_tensors(stored)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    path, contents = tmp_path / "file", (b"a" * 300_000, b"b" * 200_000)
    write_atomically(path, contents[0])
    for delay in np.random.default_rng(0).uniform(0.005, 0.03, size=8):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if child == 0:
            while True:
                for content in contents:
                    write_atomically(path, content)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert path.read_bytes() in contents


def test_folders_are_made_on_the_way(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"


@pytest.mark.parametrize("read", [read_tensors, lambda path: read_record(path, "train again")])
def test_what_is_no_plain_file_or_huge_is_refused_at_once(tmp_path, read):
    pipe, folder, huge = tmp_path / "pipe", tmp_path / "folder", tmp_path / "huge"
    os.mkfifo(pipe)
    folder.mkdir()
    with huge.open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    began = time.monotonic()
    for path in (pipe, folder, huge, tmp_path / "nothing"):
        with pytest.raises(Corrupt, match="train again") as raised:
            read(path)
        assert len(str(raised.value).splitlines()) == 1
        assert str(path) in str(raised.value)
    assert time.monotonic() - began < 1


def test_tensors_that_are_not_finite_are_refused_and_named(tmp_path):
    for bad in (float("nan"), float("inf"), complex(0, float("nan"))):
        write_tensors(tmp_path / "file", TENSORS | {"spoiled": torch.tensor([1.0, bad])}, HEADER)
        with pytest.raises(Corrupt, match="holds spoiled that is not finite"):
            read_tensors(tmp_path / "file")


def test_tensors_that_share_memory_are_written(tmp_path):
    whole = torch.arange(6.0).view(2, 3)
    shared = {"whole": whole, "same": whole, "row": whole[1], "turned": whole.T, "n": whole.numel()}
    shared["n"] = torch.tensor(shared["n"])
    write_tensors(tmp_path / "file", shared, HEADER)
    found, _ = read_tensors(tmp_path / "file")
    assert all(torch.equal(found[name], value) for name, value in shared.items())


def test_records_come_back_and_any_flipped_bit_or_cut_is_refused(tmp_path):
    path, record = tmp_path / "record", {"a": [1, 2.5, None], "b": {"c": "x"}}
    write_record(path, record)
    assert read_record(path, "train again") == record
    data = path.read_bytes()
    changed = [data[:length] for length in range(len(data))]
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        changed.append(bytes(flipped))
    changed += [b"5", b"[1]", b"null", b"{}", b"[" * 100_000, b'{"a": 1}']
    for content in changed:
        path.write_bytes(content)
        if json_of(content) == json_of(data):
            assert read_record(path, "train again") == record, "white space alone differs"
            continue
        with pytest.raises(Corrupt) as raised:
            read_record(path, "train again")
        assert str(raised.value) == f"{path} is missing or damaged; train again"


def json_of(content):
    """What is written in JSON; None if it is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(content)
    return None
