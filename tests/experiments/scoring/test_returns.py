"""Returns: their mean and interval, their independence of the batch, and the papers' figures."""

import json

import numpy as np
import pytest

from metalocus.agents.agent import NamedAgent, NonFinite, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.scoring import chunks
from metalocus.experiments.scoring.returns import expected_returns, mean_return, returns

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"

# Mean total reward at 100 pulls of U[0,1] arms and on the reversal task, recomputed for this
# project with a standard error of about 0.1 and printed to 0.1.
RECOMPUTED = 0.11
BANDIT_TOTALS = [
    ("random", 10, 50.1),
    ("wsls", 5, 67.9),
    ("wsls", 10, 72.5),
    ("wsls", 50, 77.1),
    ("gittins", 5, 78.5),
    ("gittins", 10, 83.6),
    ("gittins", 50, 85.5),
    ("ucb1", 10, 81.4),
    ("greedy", 10, 79.2),
    ("thompson", 10, 77.1),
]
REVERSAL_TOTALS = [
    (0.9, 0.01, 86.8, 81.0),
    (0.9, 0.05, 80.7, 78.5),
    (0.9, 0.10, 75.4, 75.4),
    (0.75, 0.05, 65.0, 61.1),
]


def assert_near(found, total):
    """Within four standard errors of the difference of the two estimates."""
    error = (found["high"] - found["low"]) / 2 / 1.96
    assert found["mean"] == pytest.approx(total, abs=4 * np.hypot(error, RECOMPUTED))


@pytest.mark.parametrize(("policy", "n_arms", "total"), BANDIT_TOTALS)
def test_bandit_totals(policy, n_arms, total):
    """With many arms the best ones hardly differ, so that fewer episodes have as small an error."""
    kwargs = {"n_arms": n_arms, "horizon": 100}
    found = mean_return(Setting(BANDIT, **kwargs), policy, 800 if n_arms == 50 else 2500, 0)
    assert found["high"] - found["low"] < 1.6
    assert_near(found, total)


@pytest.mark.parametrize(("p", "hazard", "filtered", "wsls"), REVERSAL_TOTALS)
def test_reversal_totals(p, hazard, filtered, wsls):
    kwargs = {"p": p, "hazard": hazard, "horizon": 100}
    assert_near(mean_return(Setting(REVERSAL, **kwargs), "filter", 4000, 0), filtered)
    assert_near(mean_return(Setting(REVERSAL, **kwargs), "wsls", 4000, 0), wsls)


@pytest.mark.parametrize("n_arms", [2, 5, 10, 50])
def test_bayes_optimal_earns_its_exact_return(n_arms):
    kwargs = {"n_arms": n_arms, "horizon": 10}
    found = mean_return(Setting(BANDIT, **kwargs), "bayes_optimal", 6000, 1)
    exact = make_named("bayes_optimal", make_family(BANDIT, **kwargs)).optimal_return
    assert found["mean"] == pytest.approx(exact, abs=found["high"] - found["low"])


def test_interval_is_of_the_mean_over_episodes():
    found = mean_return(Setting(BANDIT, horizon=20), "random", 900, 4)
    total = returns(
        make_named("random", make_family(BANDIT, horizon=20)),
        Setting(BANDIT, horizon=20),
        900,
        4,
    )
    half = 1.959964 * total.std(ddof=1) / 30
    assert found["mean"] == pytest.approx(total.mean())
    assert found["low"] == pytest.approx(total.mean() - half, abs=1e-5)
    assert found["high"] == pytest.approx(total.mean() + half, abs=1e-5)
    assert found["episodes"] == 900


def test_interval_covers_the_known_mean_about_19_times_in_20():
    """Random choice on U[0,1] arms earns T / 2."""
    runs = [
        mean_return(Setting(BANDIT, horizon=10), "random", 200, 1000 * seed) for seed in range(150)
    ]
    covered = np.mean([run["low"] <= 5.0 <= run["high"] for run in runs])
    assert covered == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 150) ** 0.5)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_do_not_show(monkeypatch, chunk):
    agent = make_named("thompson", make_family(BANDIT, n_arms=3, horizon=10))
    kwargs = {"n_arms": 3, "horizon": 10}
    whole = returns(agent, Setting(BANDIT, **kwargs), 64, 0)
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    np.testing.assert_array_equal(returns(agent, Setting(BANDIT, **kwargs), 64, 0), whole)


def test_numpy_numbers_give_the_same_and_are_ready_for_json():
    found = mean_return(Setting(BANDIT, horizon=np.int64(5)), "wsls", np.int64(20), np.uint8(3))
    assert (
        json.loads(json.dumps(found))
        == found
        == mean_return(Setting(BANDIT, horizon=5), "wsls", 20, 3)
    )


class Wrong(NamedAgent):
    """Pulls the first arm; its probabilities are not finite from the third trial on."""

    name = "wrong"

    def start(self, n, rng):
        return Stores(state={"t": np.zeros(n)})

    def act(self, stimulus, stores):
        probs = np.tile([1.0, 0.0], (len(stores.state["t"]), 1))
        probs[stores.state["t"] == 2, 1] = np.nan
        return probs, stores

    def learn(self, stores, stimulus, action, reward):
        return Stores(state={"t": stores.state["t"] + 1.0})


def test_what_is_not_finite_is_not_averaged_in():
    setting = Setting(BANDIT, horizon=4)
    for play in (returns, expected_returns):
        with pytest.raises(NonFinite, match=f"wrong on {setting}: .*trial 2"):
            play(Wrong(setting.family), setting, 10, 0)


def test_the_first_episodes_are_the_same_however_many_there_are():
    many = fresh_episodes(Setting(BANDIT), 10, 5).keys
    np.testing.assert_array_equal(fresh_episodes(Setting(BANDIT), 4, 5).keys, many[:4])
    np.testing.assert_array_equal(fresh_episodes(Setting(BANDIT), 4, 5, first=3).keys, many[3:7])


def test_greedy_takes_the_most_probable_arm_throughout():
    agent = make_named("epsilon_greedy", make_family(REVERSAL, cued=True))
    sampled = returns(agent, Setting(REVERSAL), 300, 0)
    np.testing.assert_array_equal(returns(agent, Setting(REVERSAL), 300, 0), sampled)
    assert (returns(agent, Setting(REVERSAL), 300, 0, greedy=True) != sampled).any()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ((Setting("metalocus/None-v0"), "random"), "unknown environment"),
        ((Setting(BANDIT), "nobody"), "unknown policy"),
        ((Setting(REVERSAL), "gittins"), "gittins cannot play"),
        ((Setting(BANDIT), "random", 1), "episodes must be a whole number of at least 2"),
        ((Setting(BANDIT), "random", 10**10), r"at most 10,000,000, got 10,000,000,000: .* GB"),
        ((Setting(BANDIT), "random", 10, -1), "seed must be"),
        ((Setting(BANDIT, arms=3), "random", 10, 0), "no argument 'arms'"),
    ],
)
def test_wrong_use_is_refused(args, reason):
    with pytest.raises(InvalidTask, match=reason):
        mean_return(*args)
