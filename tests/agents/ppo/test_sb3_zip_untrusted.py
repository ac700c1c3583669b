"""Zips of others: nothing in them is run, and what does not fit is refused in one line."""

import base64
import hashlib
import io
import json
import os
import pickle
import tracemalloc
import zipfile

import pytest
import torch
from stable_baselines3 import PPO

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt

MEMBERS = ("data", "policy.pth", "policy.optimizer.pth")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


class Malicious:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.makedirs, (str(self.mark), 0o777, True))


def rewritten(file, copy, **members):
    """A copy of a zip in which some members are others, by one who knows the digest."""
    with zipfile.ZipFile(file) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    found |= {name: members[as_word(name)] for name in found if as_word(name) in members}
    found = {name: data for name, data in found.items() if data is not None}
    each = [hashlib.sha256(data_of(found, name)).hexdigest() for name in MEMBERS]
    found |= {"sha256": hashlib.sha256(" ".join(each).encode()).hexdigest()}
    with zipfile.ZipFile(copy, "w") as other:
        for name, data in found.items():
            other.writestr(name, data)
    return copy


def as_word(name):
    return name.replace(".", "_")


def data_of(found, name):
    data = found.get(name, b"")
    return data.encode() if isinstance(data, str) else data


def stored(thing):
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def attributes(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("data"))


def test_pickles_among_the_attributes_are_not_run(bandits, trained, file, tmp_path):
    mark = tmp_path / "mark"
    bad = base64.b64encode(pickle.dumps(Malicious(mark))).decode()
    data = attributes(file)
    pickled = {":type:": "harmless", ":serialized:": bad}
    read = {"_described", "num_timesteps", "_n_updates", "_total_timesteps"}
    read |= {"_num_timesteps_at_start", "_open_ended"}
    all_bad = {name: data[name] if name in read else pickled for name in data}
    copy = rewritten(file, tmp_path / "bad.zip", data=json.dumps(all_bad))
    model = SequencePPO.load(copy, bandits())
    assert same(dict(model.policy.state_dict()), dict(trained.policy.state_dict()))
    one_bad = json.dumps(data | {"start_time": pickled})
    copy = rewritten(file, tmp_path / "bad.zip", data=one_bad)
    SequencePPO.load(copy, bandits())
    assert not mark.exists()
    SequencePPO.load(copy, bandits(), trust_pickle=True)
    assert mark.exists(), "SB3 runs it, which is what trust_pickle says"


@pytest.mark.parametrize("member", ["policy_pth", "policy_optimizer_pth", "pytorch_variables_pth"])
@pytest.mark.parametrize("how", ["raw", "torch"])
def test_pickles_for_tensors_are_not_run(bandits, file, tmp_path, member, how):
    mark = tmp_path / "mark"
    bad = Malicious(mark)
    content = pickle.dumps(bad) if how == "raw" else stored({"weight": bad})
    copy = rewritten(file, tmp_path / "bad.zip", **{member: content})
    if member == "pytorch_variables_pth":  # there are none, so it is not even opened
        SequencePPO.load(copy, bandits())
    else:
        with pytest.raises(Corrupt, match=r"bad.zip is damaged, or was not written by"):
            SequencePPO.load(copy, bandits())
    assert not mark.exists()


def refused(env, file, reason):
    with pytest.raises(Corrupt, match=reason) as raised:
        SequencePPO.load(file, env)
    assert len(str(raised.value).splitlines()) == 1
    assert file.name in str(raised.value)


