"""Runs as SB3 zips and back: the same policy, and nothing in a foreign file is run."""

import io
import json
import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt, record_digest
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import (
    CHECKPOINT,
    CONFIG,
    MANIFEST,
    NotARun,
)
from metalocus.experiments.folders.lease import LOCK, Busy, locked
from metalocus.experiments.folders.results import read_results
from metalocus.experiments.porting import exchange
from metalocus.experiments.porting.exchange import export_run, import_run
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.runs.subject import find_subject
from metalocus.experiments.scoring.evaluate import evaluate

OURS = "is not a zip written by `metalocus export`"
DIGEST = "sha256_of_this_record"


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """The tiny run as a zip, not to be changed."""
    file = tmp_path_factory.mktemp("exported") / "run.zip"
    export_run(finished, file)
    return file


def rewritten(exported, file, packed=zipfile.ZIP_STORED, /, **members):
    """A copy of the zip with other members; None leaves one out."""
    with zipfile.ZipFile(exported) as archive, zipfile.ZipFile(file, "w", packed) as copy:
        for name in archive.namelist():
            data = members.get(name.replace(".", "_"), archive.read(name))
            if data is not None:
                copy.writestr(name, data)
    return file


def test_an_imported_run_is_the_run_that_was_exported(finished, exported, tiny, tmp_path):
    imported = import_run(exported, tmp_path)
    assert imported == tmp_path / tiny.name
    (ours, config), (theirs, other) = load_agent(finished), load_agent(imported)
    assert config == other == tiny
    mine, his = ours.policy.state_dict(), theirs.policy.state_dict()
    assert mine.keys() == his.keys()
    assert all(torch.equal(mine[name], his[name]) for name in mine)
    manifest = load_manifest(imported)
    assert manifest["sha256"] == load_manifest(finished)["sha256"]
    assert manifest["imported"] == "run.zip"
    assert read_results(imported, tiny.name) == []
    for name in ("run", "source", "versions", "steps", "cpu_seconds", "wall_seconds", "threads"):
        assert manifest[name] == load_manifest(finished)[name], "all that a report tells of a run"
    before, after = (evaluate(find_subject(run), episodes=20) for run in (finished, imported))
    assert before.pop("run") == str(finished)
    assert after.pop("run") == str(imported)
    assert after == before


def test_an_exported_run_is_loaded_in_python(finished, exported):
    agent, config = load_agent(finished)
    model = SequencePPO.load(exported, BatchVecEnv(config.setting.env, 2, **config.setting.kwargs))
    weights = agent.policy.state_dict()
    assert all(
        torch.equal(value, weights[name]) for name, value in model.policy.state_dict().items()
    )
    obs = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    state = mine = None
    for _ in range(4):
        action, state = model.predict(obs, state, deterministic=True)
        expected, mine = agent.policy.predict(obs, mine, deterministic=True)
        np.testing.assert_array_equal(action, expected)
    for one, other in zip(state, mine, strict=True):
        np.testing.assert_array_equal(one, other)


def test_exporting_never_overwrites(finished, tmp_path):
    file = tmp_path / "mine"
    file.write_text("precious")
    with pytest.raises(WrongUse, match="mine exists; choose another name"):
        export_run(finished, file)
    assert file.read_text() == "precious"


