"""A training run: what is measured, what TensorBoard shows, stopping and going on."""

import dataclasses
import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from metalocus.agents.agent import NonFinite
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.files import Corrupt, read_tensors, write_tensors
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.folders.folder import BEFORE, CHECKPOINT, MANIFEST, RESULTS, WEIGHTS
from metalocus.experiments.folders.lease import LOCK, Busy
from metalocus.experiments.folders.results import SCORE
from metalocus.experiments.folders.results import read_results as read
from metalocus.experiments.runs import records
from metalocus.experiments.runs.build import build_model
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.listing import list_runs
from metalocus.experiments.runs.records import is_done, load_manifest, place
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.sweeps.gather import gather, summary
from metalocus.experiments.training import carried, monitor, online, saving
from metalocus.experiments.training.adaptation import AdaptationFigure
from metalocus.experiments.training.monitor import measure
from metalocus.experiments.training.train import train

MEASURED = {
    *("score/episode", "regret/episode", "regret/trial", "choice/mean", "choice/final"),
    *("bayes/total_lost", "bayes/agreement"),
    *("locus/state", "locus/weights", "locus/context", "locus/total"),
}
SB3S = {"rollout/ep_rew_mean", "rollout/ep_len_mean", "time/fps", "train/approx_kl", "train/loss"}
POINTS = [0, 40, 60, 120]
REVERSAL = ("metalocus/ReversalBandit-v0", {"horizon": 6, "hazard": 0.2, "cued": True})


def read_results(folder):
    """All measurements of a run in a folder of its name."""
    return read(folder, folder.name)


def tensorboard(folder):
    """All that TensorBoard reads in a run."""
    events = EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "images": 0, "histograms": 0}
    )
    return events.Reload()


def scalars(folder):
    events = tensorboard(folder)
    found = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    return {tag: [(event.step, event.value) for event in series] for tag, series in found.items()}


def steps(series):
    return [step for step, _ in series]


def stop_at(patch, step, saved=None):
    """A report that interrupts training at a step; checkpoints are taken up to ``saved``."""
    patch.setattr(monitor, "CHECKPOINT_SECONDS", -1.0)
    patch.setattr(monitor, "REPORT_SECONDS", -1.0)

    def report(now):
        assert now.total >= step
        if now.steps == saved:
            patch.setattr(monitor, "CHECKPOINT_SECONDS", np.inf)
        if now.steps == step:
            raise KeyboardInterrupt

    return report


def interrupt(config, out, step, saved=None):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        train(config, out, stop_at(patch, step, saved))
    folder = out / config.name
    assert not is_done(folder)
    files = sorted(folder.glob("events*"), key=lambda path: path.stat().st_mtime_ns)
    for i, path in enumerate(files):  # their order is told by the second in their names
        path.rename(folder / f"events.out.tfevents.{i:010}.earlier")
    return folder


@pytest.fixture(scope="module")
def halfway(tiny, tmp_path_factory):
    """The tiny run interrupted at step 60, not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "EPISODES", 32)
        return interrupt(tiny, tmp_path_factory.mktemp("halfway"), 60)


@pytest.fixture
def stopped(halfway, tmp_path):
    """A copy of that run's folder, where it would go on."""
    return shutil.copytree(halfway, tmp_path / halfway.name)


def same_weights(one, other):
    a, b = read_tensors(one / WEIGHTS)[0], read_tensors(other / WEIGHTS)[0]
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_everything_is_measured_at_every_halving_of_the_steps(finished):
    rows = read_results(finished)
    assert [row.step for row in rows] == sorted(row.step for row in rows)
    at = {point: {row.metric for row in rows if row.step == point} for point in POINTS}
    assert at == dict.fromkeys(POINTS, MEASURED)
    assert len(rows) == len(POINTS) * len(MEASURED)


