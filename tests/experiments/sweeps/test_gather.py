"""The dataset of a folder of runs: each row once, as its run is now, and with what made it."""

import dataclasses
import json
import shutil

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from metalocus.agents.ppo.files import record_digest
from metalocus.experiments.cli.sweep_tables import sweep_lines
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import MANIFEST, WEIGHTS
from metalocus.experiments.folders.places import part, part_of
from metalocus.experiments.folders.results import SCORE
from metalocus.experiments.runs.records import place, places_of
from metalocus.experiments.sweeps import gather as gathering
from metalocus.experiments.sweeps import main
from metalocus.experiments.sweeps.gather import gather, summary
from metalocus.experiments.sweeps.order import RunFailed
from metalocus.experiments.training import monitor
from metalocus.experiments.training.train import train


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """Three runs that differ in their seed, and one of four environments; not to be changed."""
    out = tmp_path_factory.mktemp("made")
    short = dataclasses.replace(tiny, steps=0, agent="mlp")
    configs = [dataclasses.replace(short, seed=seed) for seed in range(3)]
    configs.append(dataclasses.replace(short, n_envs=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "EPISODES", 32)
        return out, [train(config, out).name for config in configs]


@pytest.fixture
def out(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "runs")


@pytest.fixture
def names(made):
    return made[1]


def rows(out):
    """All rows of a dataset, as anybody reads it, without those that are there twice."""
    found = ds.dataset(out / "results", format="parquet").to_table().to_pylist()
    keys = [(row["run"], row["step"], row["metric"]) for row in found]
    assert len(keys) == len(set(keys)), "a row is there twice"
    return found


def gathered(out):
    return {row["run"] for row in rows(out)}


def edit(folder, **changes):
    """Change a run's manifest as if it had always said so."""
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    del manifest["sha256_of_this_record"]
    manifest["sha256_of_this_record"] = record_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_row_says_all_that_decides_it_and_nothing_new_is_nothing_to_write(out, names):
    assert gather(out, names) == (sorted(names), {})
    file = out / "results" / "all.parquet"
    stamp = file.stat().st_mtime_ns
    (out / "results" / "notes.txt").write_text("hi")
    assert gather(out, names[:2]) == (sorted(names[:2]), {})
    assert len(summary(out, names)) == 2
    (out / "results" / "notes.txt").unlink()
    assert file.stat().st_mtime_ns == stamp
    assert gathered(out) == set(names)
    for row in rows(out):
        assert json.loads(row["versions"])["torch"]
        assert json.loads(row["machine"])["processor"]
        assert len(row["source"]) == 16
        assert len(row["manifest"]) == 64
        assert json.loads(row["env_kwargs"]) == {"n_arms": 2, "horizon": 5}
        assert (row["device"], row["threads"], row["accelerator"]) == ("cpu", 1, None)
        assert row["continued_from"] == row["made_with"] == "[]"


def test_runs_that_differ_in_more_than_their_seed_are_not_averaged(out, names):
    gather(out, names)
    two, four = summary(out, names)
    assert (two["n_envs"], two["runs"], two["seeds"]) == (2, 1, [1])
    assert (four["n_envs"], four["runs"], four["seeds"]) == (4, 3, [0, 1, 2])
    assert two["title"] == four["title"]
    scores = [row["value"] for row in rows(out) if row["metric"] == SCORE and row["n_envs"] == 4]
    assert (four["low"], four["high"]) == (min(scores), max(scores))
    assert four["mean"] == pytest.approx(sum(scores) / 3)
    manifest = json.loads((out / names[0] / MANIFEST).read_text())
    assert four["made"] == places_of(manifest) == [{**place("cpu"), "source": manifest["source"]}]
    found = {"scores": [two, four], "left_out": {}, "runs": 4, "out": "o", "results": "o/results"}
    lines = sweep_lines(found)
    assert lines[1].endswith(" · n_envs 2")
    assert lines[2].endswith(" · n_envs 4")
    assert manifest["source"] in lines[-1]
    assert f"torch {manifest['versions']['torch']}" in lines[-1]
    assert "steps" not in lines[1], "a setting that all share"
    none = {**found, "scores": [], "left_out": {"a": "it is damaged"}, "runs": 0}
    assert sweep_lines(none) == ["left out: a: it is damaged", "no run in o is finished"]


def test_a_dataset_that_is_parted_lost_or_edited_comes_out_right(out, names, caplog):
    file = out / "results" / "all.parquet"
    gather(out, names)
    whole, table, truth = file.read_bytes(), pq.read_table(file), rows(out)
    edited = table.set_column(table.schema.names.index("value"), "value", [[99.0] * table.num_rows])
    old = table.select([name for name in table.schema.names if name != "manifest"])

    def put(data):
        pq.write_table(data, file)

    for damage in (
        lambda: file.write_bytes(whole[:-100]),
        lambda: put(edited),
        lambda: put(table.slice(1)),
        lambda: put(old),
    ):
        damage()
        caplog.clear()
        gather(out, names[:1])
        assert rows(out) == truth
        assert "made again from the runs" in caplog.text
    part(out)
    shutil.move(out / names[0], out / part_of(names[0]) / names[0])
    caplog.clear()
    gather(out, names[1:2])
    assert not file.exists()
    assert sorted(map(str, rows(out))) == sorted(map(str, truth))
    assert not caplog.text
    file.write_bytes(whole[:-100])
    (out / "results" / f"{part_of(names[2])}.parquet").unlink()
    gather(out, names[1:2])
    assert sorted(map(str, rows(out))) == sorted(map(str, truth))


def test_rows_follow_their_runs(out, names):
    gather(out, names)
    (out / names[0] / WEIGHTS).write_bytes(b"damaged")
    edit(out / names[1], machine={"host": "n1", "processor": "x", "instruction set": "AVX2"})
    (out / names[2] / MANIFEST).unlink()
    shutil.rmtree(out / names[3])
    found = gather(out, names[:2])
    assert found.runs == [names[1]]
    assert list(found.left_out) == [names[0]]
    assert "is damaged" in found.left_out[names[0]]
    assert gathered(out) == {names[1], names[3]}, "that of a folder that is gone stays"
    assert {json.loads(row["machine"])["host"] for row in rows(out) if row["run"] == names[1]} == {
        "n1"
    }
    assert "on n1 (x, AVX2)" in "\n".join(
        sweep_lines(
            {"scores": summary(out, names), "left_out": {}, "runs": 1, "out": "", "results": ""}
        )
    )


def test_what_failed_hides_nothing_of_the_others(out, names, monkeypatch, tmp_path, call):
    """As a command whose runs are damaged or missing."""
    file = tmp_path / "sweep.toml"
    file.write_text(
        '[[runs]]\nenv = "metalocus/BernoulliBandit-v0"\nagent = "mlp"\nsteps = 0\nn_envs = 4\n'
        'seeds = "0-3"\nenv_kwargs = {n_arms = 2, horizon = 5}\n'
    )
    (out / names[0] / WEIGHTS).write_bytes(b"damaged")

    def sweep(configs, out, limits, shard):
        assert {config.name for config in configs} > set(names[:3])
        raise RunFailed(f"{names[0]} failed: it is damaged (2 runs failed)", names[1:3])

    monkeypatch.setattr(main, "sweep", sweep)
    code, printed, said = call("sweep --json", file, "--out", out)
    found = json.loads(printed)
    assert code == 1
    assert f"metalocus: {names[0]} failed: it is damaged" in said
    assert (found["runs"], [row["seeds"] for row in found["scores"]]) == (2, [[1, 2]])
    assert list(found["left_out"]) == [names[0]]
    (failed,) = found["failed"]
    assert failed == f"{names[0].rpartition('-s')[0]}-s3"
    assert found["error"].startswith(f"{names[0]} failed")
    code, printed, said = call("sweep", file, "--out", out)
    assert code == 1
    assert f"left out: {names[0]}: " in printed
    assert "2 runs" in printed
    assert "is damaged" in said


def test_a_place_that_cannot_be_written_is_told_in_one_line(out, names, monkeypatch):
    (out / "results").write_text("")
    with pytest.raises(WrongUse, match=r"results \(it is a file\); all results are gathered there"):
        gather(out, names)
    (out / "results").unlink()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(gathering.Path, "mkdir", refuse)
        with pytest.raises(
            WrongUse, match=r"cannot write in .*results \(Permission denied\);.* make it writable"
        ):
            gather(out, names)
