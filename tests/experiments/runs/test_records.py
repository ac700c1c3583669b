"""A finished run: what it holds, and that nothing of it that is damaged or swapped is used."""

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import warnings

import pytest
import torch
from safetensors.torch import save_file

from metalocus.agents.ppo.files import (
    Corrupt,
    read_record,
    read_tensors,
    record_digest,
    write_record,
    write_tensors,
)
from metalocus.envs import InvalidTask
from metalocus.experiments.folders.folder import (
    CONFIG,
    MANIFEST,
    META,
    RESULTS,
    WEIGHTS,
    NotARun,
)
from metalocus.experiments.folders.lease import LOCK
from metalocus.experiments.folders.results import read_results
from metalocus.experiments.porting.exchange import export_run, import_run
from metalocus.experiments.runs import config as configs
from metalocus.experiments.runs.listing import list_runs
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.records import FILES, is_done, load_manifest, read_config, versions
from metalocus.experiments.training.train import train

ALL = (*FILES, MANIFEST)


@pytest.fixture(scope="module")
def truth(finished, tiny):
    """What the run says when nothing is wrong with it."""
    return everything(finished, tiny)


def everything(run, tiny):
    """All numbers that are read from a finished run."""
    agent, config = load_agent(run)
    assert config == tiny
    weights = {name: value.tolist() for name, value in agent.policy.state_dict().items()}
    return weights, read_results(run, config.name), load_manifest(run)


def refused(run, tiny, truth):
    """Whether a damaged run is refused in one line that names it; else it must be unharmed."""
    said = None
    try:
        found = everything(run, tiny)
    except (Corrupt, NotARun, InvalidTask) as error:
        said = str(error)
    if said is None:
        assert found == truth
        return False
    assert len(said.splitlines()) == 1
    assert str(run) in said
    return True


def test_a_run_holds_what_is_promised(finished, tiny):
    assert finished.name == tiny.name
    assert {*ALL} < {path.name for path in finished.iterdir()}
    assert not list(finished.glob("*checkpoint*"))
    assert read_config(finished) == tiny
    manifest, meta = load_manifest(finished), read_record(finished / META, "")
    _, header = read_tensors(finished / WEIGHTS)
    for record in (manifest, meta, header):
        assert record["run"] == tiny.name
        assert record["source"] == tiny.source
        assert record["versions"] == versions()
        assert record["sha256"] == manifest["sha256"]
    assert manifest["steps"] == 120
    assert manifest["threads"] == 1
    assert meta["layout"] == {"action": [0, 2], "reward": [2, 3], "first": [3, 4]}
    assert meta["versions"]["torch"] == torch.__version__


def test_versions_name_what_decides_the_numbers():
    assert {"python", "torch", "numpy", "stable-baselines3"} <= versions().keys()


def test_the_loaded_agent_has_the_stored_weights(finished, tiny):
    agent, config = load_agent(finished)
    tensors, _ = read_tensors(finished / WEIGHTS)
    loaded = agent.policy.state_dict()
    assert config == tiny
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert load_manifest(finished)["parameters"] == sum(len(t.flatten()) for t in tensors.values())


def test_a_finished_run_is_left_alone(run, tiny):
    (run / f"{LOCK}.1").chmod(0o444)
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert train(tiny, run.parent, lambda *_: pytest.fail("it trained again")) == run
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before
    (run / f"{LOCK}.1").unlink()
    (run / f"{LOCK}.1").symlink_to(run / WEIGHTS)
    assert train(tiny, run.parent, lambda *_: pytest.fail("it trained again")) == run
    assert is_done(run)