def test_only_a_finished_run_is_exported(run, tmp_path):
    (run / MANIFEST).unlink()
    for folder in (run, tmp_path / "nowhere"):
        with pytest.raises(NotARun):
            export_run(folder, tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def test_importing_never_overwrites(exported, run):
    def held():
        return {p.name: p.read_bytes() for p in run.iterdir() if not p.name.startswith(LOCK)}

    before = held()
    with pytest.raises(WrongUse, match="exists; choose another --out"):
        import_run(exported, run.parent)
    assert held() == before


def test_a_run_in_the_making_is_not_imported_over(exported, tiny, tmp_path):
    with locked(tmp_path / tiny.name), pytest.raises(Busy):
        import_run(exported, tmp_path)


class Malicious:
    """Runs code when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


def saved(found):
    buffer = io.BytesIO()
    torch.save(found, buffer)
    return buffer.getvalue()


def refused(file, tmp_path, reason):
    """The file is refused in one line and nothing is written."""
    with pytest.raises((Corrupt, InvalidTask, WrongUse), match=reason) as raised:
        import_run(file, tmp_path / "out")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_nothing_in_a_zip_is_unpickled(exported, tmp_path):
    victim = tmp_path / "victim"
    for bad in (pickle.dumps(Malicious(victim)), saved({"weight": Malicious(victim)})):
        file = rewritten(exported, tmp_path / "bad.zip", policy_pth=bad)
        refused(file, tmp_path, OURS)
        assert not victim.exists()
    with zipfile.ZipFile(exported) as archive:
        assert "data" in archive.namelist(), "where SB3 keeps what it unpickles"
    harmless = rewritten(exported, tmp_path / "new.zip", data=b"no JSON at all")
    import_run(harmless, tmp_path / "out")


def test_foreign_files_are_refused(exported, tmp_path):
    foreign = tmp_path / "ppo.zip"
    PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=8, batch_size=8).save(foreign)
    refused(foreign, tmp_path, OURS)
    refused(tmp_path, tmp_path, OURS)
    refused(tmp_path / "nothing.zip", tmp_path, "nothing.zip does not exist")
    for text in (b"", b"hello", exported.read_bytes()[:-30]):
        (tmp_path / "bad.zip").write_bytes(text)
        refused(tmp_path / "bad.zip", tmp_path, OURS)
    for name in ("metalocus_json", "policy_pth"):
        refused(rewritten(exported, tmp_path / "bad.zip", **{name: None}), tmp_path, OURS)
    for config in (b"{}", b"[]", b"\xff"):
        refused(rewritten(exported, tmp_path / "bad.zip", metalocus_json=config), tmp_path, OURS)


def record_of(exported):
    """What the zip says of itself."""
    with zipfile.ZipFile(exported) as archive:
        return json.loads(archive.read("metalocus.json"))


def signed(record):
    """A record with its digest made anew, as bytes."""
    rest = {name: value for name, value in record.items() if name != DIGEST}
    return json.dumps({**rest, DIGEST: record_digest(rest)}).encode()


def test_a_config_that_is_not_that_of_the_weights_is_refused(exported, tmp_path):
    """Edited as it is, and with the record's digest made anew."""
    cases = (
        ({"agent": "../../etc"}, "unknown agent"),
        ({"env": "../../etc"}, "unknown environment"),
        ({"seed": "/"}, "seed must be"),
        ({"env_kwargs": {"n_arms": 3, "horizon": 5}}, "its weights do not fit its config"),
        ({"agent": "mlp"}, "its weights do not fit its config"),
        ({"seed": 2}, "its weights are not those of the run that it names"),
        ({"steps": 240}, "its weights are not those of the run that it names"),
        ({"env_kwargs": {"n_arms": 2, "horizon": 6}}, "its weights are not those of the run"),
    )
    good, file = record_of(exported), tmp_path / "bad.zip"
    for change, reason in cases:
        bad = {**good, "config": {**good["config"], **change}}
        refused(rewritten(exported, file, metalocus_json=signed(bad)), tmp_path, reason)
        text = json.dumps(bad).encode()
        refused(rewritten(exported, file, metalocus_json=text), tmp_path, OURS)
    for name in good.keys() - {DIGEST}:
        lacking = {key: value for key, value in good.items() if key != name}
        refused(rewritten(exported, file, metalocus_json=signed(lacking)), tmp_path, OURS)


def test_weights_of_another_kind_are_refused(exported, tmp_path):
    """Whatever they are; what is not finite, complex or of another type too."""
    with zipfile.ZipFile(exported) as archive:
        own = torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)
    first = next(iter(own))
    changes = {
        "nan": lambda value: torch.full_like(value, torch.nan),
        "one nan": lambda value: value.index_fill(0, torch.tensor([0]), torch.nan),
        "infinite": lambda value: torch.full_like(value, -torch.inf),
        "complex": lambda value: value.to(torch.complex64),
        "double": lambda value: value.double(),
        "half": lambda value: value.half(),
        "whole": lambda value: value.long(),
        "flat": lambda value: value.flatten(),
        "sparse": lambda value: value.to_sparse(),
        "huge view": lambda value: torch.zeros(1).expand(10**12),
        "no tensor": lambda value: 3,
    }
    bad = [{**own, first: change(own[first])} for change in changes.values()]
    bad += [[1, 2], {}, {"cell": 3}, 5, torch.zeros(3), {**own, "more": torch.zeros(1)}]
    for weights in bad:
        file = rewritten(exported, tmp_path / "bad.zip", policy_pth=saved(weights))
        refused(file, tmp_path, "its weights do not fit its config")
    other = saved({name: value + 1 for name, value in own.items()})
    file = rewritten(exported, tmp_path / "bad.zip", policy_pth=other)
    refused(file, tmp_path, "its weights are not those of the run that it names")


def test_what_unpacks_to_too_much_is_not_unpacked(exported, tmp_path):
    """A small zip with a large member, and one inside of its weights."""
    zeros, inner = bytes(2**26), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", zeros)
    for member, data in (
        ("metalocus_json", zeros),
        ("policy_pth", zeros),
        ("policy_pth", inner.getvalue()),
    ):
        file = rewritten(exported, tmp_path / "bad.zip", zipfile.ZIP_DEFLATED, **{member: data})
        assert file.stat().st_size < 2**20
        tracemalloc.start()
        refused(file, tmp_path, OURS)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**24


def test_pipes_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", ".", "link"):
        refused(tmp_path / name, tmp_path, OURS)


def test_an_unfinished_run_is_not_imported_over(exported, tiny, brief, tmp_path):
    """Its checkpoint is hours of work."""
    folder = tmp_path / tiny.name
    folder.mkdir()
    for name in (CHECKPOINT, CONFIG):
        (folder / name).write_bytes(b"precious")
        with pytest.raises(WrongUse, match="exists; choose another --out"):
            import_run(exported, tmp_path)
        assert (folder / name).read_bytes() == b"precious"
        (folder / name).unlink()
    import_run(exported, tmp_path)


def test_an_import_that_fails_leaves_no_half_of_a_run(exported, tiny, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    for step in ("write_results", "write_finished"):
        with monkeypatch.context() as patch:
            patch.setattr(exchange, step, full)
            with pytest.raises(OSError, match="No space"):
                import_run(exported, tmp_path)
        assert [path.name for path in (tmp_path / tiny.name).iterdir()] in (
            [f"{LOCK}.1"],
            [f"{LOCK}.2"],
        )
    import_run(exported, tmp_path)


def test_a_damaged_zip_is_refused_or_whole(finished, exported, tmp_path):
    """Whatever the damage, no other weights come out."""
    data, file = exported.read_bytes(), tmp_path / "bad.zip"
    expected = load_manifest(finished)["sha256"]
    for i, place in enumerate(range(0, len(data), len(data) // 40)):
        flipped = bytearray(data)
        flipped[place] ^= 0x24
        file.write_bytes(bytes(flipped))
        try:
            folder = import_run(file, tmp_path / str(i))
        except (Corrupt, InvalidTask):
            assert not (tmp_path / str(i)).exists()
        else:
            assert load_manifest(folder)["sha256"] == expected