def test_measurements_are_those_of_the_probes(finished, tiny, brief):
    from metalocus.experiments.probes.locus import Locus
    from metalocus.experiments.probes.optimality import Optimality
    from metalocus.experiments.runs.load import load_agent

    agent, _ = load_agent(finished)
    args = (tiny.setting, 32, monitor.SEED)
    locus, near = Locus([4], ["resample"]).run(agent, *args), Optimality().run(agent, *args)
    last = {row.metric: row.value for row in read_results(finished) if row.step == 120}
    assert last["locus/state"] == locus["shares"]["resample before"]["state"][0]
    assert last["locus/total"] == locus["total"]["resample before"][0]
    assert last["choice/mean"] == pytest.approx(np.mean(locus["curve"]))
    assert last["choice/final"] == locus["final"]
    assert last["bayes/total_lost"] == near["total_lost"]


def test_scores_and_regrets_are_against_the_best_reference(finished, tiny):
    """From the returns themselves, on the same episodes."""
    from metalocus.agents.catalogue import best_reference, make_named
    from metalocus.experiments.runs.load import load_agent

    family, args = tiny.setting.family, (tiny.setting, 32, monitor.SEED)
    chance, mine, best = (
        expected_returns(agent, *args).mean()
        for agent in (make_named("random", family), load_agent(finished)[0], best_reference(family))
    )
    last = {row.metric: row.value for row in read_results(finished) if row.step == 120}
    assert last["score/episode"] == pytest.approx((mine - chance) / (best - chance))
    assert last["regret/episode"] == pytest.approx(best - mine)
    assert last["regret/trial"] == pytest.approx((best - mine) / 5)
    assert last["regret/episode"] > 0.1, "a network that has hardly been trained"


def test_the_seconds_of_training_are_told_from_those_of_measuring(finished):
    account = load_manifest(finished)
    assert 0.0 < account["training_cpu_seconds"] < account["cpu_seconds"]


def test_measurements_are_on_the_whole_distribution_of_tasks(tiny, brief):
    single = dataclasses.replace(
        tiny, setting=Setting(tiny.setting.env, **tiny.setting.kwargs, n_tasks=1)
    )
    found, whole = measure(build_model(single), single), measure(build_model(tiny), tiny)
    assert found.metrics == whole.metrics


def test_tensorboard_shows_sb3s_keys_and_ours_once_a_step(finished):
    found = scalars(finished)
    assert found.keys() >= MEASURED | SB3S
    for metric in MEASURED:
        assert steps(found[metric]) == POINTS
    assert steps(found["rollout/ep_rew_mean"]) == list(range(20, 121, 20))
    for tag, series in found.items():
        assert len(set(steps(series))) == len(series), f"{tag} is logged twice"
    rows = {(row.step, row.metric): row.value for row in read_results(finished)}
    for metric in MEASURED:
        for step, value in found[metric]:
            assert value == pytest.approx(rows[step, metric], rel=1e-6, abs=1e-7)


def hparams(folder, what):
    """What TensorBoard's table of hyperparameters reads in a run."""
    contents = tensorboard(folder).PluginTagToContent("hparams")
    return HParamsPluginData.FromString(contents[f"_hparams_/{what}"])


def test_tensorboard_shows_settings_with_the_final_metrics(finished, tiny):
    shown = hparams(finished, "session_start_info").session_start_info.hparams
    texts = {"env": tiny.setting.env, "agent": "lstm", "device": "cpu"}
    texts |= {"env_kwargs": "n_arms=2 horizon=5"}
    numbers = {"steps": 120, "seed": 1, "n_envs": 4}
    assert {name: shown[name].string_value for name in texts} == texts
    assert {name: shown[name].number_value for name in numbers} == numbers
    columns = {"agent_kwargs", "train_kwargs", "learning_rate", "gamma", "hidden_size", "critic"}
    assert set(shown) > {*texts, *numbers, *columns}
    metrics = hparams(finished, "experiment").experiment.metric_infos
    assert {info.name.tag for info in metrics} == MEASURED
    assert not [path for path in finished.iterdir() if path.is_dir()], "no run inside the run"


