"""Policies for random processes: their beliefs against the history, their draws against SciPy.

Statistical tests use fixed seeds and fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from scipy import stats

from metalocus.agents.agent import NEAR, Stores
from metalocus.agents.catalogue import REFERENCES, best_reference, make_named
from metalocus.agents.references.mdp.policies import gamma_draws
from metalocus.agents.references.mdp.posterior import mean_rewards, mean_transitions
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family
from metalocus.envs.common_random_numbers import CommonRandomNumbers, seed_keys
from metalocus.envs.families.tabular_mdp import optimal_values

MDP = "metalocus/TabularMDP-v0"
SMALL = {"n_states": 3, "n_actions": 2, "inner_horizon": 4, "n_episodes": 5}
NAMES = ["beb", "certainty_equivalent", "psrl"]
FALSE_ALARM = 1e-4


def history(name, n=20, seed=0, **kwargs):
    """A rollout of a policy and its stores at every step, the stimuli with them."""
    episodes, seen = fresh_episodes(Setting(MDP, **kwargs), n, seed), []
    agent = make_named(name, episodes.family)
    return rollout(agent, episodes, observe=seen.append), seen, agent


@pytest.mark.parametrize("name", NAMES)
def test_beliefs_hold_the_history_and_no_more(name):
    """Counted again in plain Python; where an inner episode's last step led is not seen."""
    trace, seen, _ = history(name, **SMALL)
    end = trace.end.state
    for row in range(20):
        visits, pulls, paid = np.zeros((3, 2, 3)), np.zeros((3, 2)), np.zeros((3, 2))
        states = [int(trial.stimulus[row, :3].argmax()) for trial in seen]
        for t, state in enumerate(states):
            action = trace.action[t, row]
            pulls[state, action] += 1
            paid[state, action] += trace.reward[t, row]
            if t % 4 != 3:
                visits[state, action, states[t + 1]] += 1
        np.testing.assert_array_equal(end["visits"][row], visits)
        np.testing.assert_array_equal(end["pulls"][row], pulls)
        np.testing.assert_allclose(end["paid"][row], paid)


def test_posterior_means_are_conjugate():
    """Mean rewards by importance weights of a million prior draws, transitions by counts."""
    trace, _, _ = history("certainty_equivalent", n=1, **SMALL)
    state = trace.end.state
    draws = np.random.default_rng(0).normal(1.0, 1.0, 1_000_000)
    for place in np.ndindex(3, 2):
        n, total = state["pulls"][0][place], state["paid"][0][place]
        weight = np.exp(draws * total - n * draws**2 / 2 - total**2 / (2 * max(n, 1)))
        assert mean_rewards(trace.end)[0][place] == pytest.approx(
            draws @ weight / weight.sum(), abs=0.02
        )
        counts = state["visits"][0][place]
        expected = (counts + 1) / (counts.sum() + 3)
        np.testing.assert_allclose(mean_transitions(trace.end)[0][place], expected)


