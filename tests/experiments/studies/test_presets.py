"""What a preset trains."""

import pytest

from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.debate import main as debate
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.runs.named import BANDIT
from metalocus.experiments.studies.presets import PRESETS


def test_arguments_of_the_agent_are_those_of_every_run_of_it_and_of_no_other():
    """What a claim sets itself, to vary it, stays as it is."""
    given = {"hidden_size": 8}
    without, preset = (PRESETS["smoke"].about_agent("gru", None, each) for each in ({}, given))
    for study in (*CLAIMS.values(), CURVES):
        before = study.runs(without, 0)
        assert study is not CURVES or "gru" in {config.agent for config in before.values()}
        for name, config in study.runs(preset, 0).items():
            own = before[name].agent_kwargs
            expected = {**given, **own} if config.agent == "gru" else own
            assert config.agent_kwargs == expected, (study.name, name)


def test_what_the_agent_does_not_take_is_refused_before_anything_is_trained(tmp_path):
    refused = {"hiden_size": "did you mean 'hidden_size'", "hidden_size": "a whole number"}
    for name, said in refused.items():
        for ask in (debate.run_claim, debate.run_debate):
            about = ("emergence",) if ask is debate.run_claim else ()
            with pytest.raises(InvalidTask, match=said):
                ask(*about, "smoke", tmp_path, "gru", BANDIT, {name: "many"})
            assert not list(tmp_path.rglob("config.json"))
