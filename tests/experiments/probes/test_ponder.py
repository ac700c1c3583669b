"""The ponder probe on agents that compute at every act, that do not, and that seem to."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.probes.ponder import Ponder, _clocks, _trials

MDP = Setting("metalocus/TabularMDP-v0", n_states=3, n_actions=3, inner_horizon=5, n_episodes=20)
BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=4, horizon=30)
HELD, RUNNING = ("most probable, clock held", "most probable, clock running")


def found(name, setting, episodes=300, ticks=5):
    agent = make_named(name, setting.family)
    probe = Ponder(ticks)
    result = probe.run(agent, setting, episodes)
    return result, probe.sentence(result)


def test_a_sweep_an_act_is_found_and_ends_at_the_whole_plan():
    """The value of five acts is that of planning all five steps, on the same histories."""
    result, said = found("sweeps_values", MDP, 800, ticks=6)
    gain, error = result["gain"][HELD], result["gain_se"][HELD]
    assert gain > 3 * error > 0.0
    assert result["gain"] == dict.fromkeys(result["gain"], pytest.approx(gain))
    assert "makes its choice better" in said
    agent, whole = (
        make_named(name, MDP.family) for name in ("sweeps_values", "certainty_equivalent")
    )
    earned = np.zeros(3)

    def observe(trial):
        if trial.t in measured:
            value = trial.privileged_value
            ((planned, _),) = trial.shadows
            earned[:] += (
                value.mean(),
                value.max(axis=1).mean(),
                (planned * value).sum(axis=1).mean(),
            )

    measured = _trials(MDP)
    rollout(agent, fresh_episodes(MDP, 800, 0), 0, shadows=[whole], observe=observe)
    chance, best, planned = earned
    expected = (planned - chance) / (best - chance)
    for acts in ("5 acts", "6 acts"):
        assert result["most_probable"][f"{acts}, clock held"] == pytest.approx(expected)
    assert result["most_probable"]["1 act, clock held"] < expected


def test_an_agent_that_carries_nothing_gains_nothing():
    result, said = found("fixed_bias", BANDIT)
    assert set(result["gain"].values()) == {0.0}
    assert result["changed"] == 0.0
    assert "does not make its choice better" in said
    alone, *after = result["decoded"].values()
    assert after == [alone] * 5


def test_a_clock_that_the_acts_move_on_does_not_pass_for_computing():
    for name in ("clocked", "clocked_apart"):
        result, said = found(name, BANDIT)
        assert result["gain"][RUNNING] > 4 * result["gain_se"][RUNNING] > 0.0, name
        assert result["gain"][HELD] == 0.0, name
        assert "does not make its choice better" in said, name
        clocks = _clocks(make_named(name, BANDIT.family), BANDIT)
        assert {key: flags.tolist() for key, flags in clocks.items()} == {("state", "acts"): True}
    trials = _trials(BANDIT)
    assert (trials[0] > 0, trials[-1], len(trials)) == (True, 29, 11)


def test_a_choice_that_gets_more_certain_is_not_a_better_one():
    result, said = found("sharpening", BANDIT)
    assert result["gain"]["sampled, clock running"] > 0.2
    assert result["gain"][RUNNING] == result["gain"][HELD] == 0.0
    assert "does not make its choice better" in said


def test_the_choice_follows_a_swap_of_what_it_is_decoded_from():
    result, _ = found("counts_in_state", BANDIT)
    other, same = result["swapped"].values()
    error = np.hypot(*result["swapped_se"].values())
    assert other - same > 4 * error > 0.0
    assert "swapped" not in found("fixed_bias", BANDIT)[0]


def test_the_next_action_is_decoded_where_the_stores_hold_it():
    """In the middle an inner episode ends: what comes next is the plan's choice in state 0."""
    result, _ = found("sweeps_values", MDP)
    alone, *after = result["decoded"].values()
    assert min(after) > 0.9 > 0.7 > alone


def test_one_act_is_no_repetition():
    with pytest.raises(InvalidTask, match="ticks must be a whole number of at least 2"):
        Ponder(1)
