"""What a preset trains."""

import pytest

from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.one_pass import LINE
from metalocus.experiments.debate import main as debate
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.runs.named import BANDIT, FIVE_ARMS
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


def test_agents_that_soon_can_learn_no_more_have_a_quarter_of_the_steps_unless_in_full():
    for preset, part in (("quick", 0.25), ("full", 1.0)):
        for claim, usual, short in (
            ("emergence", "trained/five_arms", "one-task/five_arms"),
            ("responsiveness", "agent/reversal", "memoryless/reversal"),
        ):
            runs = CLAIMS.find(claim).runs(PRESETS[preset], 0)
            assert runs[short].steps == part * runs[usual].steps, (preset, claim)
        assert runs["memoryless/cued"].steps == runs["agent/cued"].steps, "it sees the cue"


def test_what_the_quick_preset_leaves_out_is_left_out_of_it_alone():
    """One point a network of claim 5, one depth of claim 6, larger rollouts without memory."""
    quick, full = PRESETS["quick"], PRESETS["full"]
    timing, one_pass = CLAIMS.find("timing"), CLAIMS.find("one_pass")
    assert [len(timing.runs(each, 0)) for each in (quick, full)] == [2, 20]
    assert [len(one_pass.runs(each, 0)) for each in (quick, full)] == [2, 8]
    rows = {
        (preset.name, agent): preset.run(agent, FIVE_ARMS, 0).n_envs
        for preset in (quick, full)
        for agent in ("lstm", "mlp", "mlp_feedback")
    }
    assert rows == {
        ("quick", "lstm"): 256,
        ("quick", "mlp"): 128,
        ("quick", "mlp_feedback"): 256,
        ("full", "lstm"): 256,
        ("full", "mlp"): 32,
        ("full", "mlp_feedback"): 64,
    }
    assert len({each.run("mlp", LINE, 0).n_envs for each in (quick, full)}) == 1, "one trial"
