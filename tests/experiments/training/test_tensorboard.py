"""The table of hyperparameters, as TensorBoard itself makes it from a folder of runs."""

import shutil

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.get_experiment import Handler as Experiment
from tensorboard.plugins.hparams.list_session_groups import Handler as SessionGroups

from metalocus.envs import Setting
from metalocus.experiments.folders.results import read_results
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.training.monitor import METRICS
from metalocus.experiments.training.train import train


def table(folder):
    """Settings and metrics of every row, by run."""
    events = EventMultiplexer()
    events.AddRunsFromDirectory(str(folder)).Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(events, str(folder))))
    asked = (RequestContext(), context, "")
    shown = Experiment(*asked, api_pb2.GetExperimentRequest()).run().metric_infos
    columns = [api_pb2.ColParams(metric=info.name) for info in shown]
    request = api_pb2.ListSessionGroupsRequest(
        slice_size=10, include_metrics=True, col_params=columns, allowed_statuses=range(4)
    )
    return {
        group.name: (
            {key: value.number_value or value.string_value for key, value in group.hparams.items()},
            {metric.name.tag: metric.value for metric in group.metric_values},
        )
        for group in SessionGroups(*asked, request).run().session_groups
    }


def test_every_run_is_a_row_with_its_settings_and_final_metrics(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / finished.name)
    shutil.copytree(finished, tmp_path / "another")
    rows = table(tmp_path)
    assert rows.keys() == {finished.name, "another"}
    for settings, metrics in rows.values():
        assert (
            settings.items()
            >= {
                **{"env": tiny.setting.env, "agent": "lstm", "device": "cpu"},
                **{"steps": 120, "seed": 1, "n_envs": 4, "env_kwargs": "n_arms=2 horizon=5"},
                **{"learning_rate": 0.004, "gamma": 0.8, "hidden_size": 64, "n_layers": 1},
            }.items()
        )
        rest = read_results(finished, finished.name)
        final = {row.metric: row.value for row in rest if row.step == 120}
        assert metrics == pytest.approx(final, rel=1e-6, abs=1e-7)


def test_runs_of_different_environments_stand_in_one_table(finished, tiny, brief, tmp_path):
    """Whichever run TensorBoard takes the columns from, no setting and no metric is lost."""
    shutil.copytree(finished, tmp_path / finished.name)
    setting = Setting("metalocus/ReversalBandit-v0", p=0.5, horizon=1)  # has no score
    other = train(RunConfig(setting, "mlp", 8, 0, 4), tmp_path)
    names = sorted([finished.name, other.name])
    rows = table(tmp_path)
    assert sorted(rows) == names
    mine, others = (rows[name][0] for name in (finished.name, other.name))
    assert mine.keys() == others.keys() | {"ticks", "longest"}, "an mlp has neither"
    assert "key_size" not in mine, "an empty place in the column of agents that have it"
    assert (
        others.items()
        >= {
            **{"env": setting.env, "env_kwargs": "p=0.5 horizon=1", "agent": "mlp"},
            **{"steps": 8, "seed": "", "n_envs": 4, "device": "cpu"},
            **{"learning_rate": 0.004, "n_layers": 2},
        }.items()
    )
    for name, (_, metrics) in rows.items():
        measured = {row.metric: row.value for row in read_results(tmp_path / name, name)}
        assert metrics == pytest.approx(measured, rel=1e-6, abs=1e-7)
    assert rows[other.name][1].keys() < rows[finished.name][1].keys() == set(METRICS)
