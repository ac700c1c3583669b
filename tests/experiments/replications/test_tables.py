"""The published tables against each other and against what is exact."""

import numpy as np
import pytest
from scipy.stats import norm

from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.experiments.replications import rl2_bandits, rl2_mdps
from metalocus.experiments.replications.totals import BEST_OF_FIVE, known_means, totals
from metalocus.experiments.scoring.returns import expected_returns


def column(table, columns, name):
    return {key: row[columns.index(name)] for key, row in table.items()}


def test_published_random_choice_earns_half_a_pull_and_one_a_step():
    """U[0, 1] arms pay 1/2, rewards N(1, 1) pay 1: both within three standard errors."""
    for (n, _), value in column(rl2_bandits.TABLE, rl2_bandits.COLUMNS, "random").items():
        assert abs(value - n / 2) <= 3 * rl2_bandits.ERROR[n] + 0.05
    for n, value in column(rl2_mdps.TABLE, rl2_mdps.COLUMNS, "random").items():
        assert abs(value - 10 * n) <= 3 * rl2_mdps.ERROR[n] + 0.05


def test_no_published_cell_passes_the_optimum_by_more_than_noise():
    for cell, row in rl2_bandits.TABLE.items():
        n, k = cell
        assert max(row) <= rl2_bandits.OPTIMUM[cell] + 3 * rl2_bandits.ERROR[n]
        assert rl2_bandits.OPTIMUM[cell] < n * k / (k + 1)  # of one who knows the best arm


def test_published_inner_episodes_earn_more_the_more_there_were_before_them():
    """Totals of longer episodes minus those of shorter ones; within three standard errors."""
    n = np.array(list(rl2_mdps.TABLE))
    errors = np.array(list(rl2_mdps.ERROR.values()))
    for i in range(1, 7):
        earned = np.array([row[i] for row in rl2_mdps.TABLE.values()])
        rates = np.array([earned[0] / n[0], *(np.diff(earned) / np.diff(n))])
        spread = np.array([errors[0] / n[0], *(np.hypot(errors[1:], errors[:-1]) / np.diff(n))])
        assert (np.diff(rates) > -3 * np.hypot(spread[1:], spread[:-1])).all()
        assert rates[-1] > rates[0] + 3


def test_every_cell_has_a_least_total_between_the_best_published_trained_one_and_the_optimum():
    for cell, least in rl2_bandits.LEAST.items():
        assert least < rl2_bandits.OPTIMUM[cell]
        assert least >= max(rl2_bandits.TABLE[cell][-2:]) - 3 * rl2_bandits.ERROR[cell[0]]


def test_control_variates_have_mean_0():
    x = np.linspace(-8, 8, 20_001)
    best = np.trapezoid(x * 5 * norm.pdf(x) * norm.cdf(x) ** 4, x)
    assert pytest.approx(best, abs=1e-6) == BEST_OF_FIVE
    for setting in (rl2_bandits.bandit(10, 5), rl2_bandits.bandit(10, 2), rl2_mdps.process(1)):
        drawn = known_means(fresh_episodes(setting, 4000, 5))
        error = drawn.std(axis=0) / 4000**0.5
        assert (np.abs(drawn.mean(axis=0)) < 4 * error).all()
        assert (error > 0).all()


def test_totals_are_paired_and_less_noisy_with_control_variates():
    setting = rl2_bandits.bandit(10, 5)
    players = {name: make_named(name, setting.family) for name in ("finite_index", "random")}
    found = totals(players, "finite_index", setting, 2000, 7, cuts=(1, 10))
    assert found["random@10"] == pytest.approx(5.0, abs=1e-9)  # the first control explains it
    assert found["random@1"] == pytest.approx(0.5, abs=1e-9)
    assert found["finite_index@10"] == pytest.approx(6.660, abs=4 * found["finite_index@10_se"])
    plain = expected_returns(players["finite_index"], setting, 2000, 7)
    assert found["finite_index@10_se"] < 0.7 * plain.std() / 2000**0.5
    difference = found["finite_index@10"] - found["random@10"]
    assert found["random regret@10"] == pytest.approx(difference, abs=1e-9)
    assert "finite_index regret@10" not in found