def test_tensorboard_shows_the_adaptation_at_every_measuring_point(finished):
    images = tensorboard(finished).Images("adaptation")
    assert [image.step for image in images] == POINTS
    for image in images:
        assert image.width > 300
        assert image.encoded_image_string.startswith(b"\x89PNG")


def test_tensorboard_shows_what_is_carried_at_every_measuring_point(finished, tiny):
    from metalocus.experiments.runs.load import load_agent

    events = tensorboard(finished)
    assert set(events.Tags()["histograms"]) == {"carried/state/h", "carried/state/c"}
    for tag in ("carried/state/h", "carried/state/c"):
        assert [each.step for each in events.Histograms(tag)] == POINTS
    end = rollout(
        load_agent(finished)[0], fresh_episodes(tiny.setting, 32, monitor.SEED), monitor.SEED
    ).end.state["h"]
    shown = events.Histograms("carried/state/h")[-1].histogram_value
    assert shown.num == end.size
    assert shown.sum == pytest.approx(end.sum(), abs=1e-3)
    assert (shown.min, shown.max) == (pytest.approx(end.min()), pytest.approx(end.max()))


def test_tensorboard_has_a_page_of_charts_over_all_runs(finished):
    tags = tensorboard(finished).PluginTagToContent("custom_scalars")
    assert set(tags) == {"custom_scalars__config__"}
    events = tensorboard(finished).Tensors("custom_scalars__config__")
    (layout,) = (Layout.FromString(each.tensor_proto.string_val[0]) for each in events)
    patterns = [
        pattern
        for category in layout.category
        for chart in category.chart
        for pattern in chart.multiline.tag
    ]
    shown = {tag for tag in scalars(finished) for each in patterns if re.fullmatch(each, tag)}
    assert shown == MEASURED - {"regret/trial"} | {"rollout/ep_rew_mean"}


def test_the_projector_shows_states_with_what_was_known(finished, tiny):
    """The labels from the histories themselves, by counting."""
    from metalocus.experiments.runs.load import load_agent

    assert 'tensor_path: "states.tsv"' in (finished / "projector_config.pbtxt").read_text()
    states = np.loadtxt(finished / "states.tsv", delimiter="\t")
    head, *rows = (finished / "states_labels.tsv").read_text().splitlines()
    labels = [dict(zip(head.split("\t"), map(float, row.split("\t")), strict=True)) for row in rows]
    assert states.shape == (4 * carried.EPISODES, 2 * 64)
    assert len(labels) == len(states)
    episodes = fresh_episodes(tiny.setting, carried.EPISODES, monitor.SEED)
    trace = rollout(load_agent(finished)[0], episodes, monitor.SEED)
    for label in labels:
        n, t = int(label["episode"]), int(label["trial"]) - 1
        assert label["best arm"] == trace.means[0, n].argmax() + 1
        for arm in (0, 1):
            won = trace.reward[:t, n][trace.action[:t, n] == arm]
            mean = (1 + won.sum()) / (2 + len(won))
            assert label[f"posterior, arm {arm + 1}"] == pytest.approx(mean, abs=1e-3)
    assert sorted({label["trial"] for label in labels}) == [1, 2, 3, 4]
    seen = []
    rollout(
        load_agent(finished)[0],
        fresh_episodes(tiny.setting, carried.EPISODES, monitor.SEED),
        monitor.SEED,
        observe=lambda trial: seen.append(trial.stores.state),
    )
    after_the_first = np.concatenate([seen[1][key][:, 0] for key in ("c", "h")], axis=1)
    assert states[: carried.EPISODES] == pytest.approx(after_the_first, rel=1e-2)


def test_an_agent_without_a_state_has_no_projector(brief, tmp_path):
    run = train(RunConfig(Setting(REVERSAL[0], **REVERSAL[1]), "mlp", 48, 3, 4), tmp_path)
    assert not list(run.glob("states*"))
    assert not (run / "projector_config.pbtxt").exists()
    assert tensorboard(run).Tags()["histograms"] == []


