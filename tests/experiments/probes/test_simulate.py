"""The simulate probe: a clone is simulated both ways, a habit of equal return is not."""

import numpy as np
import pytest

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.controls.beliefs import CLONED
from metalocus.agents.rollout import TUNING_SEED, fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes import simulate
from metalocus.experiments.probes.simulate import Simulate

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=20)
HABIT = Setting("metalocus/ReversalBandit-v0", p=0.9, hazard=0.1, horizon=30)
"""A task on which win-stay lose-shift is Bayes-optimal."""
THERE, BACK = "the agent to Bayes", "Bayes to the agent"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Fewer episodes to fit on, and fewer features."""
    monkeypatch.setattr(simulate, "FIT_EPISODES", 200)
    monkeypatch.setattr(simulate, "WAVES", 100)


def found(name, setting=BANDIT, episodes=200):
    return Simulate().run(make_named(name, setting.family), setting, episodes, 0)


def test_a_clone_of_bayes_in_another_basis_is_simulated_both_ways():
    for setting in (BANDIT, HABIT):
        result = found("clone", setting)
        for quantity in ("state", "output", "choices", "later_state", "later_output"):
            for way in (THERE, BACK):
                assert result[quantity][way] < 1e-6, (quantity, way)
        assert result["behaviour"]["the agent"] == 0.0


def test_the_clone_acts_as_the_best_reference_and_carries_other_numbers():
    settings = [
        BANDIT,
        HABIT,
        Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=30),
        Setting("metalocus/VolatileBandit-v1", horizon=20),
        Setting("metalocus/TwoStep-v0", horizon=20),
    ]
    for setting in settings:
        family = setting.family
        clone, reference = make_named("clone", family), best_reference(family)
        assert type(reference) in CLONED
        traces = [rollout(each, fresh_episodes(setting, 50, 0)) for each in (clone, reference)]
        np.testing.assert_allclose(traces[0].probs, traces[1].probs, atol=1e-12)
        numbers = np.concatenate(
            [array.reshape(50, -1) for array in traces[1].end.state.values()], axis=1
        )
        x = traces[0].end.state["x"]
        assert not np.isclose(x[:, :1], numbers).any()
    with pytest.raises(InvalidTask, match="clone cannot play"):
        make_named("clone", make_family("metalocus/Harlow-v0"))


def test_bayes_is_not_simulated_by_one_trial_of_memory():
    """Of two counts an arm, one trial tells little, and the choice from it is another."""
    result = found("wsls")
    assert result["state"][THERE] > 0.3
    assert result["output"][THERE] > 0.2
    assert result["output"][BACK] > 0.2
    assert result["state"][THERE] == result["state"]["wsls to Bayes"]


def test_a_habit_of_equal_return_does_not_carry_the_belief():
    """It chooses alike, so only states tell them apart: which reward it was is not in the belief,
    and an uncertain belief is not in the last trial."""
    result = found("wsls", HABIT)
    assert best_reference(HABIT.family).optimality(HABIT.family) == EXACT
    assert result["earned"]["the agent"] == pytest.approx(result["earned"]["Bayes"], abs=1e-12)
    assert result["behaviour"]["the agent"] == pytest.approx(0.0, abs=1e-12)
    assert result["output"][THERE] < 0.01
    assert result["state"][THERE] > 0.01  # the clone's is below 1e-6
    assert result["state"][BACK] > 0.3
    assert result["output"][BACK] > 0.3


def test_wide_random_features_reach_the_belief_but_cannot_be_reached_from_it():
    result = found("random_features")
    assert result["state"][THERE] < 0.05
    assert result["state"][BACK] > 0.3
    assert result["output"][THERE] > 0.2  # it chooses by its habit


def test_an_agent_that_carries_nothing_knows_no_more_than_the_trial():
    result = found("random")
    assert result["state"][THERE] == pytest.approx(1.0, abs=0.02)
    assert result["state"][BACK] is None


def test_running_on_from_the_true_state_is_the_run_itself():
    """States mapped by the identity go on as the agent's own, five trials long."""
    agent = make_named("rescorla_wagner", BANDIT.family)
    reference = best_reference(BANDIT.family)
    launches, compared = simulate._times(20)
    assert (launches, compared[-1]) == ([1, 2, 6, 14], 19)
    seed = TUNING_SEED
    maps = simulate._fit(
        reference, {"the agent": agent}, fresh_episodes(BANDIT, 100, seed), seed, compared
    )
    score = simulate._Score(reference, {"the agent": agent}, maps, launches, compared)
    moments = list(
        simulate._histories(reference, {"the agent": agent}, fresh_episodes(BANDIT, 50, 0), 0)
    )
    for way in maps:
        stores = moments[2].stores[way.target]
        for moment in moments[2:7]:
            stores = score._next(moment, way.target, stores)
        for key, array in moments[7].stores[way.target].state.items():
            np.testing.assert_array_equal(stores.state[key], array)


def test_what_has_no_state_to_compare_is_refused():
    for name, reason in (("oracle", "is shown the task"),):
        with pytest.raises(InvalidTask, match=reason):
            found(name)


def test_nothing_is_fitted_on_the_reported_episodes(monkeypatch):
    played = []
    monkeypatch.setattr(
        simulate,
        "fresh_episodes",
        lambda setting, n, seed: played.append(seed) or fresh_episodes(setting, n, seed),
    )
    found("wsls", episodes=20)
    assert played == [TUNING_SEED]


def test_the_sentence_is_silent_on_outputs_where_no_choice_pays():
    """Of the examples in sequence none pays; the states are compared all the same."""
    dataset = Setting("metalocus/DatasetBandit-v0", sequence=True, n_examples=20)
    said = Simulate().sentence(found("posterior", dataset, 20))
    assert "state dissimilarity" in said
    assert "no number" not in said


def test_the_sentence_has_both_directions_and_what_stands_beside():
    said = Simulate().sentence(found("wsls"))
    assert said.startswith("From the agent to bayes_optimal state dissimilarity 0.")
    assert "from bayes_optimal to the agent state dissimilarity 0." in said
    assert "Bayes in another basis" in said