def test_the_likeliest_of_one_draw_is_thompson_sampling_and_of_many_the_mode():
    family = rl2_bandits.bandit(10, 3).family
    agent, of_many = (rl2_bandits.MostLikelySample(family, draws) for draws in (1, 500))
    stores = agent.start(4000, np.random.default_rng(0))
    counts = {"successes": [1.0, 3.0, 2.0], "failures": [1.0, 1.0, 0.0]}
    told = {key: np.tile(value, (4000, 1)) for key, value in counts.items()}
    stores = type(stores)(state={**stores.state, **told})
    exact = make_named("thompson", family).act(np.empty((4000, 0)), stores)[0][0]
    np.testing.assert_allclose(agent.act(None, stores)[0].mean(axis=0), exact, atol=0.04)
    assert of_many.act(None, stores)[0][:, 2].mean() > 0.85  # modes 1/2, 3/4 and 1
    learned = agent.learn(stores, None, np.zeros(4000, int), np.ones(4000))
    np.testing.assert_array_equal(learned.state["key"], stores.state["key"])
    assert (learned.state["successes"][:, 0] == 2).all()


def test_on_random_processes_what_has_paid_in_the_state_is_all_that_must_be_remembered():
    """As told of what was tried: no transition is learned, and nothing planned."""
    setting = rl2_mdps.process(10)
    episodes = fresh_episodes(setting, 1000, seed=3)
    rows, total = np.arange(len(episodes)), np.zeros(len(episodes))
    paid, tries = np.ones((len(episodes), 10, 5)), np.ones((len(episodes), 10, 5))  # with the prior
    for _ in range(setting.family.horizon):
        here = rows, episodes.latents["state"]
        action = ((paid[here] + np.sqrt(tries[here])) / tries[here]).argmax(axis=1)
        total += episodes.means()[rows, action]
        reward, _ = episodes.step(action)
        paid[*here, action] += reward
        tries[*here, action] += 1.0
    near = make_named(rl2_mdps.NEAR, setting.family)
    planned = rollout(near, fresh_episodes(setting, 1000, seed=3))
    assert total.mean() == pytest.approx(planned.value.sum(axis=0).mean(), abs=1.5)


def test_who_forgets_the_state_earns_what_general_networks_end_at():
    """As told of what was tried; in a process of one state nothing is forgotten."""
    setting = rl2_mdps.process(10)
    blind = rl2_mdps.StateBlind(setting.family)
    assert expected_returns(blind, setting, 2000, 5).mean() == pytest.approx(123.2, abs=2.0)
    one = Setting("metalocus/TabularMDP-v0", n_states=1, n_episodes=10)
    told = rl2_mdps.StateBlind(one.family)
    assert (told.prior, told.gain) == (1.0, 1.0)
    stores = told.start(1, np.random.default_rng(0))
    for action, reward in ((0, 1.5), (0, 2.5), (1, 3.0), (2, 1.0), (3, 1.0), (4, 1.0)):
        stores = told.learn(stores, np.empty((1, 2)), np.array([action]), np.array([reward]))
    # means (1.5 + .5) / 3 and 2 / 2, deviations sqrt(1 / 3) and sqrt(1 / 2)
    assert told.act(np.empty((1, 2)), stores)[0].tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0]]


class Habit(rl2_mdps.StateBlind):
    """Meant to deceive: an action of its own in every state, the same in all processes."""

    def act(self, stimulus, stores):
        return np.eye(5)[stimulus[:, :-1].argmax(axis=1) % 5], stores


def test_what_is_earned_by_the_action_and_by_its_state_is_all_that_is_earned():
    """Nor does it take for memory of a state what is done differently in each without learning."""
    setting = rl2_mdps.process(10)
    blind, near = rl2_mdps.StateBlind(setting.family), make_named(rl2_mdps.NEAR, setting.family)
    for agent, least, most in ((blind, 0.5, 6.0), (near, 52.0, 61.0)):
        parts = rl2_mdps.earned(agent, setting, 600, 5)
        total = expected_returns(agent, setting, 600, 5)
        np.testing.assert_allclose(parts["action"] + parts["state"] + 100.0, total, atol=1e-9)
        assert least < parts["state"].mean() < most
    habit = rl2_mdps.earned(Habit(setting.family), setting, 600, 5)
    for values in habit.values():
        assert abs(values.mean()) < 4 * values.std() / 600**0.5
    one = Setting("metalocus/TabularMDP-v0", n_states=1, n_episodes=10)
    alone = rl2_mdps.earned(rl2_mdps.StateBlind(one.family), one, 50, 5)
    np.testing.assert_allclose(alone["state"], 0.0, atol=1e-9)
    assert alone["action"].mean() > 80.0
