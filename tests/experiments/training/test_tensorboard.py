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

from metalocus.experiments.runs.folder import read_results


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
    settings, metrics = rows[finished.name]
    assert settings == {
        **{"env": tiny.setting.env, "agent": "lstm", "device": "cpu"},
        **{"steps": 120, "seed": 1, "n_envs": 4, "n_arms": 2, "horizon": 5},
    }
    final = {row.metric: row.value for row in read_results(finished) if row.step == 120}
    assert metrics == pytest.approx(final, rel=1e-6, abs=1e-7)