@pytest.mark.parametrize(("name", "bonus"), [("certainty_equivalent", 0.0), ("beb", 0.5)])
def test_choices_are_best_in_the_mean_process(name, bonus):
    trace, seen, agent = history(name, **SMALL)
    for t, trial in enumerate(seen):
        _, stores = agent.act(trial.stimulus, trial.stores)
        rewards = mean_rewards(stores) + bonus / (1.0 + stores.state["pulls"])
        values = optimal_values(rewards, mean_transitions(stores), 4)
        here = values[np.arange(20), t % 4, trial.stimulus[:, :3].argmax(axis=1)]
        best = here >= here.max(axis=1, keepdims=True) - 1e-9
        np.testing.assert_allclose(trial.probs, best / best.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(trace.probs[0], 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_episodes_at_other_inner_steps_are_planned_alike(name, monkeypatch):
    """Beside each other as alone, also where they are planned some at a time."""
    _, seen, agent = history(name, **SMALL)
    one, other = seen[5], seen[11]  # the second and the last inner step
    monkeypatch.setattr("metalocus.agents.references.mdp.posterior.BLOCK", 3)
    stimulus = np.stack([one.stimulus, other.stimulus], axis=1).reshape(40, -1)
    state = {
        key: np.stack([each, other.stores.state[key]], axis=1).reshape(40, *each.shape[1:])
        for key, each in one.stores.state.items()
    }
    probs, _ = agent.act(stimulus, Stores(state=state))
    np.testing.assert_array_equal(probs[0::2], one.probs)
    np.testing.assert_array_equal(probs[1::2], other.probs)


def test_gamma_draws_are_gamma_numbers():
    events = np.tile([0.0, 1.0, 2.0, 7.0, 40.0], (4000, 1))
    times = gamma_draws(events, np.arange(4000), CommonRandomNumbers(seed_keys(0, 1).repeat(4000)))
    for shape, column in zip(1.0 + events[0], times.T, strict=True):
        assert stats.kstest(column, stats.gamma(shape).cdf).pvalue > FALSE_ALARM / 9
    for one, other in ((0, 1), (1, 2), (2, 3), (3, 4)):
        assert stats.spearmanr(times[:, one], times[:, other]).pvalue > FALSE_ALARM / 9


def test_sampled_processes_follow_the_posterior():
    """One row's beliefs under 3,000 keys: rewards normal, transitions Beta, by Kolmogorov."""
    trace, _, agent = history("psrl", n=1, **SMALL)
    stores = trace.end.rows(np.zeros(3000, int))
    keys = np.arange(3000).astype(np.uint64) * np.uint64(2**40 + 1)
    drawn = type(stores)(state={**stores.state, "key": keys})
    rewards, transitions = agent.model(drawn)
    np.testing.assert_allclose(transitions.sum(axis=3), 1.0)
    mean, pulls = mean_rewards(trace.end)[0], trace.end.state["pulls"][0]
    visits = trace.end.state["visits"][0]
    assert visits.max() > 1
    for place in np.ndindex(3, 2):
        law = stats.norm(mean[place], (1 + pulls[place]) ** -0.5)
        assert stats.kstest(rewards[:, *place], law.cdf).pvalue > FALSE_ALARM / 12
        own, total = 1 + visits[place][0], 3 + visits[place].sum()
        law = stats.beta(own, total - own)
        assert stats.kstest(transitions[:, *place, 0], law.cdf).pvalue > FALSE_ALARM / 12


def test_a_sampled_process_lasts_an_inner_episode():
    _, seen, _ = history("psrl", **SMALL)
    plans = [trial.stores.state["plan"] for trial in seen]
    for t in range(1, 20):
        same = (plans[t] == plans[t - 1]).reshape(20, -1).all(axis=1)
        assert same.all() if (t - 1) % 4 else not same.any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kwargs", [SMALL, {"n_states": 1, "inner_horizon": 1, "n_episodes": 4}])
def test_all_is_in_the_stores(name, kwargs):
    """The rows of half the batch, read by a second copy, give the same choices."""
    _, seen, agent = history(name, **kwargs)
    other, rows = make_named(name, agent.family), np.arange(19, 0, -2)
    for trial in seen:
        again, _ = other.act(trial.stimulus[rows], trial.stores.rows(rows))
        np.testing.assert_allclose(again, trial.probs[rows], atol=1e-12)


def test_learning_pays_and_no_other_policy_earns_more_than_the_bonus():
    """Paired over 150 episodes: rate 1e-4 for each policy that might be better."""
    totals = {name: history(name, 150, 3)[0].total for name in ("oracle", *NAMES, "random")}

    def gain(one, other):
        difference = totals[one] - totals[other]
        return difference.mean() / (difference.std() / 150**0.5)

    for name in NAMES:
        assert gain("oracle", name) > 10
        assert gain(name, "random") > 10
        assert name == "beb" or gain(name, "beb") < 3.72


def late_value(name, **kwargs):
    """Mean expected reward of a step in the last ten inner episodes."""
    trace, _, _ = history(name, 300, 1, **kwargs)
    return trace.value[-30:].mean()


def test_in_the_end_learning_approaches_the_oracle():
    kwargs = {"n_states": 2, "n_actions": 2, "inner_horizon": 3, "n_episodes": 60}
    oracle, learner, random = (late_value(name, **kwargs) for name in ("oracle", "beb", "random"))
    assert (learner - random) / (oracle - random) > 0.9


def test_the_bonus_is_the_nearest_practical_policy():
    family = make_family(MDP)
    assert best_reference(family).name == "beb"
    assert REFERENCES["beb"].optimality(family) == NEAR
