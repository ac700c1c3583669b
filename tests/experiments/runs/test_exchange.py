"""Runs as SB3 zips and back: the same policy, and nothing in a foreign file is run."""

import dataclasses
import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.exchange import export_run, import_run
from metalocus.experiments.runs.folder import MANIFEST, NotARun, load_manifest, locked, read_results
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.scoring.evaluate import evaluate


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """The tiny run as a zip, not to be changed."""
    file = tmp_path_factory.mktemp("exported") / "run.zip"
    export_run(finished, file)
    return file


def rewritten(exported, file, **members):
    """A copy of the zip with other members; None leaves one out."""
    with zipfile.ZipFile(exported) as archive, zipfile.ZipFile(file, "w") as copy:
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
    assert read_results(imported) == []
    before, after = evaluate(finished, episodes=20), evaluate(imported, episodes=20)
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
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(WrongUse, match="exists; choose another --out"):
        import_run(exported, run.parent)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_run_in_the_making_is_not_imported_over(exported, tiny, tmp_path):
    from metalocus.experiments.runs.folder import Busy

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
        refused(file, tmp_path, "is not a zip written by `metalocus export`")
        assert not victim.exists()
    with zipfile.ZipFile(exported) as archive:
        assert "data" in archive.namelist(), "where SB3 keeps what it unpickles"
    harmless = rewritten(exported, tmp_path / "new.zip", data=b"no JSON at all")
    import_run(harmless, tmp_path / "out")


def test_foreign_files_are_refused(exported, tiny, tmp_path):
    foreign = tmp_path / "ppo.zip"
    PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=8, batch_size=8).save(foreign)
    ours = "is not a zip written by `metalocus export`"
    refused(foreign, tmp_path, ours)
    refused(tmp_path, tmp_path, ours)
    refused(tmp_path / "nothing.zip", tmp_path, "nothing.zip does not exist")
    for text in (b"", b"hello", exported.read_bytes()[:-30]):
        (tmp_path / "bad.zip").write_bytes(text)
        refused(tmp_path / "bad.zip", tmp_path, ours)
    for name in ("metalocus_json", "policy_pth"):
        refused(rewritten(exported, tmp_path / "bad.zip", **{name: None}), tmp_path, ours)
    for config in (b"{}", b"[]", b"\xff"):
        refused(rewritten(exported, tmp_path / "bad.zip", metalocus_json=config), tmp_path, ours)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agent": "../../etc"}, "unknown agent"),
        ({"setting": Setting("../../etc")}, "unknown environment"),
        ({"seed": "/"}, "seed must be"),
        ({"setting": Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=5)}, "its weights do not fit its config"),
        ({"agent": "mlp"}, "its weights do not fit its config"),
    ],
)
def test_a_config_that_is_not_that_of_the_weights_is_refused(
    exported, tiny, tmp_path, change, reason
):
    config = dataclasses.replace(tiny, **change).to_json().encode()
    refused(rewritten(exported, tmp_path / "bad.zip", metalocus_json=config), tmp_path, reason)


@pytest.mark.parametrize("weights", [[1, 2], {}, {"cell": 3}, 5, torch.zeros(3)])
def test_weights_of_another_kind_are_refused(exported, tmp_path, weights):
    file = rewritten(exported, tmp_path / "bad.zip", policy_pth=saved(weights))
    refused(file, tmp_path, "its weights do not fit its config")


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
