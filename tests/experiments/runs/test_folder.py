"""Run directories: their names, who may write them, and what is said of damaged ones."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

from metalocus.agents.ppo.files import Corrupt, read_tensors, write_tensors
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import (
    CONFIG,
    LOCK,
    MANIFEST,
    META,
    RESULTS,
    WEIGHTS,
    Busy,
    Measurement,
    NotARun,
    is_done,
    load_manifest,
    locked,
    read_config,
    read_progress,
    read_results,
    write_progress,
    write_results,
)
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.training.train import train


def test_a_name_is_the_same_in_every_process():
    """A changed hash trains everything anew."""
    config = RunConfig(Setting("metalocus/BernoulliBandit-v0", n_arms=2), "lstm", 300, 7, 8)
    assert config.name_under("0123456789abcdef") == "lstm-bernoullibandit-v0-1c0dfdf6-s7"


def test_everything_but_the_seed_is_in_the_hash(tiny):
    others = {"agent": "mlp", "steps": 121, "n_envs": 5, "device": "cuda"}
    changed = [dataclasses.replace(tiny, **{key: value}) for key, value in others.items()]
    for env, horizon in (("Bernoulli", 6), ("Reversal", 5)):
        setting = Setting(f"metalocus/{env}Bandit-v0", n_arms=2, horizon=horizon)
        changed.append(dataclasses.replace(tiny, setting=setting))
    hashes = {config.name_under("source").split("-")[-2] for config in (tiny, *changed)}
    hashes.add(tiny.name_under("other source").split("-")[-2])
    assert len(hashes) == 2 + len(changed)
    sibling = dataclasses.replace(tiny, seed=2)
    assert sibling.name == tiny.name.removesuffix("s1") + "s2"


def test_the_order_of_arguments_does_not_matter(tiny):
    turned = dict(reversed(tiny.setting.kwargs.items()))
    assert dataclasses.replace(tiny, setting=Setting(tiny.setting.env, **turned)).name == tiny.name


def test_a_config_survives_its_file(tiny):
    setting = Setting(tiny.setting.env, observe=("action", "reward"), n_arms=3)
    config = dataclasses.replace(tiny, setting=setting)
    again = RunConfig.from_json(config.to_json())
    assert again.name == config.name
    again.check()
    assert RunConfig.from_json(tiny.to_json()) == tiny


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"setting": Setting("Nothing-v0")}, "unknown environment"),
        ({"agent": "nobody"}, "unknown agent 'nobody'; choose from .*lstm"),
        ({"agent": "thompson"}, "unknown agent"),
        ({"steps": -1}, "steps must be a whole number of at least 0, got -1"),
        ({"steps": 1.5}, "steps must be"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": 2**32}, "seed must be at most 4294967295"),
        ({"n_envs": 0}, "n_envs must be"),
        ({"device": "abacus"}, "device must be one of cpu, cuda, got 'abacus'"),
        ({"setting": Setting("metalocus/BernoulliBandit-v0", horizon=0)}, "horizon must be"),
        ({"setting": Setting("metalocus/BernoulliBandit-v0", arms=2)}, "no argument 'arms'"),
    ],
)
def test_impossible_configs_are_refused_and_nothing_is_written(tiny, tmp_path, change, reason):
    with pytest.raises(InvalidTask, match=reason):
        train(dataclasses.replace(tiny, **change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_holds_what_is_promised(finished, tiny):
    assert finished.name == tiny.name
    assert {CONFIG, MANIFEST, META, RESULTS, WEIGHTS} < {path.name for path in finished.iterdir()}
    assert not list(finished.glob("*checkpoint*"))
    assert read_config(finished) == tiny
    manifest, meta = load_manifest(finished), json.loads((finished / META).read_text())
    _, header = read_tensors(finished / WEIGHTS)
    assert manifest["sha256"] == meta["sha256"] == header["sha256"]
    assert manifest["steps"] == 120
    assert manifest["threads"] == 1
    assert meta["layout"] == {"action": [0, 2], "reward": [2, 3], "first": [3, 4]}
    assert meta["versions"]["torch"] == torch.__version__


def test_the_loaded_agent_has_the_stored_weights(finished, tiny):
    agent, config = load_agent(finished)
    tensors, _ = read_tensors(finished / WEIGHTS)
    loaded = agent.policy.state_dict()
    assert config == tiny
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert load_manifest(finished)["parameters"] == sum(len(t.flatten()) for t in tensors.values())


def test_a_finished_run_is_left_alone(run, tiny):
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert train(tiny, run.parent, lambda *_: pytest.fail("it trained again")) == run
    after = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert before.pop(LOCK) <= after.pop(LOCK)
    assert before == after


def test_a_folder_has_one_writer_at_a_time(tmp_path, tiny):
    with locked(tmp_path / tiny.name):
        with pytest.raises(Busy, match=r"another process is writing .+; wait for it or stop it"):
            train(tiny, tmp_path)
        assert [path.name for path in (tmp_path / tiny.name).iterdir()] == [LOCK]
    with locked(tmp_path / tiny.name):
        pass


def test_a_killed_writer_gives_the_folder_back(tmp_path):
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX)"
    command = [sys.executable, "-c", hold + "; print(flush=True); time.sleep(60)"]
    (tmp_path / ".weights.safetensors.123.tmp").write_bytes(b"half written")
    with subprocess.Popen([*command, tmp_path / LOCK], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(Busy), locked(tmp_path):
            pass
        assert len(list(tmp_path.glob(".*.tmp"))) == 1, "it may be in use"
        other.send_signal(signal.SIGKILL)
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def one_line(run, *kinds):
    """Load a damaged run; it must be refused in one line that names the run."""
    with pytest.raises(kinds or Corrupt) as raised:
        load_agent(run)
    message = str(raised.value)
    assert len(message.splitlines()) == 1
    assert str(run) in message
    return message


def spoil(data):
    """Ways in which a file may be damaged."""
    half = len(data) // 2
    flipped = bytearray(data)
    flipped[half] ^= 0x10
    return [b"", data[:half], bytes(flipped), b"[1, 2]", b'"sha256"', b"{}", b"\xff\xfe\x00"]


@pytest.mark.parametrize("name", [MANIFEST, META, WEIGHTS])
def test_damaged_files_are_refused_in_one_line(run, name):
    good = (run / name).read_bytes()
    for bad in spoil(good):
        (run / name).write_bytes(bad)
        if json_with_digest(bad) == json_with_digest(good) is not None:
            continue  # the flip hit a number that is only told
        assert name in one_line(run)
        assert (run / name).read_bytes() == bad
    if name != MANIFEST:
        (run / name).unlink()
        one_line(run)


def json_with_digest(data):
    """The digest in a JSON object, None if there is none."""
    try:
        return json.loads(data)["sha256"]
    except (ValueError, TypeError, KeyError):
        return None


def test_an_unfinished_run_says_how_to_go_on(run):
    (run / MANIFEST).unlink()
    assert not is_done(run)
    assert "unfinished run; repeat its train command to continue it" in one_line(run, NotARun)


def test_a_folder_without_a_config_is_no_run(run, tmp_path):
    for bad in (b"", b"{", b"[]", b'{"env": "x"}', b'{"colour": "red"}', b"\xff"):
        (run / CONFIG).write_bytes(bad)
        assert "is not a run directory" in one_line(run, NotARun)
    with pytest.raises(NotARun, match="is not a run directory"):
        load_agent(tmp_path / "nowhere")
    with pytest.raises(NotARun, match="is not a run directory"):
        load_agent(run / CONFIG)


def test_any_flipped_bit_of_a_config_is_refused(run):
    """One that leaves it readable describes another run than the one trained."""
    data = (run / CONFIG).read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        (run / CONFIG).write_bytes(bytes(flipped))
        with pytest.raises((NotARun, Corrupt, InvalidTask)) as raised:
            load_agent(run)
        assert len(str(raised.value).splitlines()) == 1


def test_another_runs_weights_are_refused(run):
    tensors, _ = read_tensors(run / WEIGHTS)
    write_tensors(run / WEIGHTS, {name: value + 1 for name, value in tensors.items()}, {})
    assert "is not the file that meta.json records" in one_line(run)


def test_another_runs_weights_and_meta_are_refused(run):
    tensors, _ = read_tensors(run / WEIGHTS)
    moved = {name: value + 1 for name, value in tensors.items()}
    meta = json.loads((run / META).read_text())
    meta["sha256"] = write_tensors(run / WEIGHTS, moved, {})
    (run / META).write_text(json.dumps(meta))
    assert "is not the file that manifest.json records" in one_line(run)


def test_weights_of_another_shape_are_refused(run):
    tensors = {"cell.weight": torch.zeros(2)}
    digest = write_tensors(run / WEIGHTS, tensors, {})
    for name in (META, MANIFEST):
        record = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps({**record, "sha256": digest}))
    assert "does not fit config.json" in one_line(run)


def test_foreign_safetensors_are_refused(run):
    save_file({"weight": torch.zeros(3)}, run / WEIGHTS)
    assert "is not a metalocus weights file" in one_line(run)


ROWS = [Measurement(step, name, step + 0.1) for step in (0, 20, 40) for name in ("a/b", "c/d")]


def test_results_come_back_as_written(tmp_path):
    write_results(tmp_path, ROWS)
    assert read_results(tmp_path) == ROWS
    write_results(tmp_path, [])
    assert read_results(tmp_path) == []


def test_damaged_results_are_refused(tmp_path):
    """A flipped bit is found, or is of no consequence."""
    write_results(tmp_path, ROWS)
    data, refused = (tmp_path / RESULTS).read_bytes(), 0
    for place in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        (tmp_path / RESULTS).write_bytes(bytes(flipped))
        try:
            assert read_results(tmp_path) == ROWS, place
        except Corrupt:
            refused += 1
    assert refused > len(data) / 9
    for length in range(0, len(data), 64):
        (tmp_path / RESULTS).write_bytes(data[:length])
        with pytest.raises(Corrupt, match="is damaged; delete the run and train again"):
            read_results(tmp_path)


def test_results_that_are_missing_or_foreign_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(Corrupt):
        read_results(tmp_path)
    pq.write_table(pa.table({"step": [1], "metric": ["a"], "value": [0.5]}), tmp_path / RESULTS)
    with pytest.raises(Corrupt):
        read_results(tmp_path)


def test_progress_is_read_as_far_as_it_is_written(tmp_path):
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, 40, 120)
    assert read_progress(tmp_path) == 40
    (tmp_path / ".progress").write_text("")
    assert read_progress(tmp_path) is None


def test_a_copied_run_is_the_same_run(run, tmp_path):
    """A run may be moved and renamed."""
    copy = shutil.copytree(run, tmp_path / f"copy-{time.time_ns()}")
    assert load_agent(copy)[1] == load_agent(run)[1]