def test_every_damaged_bit_and_every_cut_is_refused_or_harmless(run, tiny, truth):
    """The files that TensorBoard reads are harmless; every bit of the others counts."""
    refusals = 0
    for path in sorted(run.iterdir()):
        data = path.read_bytes()
        places = 24 if path.name in ALL else 2
        step = max(len(data) // places, 1)
        for place in range(0, len(data), step):
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 8
            for bad in (bytes(flipped), data[:place]):
                path.write_bytes(bad)
                was = refused(run, tiny, truth)
                # of JSON, only what changes nothing of its content passes
                assert was or path.name not in (CONFIG, WEIGHTS, META, RESULTS), (path.name, place)
                refusals += was
        path.write_bytes(data)
    assert refusals > 0.9 * 2 * 24 * len(ALL)


def test_files_that_are_no_files_are_refused_and_never_waited_for(run, tiny, truth):
    kinds = {
        "empty": lambda path: path.write_bytes(b""),
        "pipe": os.mkfifo,
        "folder": os.mkdir,
        "dangling link": lambda path: path.symlink_to("nothing"),
        "endless": lambda path: path.symlink_to("/dev/zero"),
        "missing": lambda path: None,
        "list": lambda path: path.write_bytes(b"[1, 2]"),
        "text": lambda path: path.write_bytes(b'"run"'),
        "nothing in it": lambda path: path.write_bytes(b"{}"),
        "deep": lambda path: path.write_bytes(b"[" * 100_000),
        "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    }
    for name in ALL:
        (run / name).rename(run / "aside")
        for kind, make in kinds.items():
            make(run / name)
            assert refused(run, tiny, truth), (name, kind)
            if kind == "folder":
                (run / name).rmdir()
            else:
                (run / name).unlink(missing_ok=True)
        (run / "aside").rename(run / name)
    assert not refused(run, tiny, truth)


def leaves(record, path=()):
    """The path to every value in a JSON document."""
    items = record.items() if isinstance(record, dict) else enumerate(record)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        yield (*path, key)


def test_every_edited_value_of_a_record_is_refused(run, tiny, truth):
    edited = 0
    for name in (CONFIG, META, MANIFEST):
        text = (run / name).read_text()
        for *path, last in leaves(json.loads(text)):
            for value in (5, "x", None, [], {}, True, 1e300):
                record = json.loads(text)
                place = record
                for key in path:
                    place = place[key]
                if place[last] == value:
                    continue
                place[last] = value
                (run / name).write_text(json.dumps(record))
                assert refused(run, tiny, truth), (name, path, last, value)
                edited += 1
        (run / name).write_text(text)
    assert edited > 200


@pytest.fixture(scope="module")
def sibling(tiny, tmp_path_factory):
    """The run of another seed, not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metalocus.experiments.training.monitor.EPISODES", 32)
        config = dataclasses.replace(tiny, seed=2)
        return train(config, tmp_path_factory.mktemp("sibling"))


def test_no_mixture_of_two_runs_is_taken_for_either(run, finished, sibling, tiny, truth):
    """All of the other run, in a folder of this one's name, is a mixture too."""
    for n in range(1, len(ALL) + 1):
        for names in itertools.combinations(ALL, n):
            for name in names:
                shutil.copy(sibling / name, run / name)
            with pytest.raises(Corrupt) as raised:
                load_agent(run)
            assert "another run" in str(raised.value) or sibling.name in str(raised.value)
            with pytest.raises(Corrupt):
                is_done(run)
            with pytest.raises(Corrupt):
                train(tiny, run.parent)
            for name in names:
                shutil.copy(finished / name, run / name)
    assert not refused(run, tiny, truth)


def test_two_runs_that_are_swapped_are_refused(run, sibling, tmp_path):
    other = run.parent / sibling.name
    run.rename(tmp_path / "aside")
    shutil.copytree(sibling, run)
    (tmp_path / "aside").rename(other)
    for folder, held in ((run, sibling.name), (other, run.name)):
        with pytest.raises(Corrupt, match=f"holds the run {held}; rename it to that"):
            load_agent(folder)


def test_a_run_may_be_moved_and_renamed(run, tiny, truth, tmp_path):
    for name in ("best", "lstm"):
        copy = shutil.copytree(run, tmp_path / "elsewhere" / name)
        assert not refused(copy, tiny, truth)


def test_records_that_fit_together_but_not_the_network_are_refused(run, tiny, truth):
    """Someone has made all digests anew."""
    tensors, header = read_tensors(run / WEIGHTS)
    first = next(name for name, value in tensors.items() if value.ndim == 2)
    changes = {
        "shape": lambda value: value.flatten(),
        "type": lambda value: value.double(),
        "complex": lambda value: value.to(torch.complex64),
        "nan": lambda value: torch.full_like(value, torch.nan),
        "infinite": lambda value: torch.full_like(value, torch.inf),
    }
    for kind, change in changes.items():
        forge(run, {**tensors, first: change(tensors[first])}, header)
        with pytest.raises(Corrupt, match=r"does not fit its config|is not finite"):
            load_agent(run)
        assert refused(run, tiny, truth), kind
    forge(run, {name: value for name, value in tensors.items() if name != first}, header)
    with pytest.raises(Corrupt, match="does not fit its config"):
        load_agent(run)
    save_file({"weight": torch.zeros(3)}, run / WEIGHTS)
    assert refused(run, tiny, truth)


def forge(run, tensors, header):
    """Other weights, with records that agree."""
    rest = {name: value for name, value in header.items() if name != "sha256"}
    digest = write_tensors(run / WEIGHTS, tensors, rest)
    write_record(run / META, {**read_record(run / META, ""), "sha256": digest})
    files = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in FILES}
    manifest = read_record(run / MANIFEST, "")
    write_record(run / MANIFEST, {**manifest, "sha256": digest, "files": files})


def test_records_of_another_version_are_refused(run, tiny, truth):
    manifest = json.loads((run / MANIFEST).read_text())
    del manifest["sha256_of_this_record"]
    there = ("run", "source", "versions", "sha256", "files", "steps")
    changes = [{name: value} for name in there for value in (None, [], {}, 0.5)]
    changes += [{name: "x"} for name in ("versions", "files", "steps", "machine")]
    others = ("machine", "threads", "accelerator", "continued_from")
    changes += [{name: value} for name in others for value in ({"x": 1}, [5], 0.5, {"host": "n1"})]
    changes += [{"files": manifest["files"] | {WEIGHTS: None}}, {"versions": {"metalocus": 1}}]
    changes += [{"machine": None}, {"continued_from": [{"machine": manifest["machine"]}]}]
    without = [{key: manifest[key] for key in manifest.keys() - {name}} for name in there]
    for record in [*without, *(manifest | change for change in changes)]:
        record = record | {"sha256_of_this_record": record_digest(record)}
        (run / MANIFEST).write_text(json.dumps(record))
        assert refused(run, tiny, truth), record
        (listed,) = list_runs(run)
        assert listed["state"].startswith("damaged: "), record


def test_an_unfinished_run_says_how_to_go_on(run):
    (run / MANIFEST).unlink()
    assert not is_done(run)
    with pytest.raises(NotARun, match="unfinished run; repeat its train command to continue it"):
        load_agent(run)


def test_a_folder_without_a_config_is_no_run(run, tmp_path):
    for bad in (b"", b"{", b"[]", b'{"env": "x"}', b'{"colour": "red"}', b"\xff", b"[" * 10**5):
        (run / CONFIG).write_bytes(bad)
        with pytest.raises(Corrupt, match=r"config.json is damaged or of another run"):
            load_agent(run)
    (run / MANIFEST).unlink()
    with pytest.raises(NotARun, match="is not a run directory"):
        load_agent(run)
    for nothing in (tmp_path / "nowhere", run / CONFIG):
        with pytest.raises(NotARun, match="is not a run directory"):
            load_agent(nothing)


def test_the_advice_for_each_damaged_file_leads_to_the_same_run_again(run, tiny, truth, brief):
    """Delete it, train again: a finished run that lacks a file is not taken for one."""
    for name in ALL:
        (run / name).write_bytes(b"damaged")
        advice = "delete it and repeat the train command to train the run again"
        with pytest.raises(Corrupt, match=advice) as raised:
            train(tiny, run.parent)
        assert name in str(raised.value)
        assert (run / name).read_bytes() == b"damaged"
        (run / name).unlink()
        assert not is_done(run)
        assert train(tiny, run.parent) == run
        weights, results, manifest = everything(run, tiny)
        assert (weights, results, manifest["sha256"]) == (*truth[:2], truth[2]["sha256"])


def test_weights_are_saved_where_the_measurements_are_damaged(run, tiny, truth, tmp_path):
    (run / RESULTS).write_bytes(b"damaged")
    with pytest.raises(Corrupt, match="`metalocus export` saves the weights, which are whole"):
        load_agent(run)
    export_run(run, tmp_path / "saved.zip")
    saved = import_run(tmp_path / "saved.zip", tmp_path / "new")
    assert load_manifest(saved)["sha256"] == truth[2]["sha256"]


def test_a_run_of_other_source_is_read_with_a_warning(finished, tiny, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_agent(finished)
    monkeypatch.setattr(configs.RunConfig, "source", "another")
    assert tiny.name != finished.name
    with pytest.warns(UserWarning, match="was made by other code"):
        load_agent(finished)