def test_the_figure_has_the_agents_curve_and_the_best_references(finished, tiny, brief):
    from metalocus.agents.catalogue import best_reference
    from metalocus.experiments.scoring.curves import learning_curve

    found = measure(build_model(tiny), tiny).curves
    best = best_reference(tiny.setting.family)
    assert list(found) == ["lstm", "bayes_optimal"]
    assert found["bayes_optimal"] == learning_curve(best, tiny.setting, 32, monitor.SEED)["curve"]
    ax = AdaptationFigure(found).ax
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert drawn["LSTM (frozen weights)"] == found["lstm"]
    assert drawn["Bayes-optimal (exact)"] == found["bayes_optimal"]


def test_an_image_is_the_figure_drawn_whole():
    """Whatever was drawn before: nothing of another curve or title is left."""
    best, early, late = [0.5, 0.8, 0.9], [None, 0.6, 0.5], [0.4, 0.6, 0.8]
    figure = AdaptationFigure({"lstm": early, "gittins": best})
    first = figure.image(early, "before")
    last = figure.image(late, "after")
    assert (first != last).any()
    assert np.array_equal(figure.image(early, "before"), first)
    figure.canvas.draw()  # all of it, with the curve and the title as they are now
    assert np.array_equal(np.array(figure.canvas.buffer_rgba())[..., :3], first)


@pytest.mark.parametrize(("stop", "saved"), [(20, None), (60, None), (100, 60), (100, 40)])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    finished, tiny, brief, tmp_path, stop, saved
):
    run = interrupt(tiny, tmp_path, stop, saved)
    assert (run / CHECKPOINT).is_file()
    assert train(tiny, tmp_path) == run
    assert same_weights(run, finished)
    assert read_results(run) == read_results(finished)
    assert not (run / CHECKPOINT).exists()
    assert len(list(run.glob("events.out.tfevents*"))) == 2
    before, after = scalars(finished), scalars(run)
    for metric in MEASURED:
        assert after[metric] == before[metric]
    for tag, series in after.items():
        assert len(set(steps(series))) == len(series), f"{tag} is shown twice"
    assert [each.step for each in tensorboard(run).Images("adaptation")] == POINTS


def test_a_run_may_be_interrupted_again_and_again(finished, tiny, brief, tmp_path):
    for step in (20, 40, 80, 100):
        interrupt(tiny, tmp_path, step)
    run = train(tiny, tmp_path)
    assert same_weights(run, finished)
    assert read_results(run) == read_results(finished)
    assert steps(scalars(run)["choice/mean"]) == POINTS


def test_its_account_counts_the_time_before_the_interruption(tiny, brief, tmp_path, stopped):
    checkpoint = stopped / CHECKPOINT
    tensors, header = read_tensors(checkpoint)
    assert 0.0 <= header["spent"]["training_cpu_seconds"] < header["spent"]["cpu_seconds"]
    spent = {name: seconds + 1000.0 for name, seconds in header["spent"].items()}
    del header["sha256"]
    write_tensors(checkpoint, tensors, {**header, "spent": spent})
    account = load_manifest(train(tiny, tmp_path))
    assert account["steps"] == 120
    assert all(1000.0 <= account[name] < 1600.0 for name in spent)
    assert account["training_cpu_seconds"] < account["cpu_seconds"]


def test_without_a_checkpoint_it_begins_anew(finished, tiny, brief, tmp_path, stopped):
    (stopped / CHECKPOINT).unlink()
    train(tiny, tmp_path)
    assert same_weights(stopped, finished)
    assert read_results(stopped) == read_results(finished)
    assert steps(scalars(stopped)["choice/mean"]) == POINTS