def test_other_files_are_refused_in_one_line(bandits, file, tmp_path):
    foreign, bad = tmp_path / "ppo.zip", tmp_path / "bad.zip"
    PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=8, batch_size=8).save(foreign)
    damaged = "is damaged, or was not written by SequencePPO.save"
    refused(bandits(), foreign, damaged)
    for content in (b"", b"hello", file.read_bytes()[:-30]):
        bad.write_bytes(content)
        refused(bandits(), bad, damaged)
    for member in ("data", "policy_pth", "policy_optimizer_pth"):
        refused(bandits(), rewritten(file, bad, **{member: None}), damaged)
    for data in ("[]", "5", "{}", "no JSON"):
        refused(bandits(), rewritten(file, bad, data=data), damaged)
    with pytest.raises(FileNotFoundError):
        SequencePPO.load(tmp_path / "nothing", bandits())


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"policy_kwargs": {"cell": "no such cell"}}},
        {"arguments": {"policy_kwargs": {"cell_kwargs": {"hidden_size": 9}}}},
        {"arguments": {"policy_kwargs": {"features_extractor_class": "os.system"}}},
        {"arguments": {"gamma": {"schedule": "exec", "val": 1}}},
        {"arguments": {"gamma": {"schedule": "LinearSchedule", "code": 1}}},
        {"arguments": {"gamma": {"schedule": "ConstantSchedule", "val": "text"}}},
        {"arguments": {"learning_rate": "text"}},
        {"arguments": 5},
        {"moments": {"count": None}},
    ],
    ids=str,
)
def test_descriptions_that_make_no_sense_are_refused(bandits, file, tmp_path, change):
    data = attributes(file)
    for part, value in change.items():
        if isinstance(value, dict):
            data["_described"][part].update(value)
        else:
            data["_described"][part] = value
    copy = rewritten(file, tmp_path / "bad.zip", data=json.dumps(data))
    refused(bandits(), copy, "does not fit the environment and arguments: .+")


def test_another_environment_or_other_weights_are_refused(bandits, file, tmp_path):
    unfit = "does not fit the environment and arguments: .+"
    refused(bandits(n_arms=3), file, unfit)
    for weights in ({}, [1, 2], {"cell": 3}, 5):
        for member in ("policy_pth", "policy_optimizer_pth"):
            copy = rewritten(file, tmp_path / "bad.zip", **{member: stored(weights)})
            refused(bandits(), copy, unfit)


def test_sizes_in_a_zip_are_refused_with_the_bytes_before_they_are_allocated(
    bandits, file, tmp_path
):
    data = attributes(file)
    data["_described"]["arguments"]["n_steps"] = 10**10
    copy = rewritten(file, tmp_path / "bad.zip", data=json.dumps(data))
    refused(bandits(), copy, r"n_steps=10000000000 in 4 environments takes [\d,]+ bytes, more than")


def compressed(file, copy, name, content):
    """A copy of a zip in which one member is another, deflated."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as other:
        for member in archive.namelist():
            if member != name:
                other.writestr(member, archive.read(member))
        other.writestr(name, content, zipfile.ZIP_DEFLATED, compresslevel=1)
    return copy


def test_bombs_are_refused_before_they_unpack(bandits, file, tmp_path):
    """Members that unpack to far more than the file holds, also those of the inner zips."""
    zeros = bytes(2**27)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", zeros)
    copies = [rewritten(file, tmp_path / "inner.zip", policy_pth=inner.getvalue())]
    names = (*MEMBERS, "sha256")
    copies += [compressed(file, tmp_path / f"{name}.zip", name, zeros) for name in names]
    for copy in copies:
        assert copy.stat().st_size < 2**21
        tracemalloc.start()
        refused(bandits(), copy, "is damaged, or was not written by SequencePPO.save")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 2**23


def test_edited_members_are_refused(bandits, file, tmp_path):
    """Those who edit by hand, in data or weights, without knowing the digest."""
    with zipfile.ZipFile(file) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(found["data"])
    data["_described"]["arguments"]["n_epochs"] = 7
    weights = torch.load(io.BytesIO(found["policy.pth"]), weights_only=True)
    weights["action_net.bias"] += 0.5
    for name, content in (("data", json.dumps(data)), ("policy.pth", stored(weights))):
        copy = tmp_path / "edited.zip"
        with zipfile.ZipFile(copy, "w") as other:
            for member, whole in found.items():
                other.writestr(member, content if member == name else whole)
        refused(bandits(), copy, "is damaged, or was not written by SequencePPO.save")


def test_what_is_no_file_is_refused_at_once(bandits, tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "folder.zip").mkdir()
    for name in ("pipe.zip", "folder.zip"):
        refused(bandits(), tmp_path / name, "is not a file; give a file")
