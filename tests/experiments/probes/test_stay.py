"""The stay-probability analysis tells planning from repetition, with honest errors."""

import dataclasses

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes.stay import Stay, StayProbability, count_stays, stay_probability
from metalocus.experiments.scoring.sample import Sample

TWO_STEP = "metalocus/TwoStep-v0"
DAW = {"rewards": "drifting", "second_choices": 2, "p_common": 0.7}
UNTELLING = {"p": 0.5}


def analysis(name, episodes=300, seed=3, **kwargs):
    """Of a reference policy."""
    agent = make_named(name, make_family(TWO_STEP, **kwargs))
    found = Stay().run(agent, Setting(TWO_STEP, **kwargs), episodes, seed)
    names = [field.name for field in dataclasses.fields(StayProbability)]
    tables = {
        name: np.array([[row["common"], row["rare"]] for row in found[name].values()])
        for name in names[:2]
    }
    assert list(found["stay"]) == ["unrewarded", "rewarded"]
    return StayProbability(**tables, **{name: found[name] for name in names[2:]})


def of_histories(action, reward, stimulus):
    """The analysis of histories [T, N, ...]."""
    counts = Sample()
    counts.add(count_stays(action, reward, stimulus))
    return stay_probability(counts)


def written_out(trials):
    """Arrays [T, 1, ...] from trials (first action, state reached, reward)."""
    first, state, paid = np.array(trials).T
    steps = 2 * len(trials)
    action, reward = np.zeros((steps, 1), int), np.zeros((steps, 1))
    stimulus = np.tile(np.eye(3)[0], (steps, 1, 1))
    action[::2, 0], reward[1::2, 0] = first, paid
    stimulus[1::2, 0] = np.eye(3)[state + 1]
    return action, reward, stimulus