@pytest.mark.parametrize("name", [CHECKPOINT, RESULTS])
def test_a_damaged_file_is_neither_used_nor_overwritten(tiny, brief, tmp_path, stopped, name):
    (stopped / BEFORE).unlink()
    data = (stopped / name).read_bytes()[:-100]
    (stopped / name).write_bytes(data)
    with pytest.raises(Corrupt, match=name) as raised:
        train(tiny, tmp_path)
    assert len(str(raised.value).splitlines()) == 1
    assert (stopped / name).read_bytes() == data
    assert not is_done(stopped)


@pytest.mark.parametrize("data", [None, b"", b"damaged"])
def test_a_run_goes_on_from_the_last_good_checkpoint(
    finished, tiny, brief, tmp_path, stopped, data
):
    """The newest one is missing, empty or damaged; interrupted again, a good one is still there."""
    (stopped / CHECKPOINT).unlink()
    expected = nullcontext()
    if data is not None:
        (stopped / CHECKPOINT).write_bytes(data)
        expected = pytest.warns(UserWarning, match="goes on from the checkpoint before it")
    with expected:
        interrupt(tiny, tmp_path, 100)
    for name in (CHECKPOINT, BEFORE):
        assert read_tensors(stopped / name)[1]["counters"]["num_timesteps"] < 120
    train(tiny, tmp_path)
    assert same_weights(stopped, finished)
    assert read_results(stopped) == read_results(finished)
    assert not (stopped / BEFORE).exists()


