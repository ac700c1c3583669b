"""The runs in a folder: all of them, whatever state they are in."""

import dataclasses
import shutil

import pytest

from metalocus.envs import Setting
from metalocus.experiments.folders.folder import CONFIG, WEIGHTS, NotARun
from metalocus.experiments.folders.progress import Progress, write_progress
from metalocus.experiments.folders.results import (
    SCORE,
    Measurement,
    read_results,
    write_results,
)
from metalocus.experiments.runs.listing import list_runs
from metalocus.experiments.runs.records import place


def begun(config, out):
    """The folder of a run that has begun."""
    folder = out / config.name
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(config.to_json())
    return folder


def test_a_finished_run_is_listed_with_what_it_is_and_its_score(finished, tiny):
    (found,) = list_runs(finished.parent)
    scores = [row.value for row in read_results(finished, tiny.name) if row.metric == SCORE]
    assert found == {
        **{"title": tiny.title, "steps": 120, "total": 120, "score": scores[-1]},
        **{"state": "finished", "folder": str(finished), "config": tiny.to_dict()},
        "made": [{**place("cpu"), "source": tiny.source}],
    }
    (alone,) = list_runs(finished)
    assert alone == found


def test_runs_that_go_on_are_listed_with_how_far_they_are(tiny, tmp_path):
    config = dataclasses.replace(tiny, steps=1000)
    folder = begun(config, tmp_path)
    assert [(run["steps"], run["score"]) for run in list_runs(tmp_path)] == [(0, None)]
    write_results(folder, config.name, [Measurement(40, SCORE, 0.5)])
    assert [(run["steps"], run["score"]) for run in list_runs(tmp_path)] == [(40, 0.5)]
    write_progress(folder, Progress(60, 1000))
    (found,) = list_runs(tmp_path)
    assert (found["steps"], found["total"], found["state"]) == (60, 1000, "unfinished")


def test_damage_is_told_and_hides_no_other_run(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / "runs" / finished.name)
    (shutil.copytree(finished, tmp_path / "damaged") / WEIGHTS).write_bytes(b"")
    (begun(dataclasses.replace(tiny, seed=5), tmp_path) / CONFIG).write_text("{")
    elsewhere = begun(dataclasses.replace(tiny, seed=6), tmp_path)
    config = dataclasses.replace(tiny, setting=Setting("mine/Own-v0"))
    (elsewhere / CONFIG).write_text(config.to_json())
    found = {run["folder"]: run["state"] for run in list_runs(tmp_path)}
    assert len(found) == 4
    assert found.pop(str(tmp_path / "runs" / finished.name)) == "finished"
    assert all(state.startswith("damaged: ") for state in found.values())
    assert "unknown environment 'mine/Own-v0'" in found[str(elsewhere)]


def test_runs_are_found_wherever_they_lie(finished, tmp_path):
    for there in ("runs", "debate/runs", "runs/3f", "debate/runs/3f"):
        shutil.copytree(finished, tmp_path / there / finished.name)
        (found,) = list_runs(tmp_path / there.partition("/")[0])
        assert found["folder"] == str(tmp_path / there / finished.name)
        assert found["state"] == "finished"
        shutil.rmtree(tmp_path / there)


def test_a_folder_without_runs_holds_none(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotARun, match="holds no runs"):
            list_runs(folder)
