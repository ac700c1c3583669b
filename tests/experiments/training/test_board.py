"""The folder in which TensorBoard shows runs by their titles, and the mean over seeds."""

import dataclasses
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import CONFIG, NotARun
from metalocus.experiments.folders.results import Measurement, write_results
from metalocus.experiments.training.board import write_board


def begun(config, out, scores, name=None):
    """A run that has measured a score at every 100 steps so far."""
    folder = out / (name or config.name)
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(config.to_json())
    rows = [Measurement(100 * i, "score/episode", score) for i, score in enumerate(scores)]
    write_results(folder, folder.name, rows)
    return folder


@pytest.fixture
def seeds(tiny, tmp_path):
    """Three seeds of one setting; the last has not come as far."""
    scores = {0: [0.0, 0.5, 1.0], 1: [0.3, 0.1, 0.6], 2: [0.0, 0.9]}
    return [
        begun(dataclasses.replace(tiny, seed=seed), tmp_path / "runs", each)
        for seed, each in scores.items()
    ]


def test_runs_bear_their_titles_and_lead_to_themselves(seeds, tiny, tmp_path):
    assert tiny.title == "lstm · BernoulliBandit-v0, horizon 5 · seed 1"
    board = tmp_path / "a" / "board"
    made = write_board(tmp_path / "runs", board)
    title = tiny.title.removesuffix(" · seed 1")
    assert [path.name for path in made] == [
        *(f"{title} · seed {seed}" for seed in range(3)),
        f"{title} · mean of 3 seeds",
    ]
    assert sorted(made) == sorted(board.iterdir())
    assert [path.resolve() for path in made[:3]] == seeds


def test_the_mean_is_over_what_all_seeds_have_measured(seeds, tmp_path):
    *_, mean = write_board(tmp_path / "runs", tmp_path / "board")
    events = EventAccumulator(str(mean)).Reload()
    found = {
        tag: [(each.step, each.value) for each in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
    expected = {"mean": (0.1, 0.5), "low": (0.0, 0.1), "high": (0.3, 0.9)}
    by_tag = {f"seeds/score/episode/{name}": each for name, each in expected.items()}
    by_tag["score/episode"] = expected["mean"]
    assert found.keys() == by_tag.keys()
    for tag, (first, second) in by_tag.items():
        assert found[tag] == [(0, pytest.approx(first)), (100, pytest.approx(second))], tag
    (config,) = events.Tensors("custom_scalars__config__")
    layout = Layout.FromString(config.tensor_proto.string_val[0])
    (chart,) = (
        chart.margin.series[0]
        for category in layout.category
        for chart in category.chart
        if "score" in chart.title
    )
    assert (chart.value, chart.lower, chart.upper) == tuple(
        f"seeds/score/episode/{name}" for name in ("mean", "low", "high")
    )


def test_made_again_it_is_renewed(seeds, tiny, tmp_path):
    write_board(tmp_path / "runs", tmp_path / "board")
    begun(dataclasses.replace(tiny, seed=7), tmp_path / "runs", [0.4])
    made = write_board(tmp_path / "runs", tmp_path / "board")
    assert sorted(made) == sorted((tmp_path / "board").iterdir())
    assert [path.name[-15:] for path in made if "mean" in path.name] == ["mean of 4 seeds"]
    assert len(list(made[-1].iterdir())) == 1, "one file of events"
    assert all(folder.is_dir() for folder in seeds)


def test_titles_that_are_alike_say_what_differs(tiny, tmp_path):
    runs, title = tmp_path / "runs", tiny.title.removesuffix(" · seed 1")
    longer = dataclasses.replace(tiny, steps=1_000)
    fewer = dataclasses.replace(tiny, n_envs=2)
    folders = [begun(config, runs, [0.0]) for config in (tiny, longer, fewer)]
    hashes = [folder.name.split("-")[-2] for folder in folders]
    assert {path.name for path in write_board(runs, tmp_path / "board")} == {
        f"{title} · 120 steps · {hashes[0]} · seed 1",
        f"{title} · 1,000 steps · seed 1",
        f"{title} · 120 steps · {hashes[2]} · seed 1",
    }


def test_a_run_that_was_renamed_has_its_title_too(finished, tiny, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to(finished)
    (made,) = write_board(tmp_path / "runs", tmp_path / "board")
    assert made.name == tiny.title
    events = EventMultiplexer()
    events.AddRunsFromDirectory(str(tmp_path / "board")).Reload()
    assert events.Runs().keys() == {tiny.title}, "what TensorBoard finds there"


def test_nothing_of_others_is_removed(seeds, tmp_path):
    board = tmp_path / "board"
    write_board(tmp_path / "runs", board)
    (mean,) = (path for path in board.iterdir() if "mean" in path.name)
    for foreign in (board / "notes.txt", mean / "notes.txt", board / "folder"):
        foreign.mkdir() if foreign.name == "folder" else foreign.write_text("mine")
        before = sorted(board.rglob("*"))
        with pytest.raises(WrongUse, match="holds other things"):
            write_board(tmp_path / "runs", board)
        assert sorted(board.rglob("*")) == before
        foreign.rmdir() if foreign.is_dir() else foreign.unlink()
    for inside in (tmp_path / "runs", tmp_path / "runs" / "board"):
        with pytest.raises(WrongUse, match="is inside of"):
            write_board(tmp_path / "runs", inside)
    with pytest.raises(NotARun):
        write_board(tmp_path / "nowhere", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_command_says_how_to_look_at_it(call, seeds, elsewhere, tmp_path):
    code, out, _ = call("tensorboard ../runs")
    assert code == 0
    assert out.splitlines()[-1] == "tensorboard --logdir ../runs-tensorboard"
    assert Path("../runs-tensorboard").is_dir()
