"""The forward-pass probe on agents whose learning from a dataset is known."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.layout import action_space, observation_space
from metalocus.experiments.probes.forward_pass import ForwardPass

ENV = "metalocus/DatasetBandit-v0"
ARMS, LINEAR = Setting(ENV, n_examples=8, n_arms=3), Setting(ENV, rule="linear")


def found(name, setting, episodes=2000):
    return ForwardPass().run(make_named(name, setting.family), setting, episodes)


def near(result, quantity, label, expected):
    """Within four standard errors: wrong in 1 of 16,000 runs."""
    error = result[f"{quantity}_se"][label]
    assert result[quantity][label] == pytest.approx(expected, abs=4 * error + 1e-9), label
    assert error < 0.05


def test_the_posterior_gives_up_what_one_example_leaves_open():
    """Of two arms one is seen once: kept if it paid, so 7/12 of the best arm's 2/3 is earned."""
    result = found("posterior", Setting(ENV, n_examples=1), 4000)
    near(result, "regret", "1 example", 2 / 3 - 7 / 12)
    near(result, "regret", "0 examples", 2 / 3 - 1 / 2)
    near(result, "choice_value", "intact", 1 / 2)
    assert result["above"] == {"1 example": 0.0, "0 examples": 0.0}
    assert result["order"] == 0.0


def test_evidence_of_another_task_teaches_nothing():
    for name, setting in (("posterior", ARMS), ("ridge", LINEAR)):
        result = found(name, setting)
        near(result, "choice_value", "pairs broken", 0.0)
        near(result, "choice_value", "another episode's", 0.0)
        assert result["choice_value"]["intact"] > 0.5


def test_a_gradient_step_is_found_and_is_gone_without_the_examples():
    for setting in (ARMS, LINEAR, Setting(ENV, rule="neighbour", n_arms=3)):
        result = found("one_gradient_step", setting, 200)
        assert result["alignment"]["all of it: 1 step"] == pytest.approx(1.0, abs=1e-9)
        assert result["alignment"]["all of it: 20 steps"] < 0.99
        assert result["order"] == pytest.approx(0.0, abs=1e-12)
        assert set(np.round(list(result["again"].values()), 12)) == {0.0}
        assert "none of what it learned shows" in ForwardPass().sentence(result)


def test_a_carry_keeps_what_was_learned():
    for name, setting in (("posterior", ARMS), ("ridge", LINEAR)):
        result = found(name, setting)
        assert result["again"]["nothing fed back"] == result["choice_value"]["intact"]
        assert "is kept" in ForwardPass().sentence(result)


def test_who_learns_nothing_has_nothing_to_keep():
    result = found("random", LINEAR, 200)
    assert "there is nothing learned to be kept" in ForwardPass().sentence(result)


def test_feedback_on_the_evidence_does_not_pass_for_a_carry():
    """Repeating what paid answers all of two labels, and the naive way to ask again is fooled."""
    result = found("echo", LINEAR)
    assert result["again"]["own feedback"] == pytest.approx(1.0)
    near(result, "again", "another's feedback", 0.0)
    assert result["again"]["nothing fed back"] == 0.0
    assert "none of what it learned shows" in ForwardPass().sentence(result)


def test_the_stream_is_read_out_after_each_block(stirred):
    layout = LINEAR.layout
    arguments = TRAINABLES.find("transformer").arguments(layout)
    policy = SequencePolicy(
        observation_space(layout), action_space(layout), lambda _: 0.0, **arguments
    )
    stirred(policy)
    result = ForwardPass().run(TrainedAgent(policy, layout), LINEAR, 50)
    depths = result["by_depth"]
    assert list(depths) == ["after the embedding", "after block 1", "after block 2"]
    assert depths["after block 2"] == pytest.approx(result["choice_value"]["intact"], abs=1e-5)
    assert depths["after block 1"] != pytest.approx(depths["after block 2"], abs=1e-5)
    assert result["alignment"]["after block 2: ridge"] == pytest.approx(
        result["alignment"]["all of it: ridge"], abs=1e-4
    )


def test_where_evidence_comes_one_by_one_it_says_so():
    for setting in (Setting("metalocus/BernoulliBandit-v0"), Setting(ENV, sequence=True)):
        with pytest.raises(InvalidTask, match="all evidence in one observation"):
            found("random", setting)