def test_the_first_checkpoint_comes_early_and_the_others_less_often(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    saves, waited = saving.Saves(), []
    for _ in range(7):
        begun = now[0]
        while not saves.due(monitor.CHECKPOINT_SECONDS):
            now[0] += 0.25
        waited.append(round(now[0] - begun))
        saves.saved()
    assert waited == [1, 2, 4, 8, 16, 20, 20]


@pytest.mark.parametrize("module", [monitor, online])
def test_a_run_that_is_asked_to_stop_is_saved(module, finished, tiny, brief, tmp_path, monkeypatch):
    """Long before its next checkpoint would be due."""
    config, longest = tiny, "CHECKPOINT_SECONDS"
    if module is online:
        config = dataclasses.replace(
            tiny, agent="mlp", trainer="online", n_envs=2, train_kwargs={"interval": 5}
        )
        longest = "SAVE_SECONDS"
    monkeypatch.setattr(module, longest, 1e9)
    monkeypatch.setattr(module, "REPORT_SECONDS", -1.0)
    with pytest.raises(saving.Stopped, match="the same command continues it"):
        train(config, tmp_path, lambda now: saving.STOP.set() if now.steps >= 60 else None)
    saving.STOP.clear()
    monkeypatch.undo()
    monkeypatch.setattr(monitor, "EPISODES", 32)
    whole = finished if config is tiny else train(config, tmp_path / "whole")
    assert (tmp_path / config.name / CHECKPOINT).is_file()
    assert same_weights(train(config, tmp_path), whole)


def test_a_run_that_is_taken_over_ends_without_its_manifest(tiny, brief, tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "REPORT_SECONDS", -1.0)

    def taken(now):
        if now.steps >= 60:
            (tmp_path / tiny.name / f"{LOCK}.2").write_bytes(b"of another process")

    with pytest.raises(Busy, match="has taken over"):
        train(tiny, tmp_path, taken)
    assert not (tmp_path / tiny.name / MANIFEST).exists()


@pytest.mark.parametrize("name", TRAINABLES)
def test_every_agent_trains_and_repeats_itself(name, device, brief, tmp_path):
    """The second time with an interruption."""
    config = RunConfig(Setting(REVERSAL[0], **REVERSAL[1]), name, 48, 3, 4, device)
    torch.manual_seed(5)
    one = train(config, tmp_path / "one")
    torch.manual_seed(6)
    interrupt(config, tmp_path / "other", 24)
    torch.manual_seed(7)
    other = train(config, tmp_path / "other")
    assert same_weights(one, other)
    assert read_results(one) == read_results(other)
    begun, sibling = (
        build_model(each).policy.state_dict()
        for each in (config, dataclasses.replace(config, seed=4))
    )
    assert any(not torch.equal(begun[key], sibling[key]) for key in begun)


def test_another_runs_checkpoint_and_results_are_refused(tiny, brief, tmp_path, stopped):
    """Another seed, task, agent or length would go on as if it were this run."""
    setting = Setting(tiny.setting.env, n_arms=2, horizon=6)
    others = ({"seed": 2}, {"steps": 240}, {"setting": setting}, {"agent": "gru"}, {"n_envs": 5})
    for change in others:
        config = dataclasses.replace(tiny, **change)
        other = tmp_path / config.name
        for name in (CHECKPOINT, RESULTS):
            other.mkdir()
            (other / name).write_bytes((stopped / name).read_bytes())
            if name == RESULTS:
                interrupt(config, tmp_path, config.rollout)
                (other / name).write_bytes((stopped / name).read_bytes())
            with pytest.raises(Corrupt, match=name) as raised:
                train(config, tmp_path)
            assert len(str(raised.value).splitlines()) == 1
            assert (other / name).read_bytes() == (stopped / name).read_bytes()
            shutil.rmtree(other)


def test_damaged_results_do_not_cost_the_checkpoint(finished, tiny, brief, tmp_path, stopped):
    """The advice is followed: without them the run goes on, to the same weights."""
    (stopped / RESULTS).write_bytes(b"damaged")
    with pytest.raises(Corrupt, match="delete it, then the same command goes on without"):
        train(tiny, tmp_path)
    (stopped / RESULTS).unlink()
    train(tiny, tmp_path)
    assert same_weights(stopped, finished)
    assert {row.step for row in read_results(stopped)} == {60, 120}


def test_a_run_that_goes_on_with_other_threads_says_so(monkeypatch, tiny, brief, tmp_path):
    run = interrupt(tiny, tmp_path, 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.warns(UserWarning, match="its threads is 1, here 2"):
        train(tiny, tmp_path)
    assert load_manifest(run)["threads"] == 2


def test_a_run_names_all_places_where_it_was_made(monkeypatch, finished, tiny, brief, tmp_path):
    """Begun here, saved on another machine, ended on a third with other packages."""
    assert "continued_from" not in load_manifest(finished)
    here = place("cpu")
    there = here | {"machine": dict.fromkeys(here["machine"], "n1")}
    third = there | {"versions": here["versions"] | {"numpy": "0"}}
    for where, step in ((here, 40), (here, 60), (there, 80), (third, None)):
        monkeypatch.setattr(records, "machine", lambda where=where: where["machine"])
        monkeypatch.setattr(records, "versions", lambda where=where: where["versions"])
        train(tiny, tmp_path) if step is None else interrupt(tiny, tmp_path, step)
    run = tmp_path / tiny.name
    manifest = load_manifest(run)
    assert manifest["continued_from"] == [here, there]
    made = [{**each, "source": tiny.source} for each in (here, there, third)]
    assert list_runs(run)[0]["made"] == made
    gather(tmp_path, [run.name])
    assert summary(tmp_path, [run.name])[0]["made"] == made


def test_training_sets_no_number_of_threads(monkeypatch, tiny, brief, tmp_path):
    monkeypatch.setattr(torch, "set_num_threads", lambda n: pytest.fail("it was set"))
    train(dataclasses.replace(tiny, steps=0), tmp_path)


def test_the_command_trains_with_one_thread(call, elsewhere, tiny, train_command):
    """Whatever the environment says, so that equal commands give equal bits."""
    torch.set_num_threads(2)
    try:
        code, folder, _ = call(train_command.replace("--steps 120", "--steps 0"))
        assert (code, torch.get_num_threads()) == (0, 1)
    finally:
        torch.set_num_threads(1)
    assert load_manifest(Path(folder.strip()))["threads"] == 1


def test_fewer_steps_than_a_rollout_are_said_and_recorded(tiny, brief, tmp_path):
    config = dataclasses.replace(tiny, steps=3)
    said = "3 steps are asked for and 20 will be trained: one rollout of 4 environments, 5 steps"
    with pytest.warns(UserWarning, match=said):
        run = train(config, tmp_path)
    assert load_manifest(run)["steps"] == 20


def test_a_measurement_that_is_not_finite_is_refused(monkeypatch, tiny, brief, tmp_path):
    monkeypatch.setattr(monitor, "_mean", lambda values: float("nan"))
    with pytest.raises(NonFinite, match="choice/mean is nan after 0 steps"):
        train(tiny, tmp_path)
    assert not is_done(tmp_path / tiny.name)
    assert not (tmp_path / tiny.name / RESULTS).exists()


def test_seeds_meet_different_tasks(tiny):
    """Rows of neighbouring seeds would overlap if they were spaced by less than n_envs."""
    keys = []
    for seed in (0, 1, 2):
        env = build_model(dataclasses.replace(tiny, seed=seed)).env
        env.reset()
        keys.append(env.episodes.keys)
    assert len(np.unique(np.concatenate(keys))) == 3 * tiny.n_envs


def test_no_steps_give_the_network_as_it_begins(tiny, brief, tmp_path):
    config = dataclasses.replace(tiny, steps=0)
    run = train(config, tmp_path)
    begins = build_model(config).policy.state_dict()
    stored, _ = read_tensors(run / WEIGHTS)
    assert all(torch.equal(stored[name], begins[name]) for name in begins)
    assert {row.step for row in read_results(run)} == {0}
    assert steps(scalars(run)["choice/mean"]) == [0]


def test_a_task_with_equal_arms_has_no_score_but_trains(brief, tmp_path):
    run = train(RunConfig(Setting(REVERSAL[0], p=0.5, horizon=1), "mlp", 8, 0, 4), tmp_path)
    metrics = {row.metric for row in read_results(run)}
    assert "bayes/total_lost" in metrics
    assert not metrics & {"score/episode", "regret/episode", "choice/mean", "locus/total"}


def test_cuda_is_refused_where_there_is_none(monkeypatch, tiny, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidTask, match="no CUDA device is there; train with cpu"):
        train(dataclasses.replace(tiny, device="cuda"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Stopper(BaseCallback):
    """Counts steps, and stops at one."""

    def __init__(self, at):
        super().__init__()
        self.at, self.seen = at, 0

    def _on_step(self):
        self.seen = self.num_timesteps
        return self.num_timesteps < self.at


def test_callbacks_of_sb3_take_part(tiny, brief, finished, tmp_path):
    seen = []
    watcher = Stopper(10**9)
    for i, callback in enumerate(
        (watcher, [watcher, Stopper(10**9)], lambda *_: not seen.append(1))
    ):
        run = train(tiny, tmp_path / str(i), callback=callback)
        assert same_weights(run, finished), "who only looks changes nothing"
        assert len(load_manifest(run)["callbacks"]) == 1 + (i == 1)
    assert watcher.seen == 120
    assert len(seen) == 30
    assert "callbacks" not in load_manifest(finished)
    stopped = train(tiny, tmp_path / "stopped", callback=Stopper(40))
    assert load_manifest(stopped)["steps"] == 40
    assert load_manifest(stopped)["callbacks"] == ["Stopper"]


def test_a_report_tells_return_and_score(tiny, brief, monkeypatch, tmp_path):
    monkeypatch.setattr(monitor, "REPORT_SECONDS", -1.0)
    told = []
    run = train(tiny, tmp_path, told.append)
    assert [progress.steps for progress in told] == list(range(0, 120, 20))
    assert {progress.total for progress in told} == {120}
    assert told[0].mean_return is None
    rows = read_results(run)
    scores = {row.step: row.value for row in rows if row.metric == SCORE}
    assert told[0].score == scores[0]
    assert told[-1].score == scores[60]
    shown = dict(scalars(run)["rollout/ep_rew_mean"])
    for progress in told[1:]:
        assert progress.mean_return == pytest.approx(shown[progress.steps])