def test_a_history_counted_by_hand():
    one = [(0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0), (1, 1, 0), (0, 0, 1), (0, 0, 0)]
    other = [(1, 1, 1), (0, 1, 1), (0, 1, 0), (1, 0, 1), (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    parts = [
        np.concatenate(both, axis=1) for both in zip(*map(written_out, (one, other)), strict=True)
    ]
    result = of_histories(*parts)
    # rewarded, common: one stays twice of two, the other shifts once; rewarded, rare: shift
    # (one), stay (other), shift (other); unrewarded, common: stay, shift; stay, stay;
    # unrewarded, rare: stay; shift
    np.testing.assert_allclose(result.stay, [[3 / 4, 1 / 2], [2 / 3, 1 / 3]])
    assert result.reward == pytest.approx((2 / 3 + 1 / 3 - 3 / 4 - 1 / 2) / 2)
    assert result.interaction == pytest.approx((2 / 3 - 3 / 4) - (1 / 3 - 1 / 2))


def test_what_never_happened_has_no_probability():
    one = written_out([(0, 0, 1), (0, 0, 1), (0, 0, 0)])
    result = of_histories(*(np.concatenate([part, part], axis=1) for part in one))
    np.testing.assert_array_equal(result.stay, [[np.nan, np.nan], [1.0, np.nan]])
    assert np.isnan(result.interaction)


@pytest.mark.parametrize("kwargs", [UNTELLING, DAW])
def test_repetition_shows_a_main_effect_of_reward_and_no_interaction(kwargs):
    result = analysis("model_free", **kwargs)
    assert result.reward > 0.1
    assert result.reward > 10 * result.reward_se
    assert abs(result.interaction) < 4 * result.interaction_se + 0.01


@pytest.mark.parametrize("kwargs", [UNTELLING, DAW, {}])
def test_planning_shows_the_interaction_and_no_main_effect(kwargs):
    result = analysis("model_based", **kwargs)
    assert result.interaction > 0.2
    assert result.interaction > 10 * result.interaction_se
    assert abs(result.reward) < 4 * result.reward_se + 0.02


@pytest.mark.parametrize("kwargs", [UNTELLING, DAW])
def test_a_mixture_shows_both(kwargs):
    result = analysis("hybrid", **kwargs)
    assert result.reward > 10 * result.reward_se
    assert result.interaction > 5 * result.interaction_se


def test_inference_plans():
    result = analysis("two_step_filter")
    assert result.interaction > 0.5
    assert result.stay[1, 0] > 0.99


@pytest.mark.parametrize("name", ["model_based", "model_free", "random"])
def test_where_no_transition_is_common_none_interacts_with_reward(name):
    result = analysis(name, p_common=0.5, **UNTELLING)
    assert abs(result.interaction) < 4 * result.interaction_se + 0.005


def test_random_choice_stays_half_the_time():
    result = analysis("random", **DAW)
    assert (np.abs(result.stay - 0.5) < 4 * result.stay_se).all()


def test_a_reward_of_state_shows_an_interaction_that_is_no_planning():
    """The confound of Akam et al. 2015, which the docstring warns of."""
    result = analysis("model_free")
    assert result.interaction > 10 * result.interaction_se


@pytest.mark.parametrize("name", ["model_free", "model_based"])
def test_standard_errors_are_those_of_repeated_experiments(name):
    """200 experiments of 20 episodes: the spread of the results within a quarter of its claim."""
    episodes, stimuli = fresh_episodes(Setting(TWO_STEP, horizon=40), 4000, 8), []
    agent = make_named(name, episodes.family)
    trace = rollout(agent, episodes, observe=lambda trial: stimuli.append(trial.stimulus))
    history = (trace.action, trace.reward, np.array(stimuli))
    experiments = [slice(first, first + 20) for first in range(0, 4000, 20)]
    results = [of_histories(*(part[:, rows] for part in history)) for rows in experiments]
    for value, error in (("reward", "reward_se"), ("interaction", "interaction_se")):
        spread = np.std([getattr(result, value) for result in results])
        claimed = np.mean([getattr(result, error) for result in results])
        assert claimed == pytest.approx(spread, rel=0.25)


def test_a_habit_of_four_entries_shows_the_largest_interaction_that_there_is():
    """P(stay) is 1 after rewarded common and unrewarded rare trials, else 0: (1 - 0) - (0 - 1)."""
    result = analysis("reward_as_cue", episodes=20)
    np.testing.assert_array_equal(result.stay, [[0.0, 1.0], [1.0, 0.0]])
    assert (result.interaction, result.reward) == (2.0, 0.0)


def test_an_interaction_is_ascribed_to_every_strategy_that_shows_it():
    """Planning can have made the interaction of planning, but so can a habit and inference."""
    setting = Setting(TWO_STEP)
    able = {}
    for name in ("model_based", "model_free", "reward_as_cue", "random"):
        agent = make_named(name, setting.family)
        found = Stay().run(agent, setting, 300, 3)
        able[name] = {who for who, each in found["strategy"].items() if each["could"]}
        own = found["strategy"].get(name)
        if own is not None:  # the same episodes, the same numbers
            assert {key: found[key] for key in own if key != "could"} == {
                key: value for key, value in own.items() if key != "could"
            }
    assert able["random"] == set()
    assert able["reward_as_cue"] == {"reward_as_cue"}
    assert {"model_based", "two_step_filter", "reward_as_cue"} <= able["model_based"]
    assert "sarsa" not in able["model_based"]
    assert {"model_free", "model_based", "reward_as_cue"} <= able["model_free"]


def test_other_tasks_and_too_little_are_refused():
    reversal = "metalocus/ReversalBandit-v0"
    with pytest.raises(InvalidTask, match="are of TwoStep, not of ReversalBandit-v0"):
        Stay().run(make_named("random", make_family(reversal)), Setting(reversal), episodes=5)
    with pytest.raises(InvalidTask, match="need two trials at least: a horizon of 4"):
        analysis("random", 5, horizon=2)
