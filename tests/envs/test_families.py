"""Each family draws its tasks and rewards as its docstring says.

Statistical tests use fixed seeds; each would fail sound code with probability 1e-4 at most.
"""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import make_episodes
from metalocus.envs.common_random_numbers import seed_keys

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
FALSE_ALARM = 1e-4


def begin(env_id, n, seed=0, **kwargs):
    """n episodes at their first trial."""
    return make_episodes(env_id, seed_keys(seed, n), **kwargs)


@pytest.mark.parametrize(
    ("prior", "a", "b"),
    [
        ("uniform", 1, 1),
        ("beta(1,1)", 1, 1),
        ("beta(2,5)", 2, 5),
        ("beta( 0.5 , 0.5 )", 0.5, 0.5),
        ("beta(1e2,3)", 100, 3),
    ],
)
def test_independent_priors(prior, a, b):
    means = begin(BANDIT, 4000, n_arms=3, prior=prior).means()
    assert means.shape == (4000, 3)
    law = stats.beta(a, b)
    for arm in range(3):
        assert stats.kstest(means[:, arm], law.cdf).pvalue > FALSE_ALARM
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert stats.spearmanr(means[:, one], means[:, other]).pvalue > FALSE_ALARM


def test_extreme_beta_priors_stay_probabilities():
    for prior in ("beta(0.001,0.001)", "beta(1000000,2)", "beta(0.01,50)"):
        means = begin(BANDIT, 1000, prior=prior).means()
        assert np.isfinite(means).all()
        assert means.min() >= 0
        assert means.max() <= 1


def test_the_dependent_prior():
    means = begin(BANDIT, 4000, prior="dependent").means()
    assert stats.kstest(means[:, 0], "uniform").pvalue > FALSE_ALARM
    np.testing.assert_array_equal(means[:, 1], 1.0 - means[:, 0])


@pytest.mark.parametrize(("prior", "low"), [("easy", 0.1), ("medium", 0.25), ("hard", 0.4)])
def test_the_discrete_dependent_priors(prior, low):
    episodes = begin(BANDIT, 4000, prior=prior)
    means = episodes.means()
    assert set(means[:, 0]) == {low, 1 - low}
    assert episodes.family.support == (low, 1 - low)
    np.testing.assert_array_equal(means[:, 1], 1.0 - means[:, 0])
    assert stats.binomtest(int((means[:, 0] == low).sum()), 4000).pvalue > FALSE_ALARM


@pytest.mark.parametrize("prior", ["uniform", "beta(2,5)", "dependent"])
def test_continuous_priors_have_no_support_to_list(prior):
    assert begin(BANDIT, 1, prior=prior).family.support is None


def test_bandit_rewards_have_the_arms_means_and_the_task_stays():
    episodes = begin(BANDIT, 2000, n_arms=5, horizon=20)
    episodes.set_task({"means": [0.0, 0.1, 0.5, 0.93, 1.0]})
    rng = np.random.default_rng(0)
    wins, pulls = np.zeros(5), np.zeros(5)
    for _ in range(20):
        action = rng.integers(5, size=2000)
        reward, _ = episodes.step(action)
        assert set(np.unique(reward)) <= {0.0, 1.0}
        wins += np.bincount(action, reward, 5)
        pulls += np.bincount(action, minlength=5)
    np.testing.assert_array_equal(episodes.means(), np.tile([0.0, 0.1, 0.5, 0.93, 1.0], (2000, 1)))
    assert (wins[0], wins[4]) == (0, pulls[4])
    for arm, mean in ((1, 0.1), (2, 0.5), (3, 0.93)):
        test = stats.binomtest(int(wins[arm]), int(pulls[arm]), mean)
        assert test.pvalue > FALSE_ALARM


def test_rewards_of_one_arm_are_independent_over_trials():
    episodes = begin(BANDIT, 1000, horizon=40, prior="easy")
    episodes.set_task({"means": [0.5, 0.5]})
    rewards = np.stack([episodes.step(np.zeros(1000, int))[0] for _ in range(40)])
    same = int((rewards[1:] == rewards[:-1]).sum())
    assert stats.binomtest(same, 39 * 1000).pvalue > FALSE_ALARM


def test_each_arm_has_noise_of_its_own():
    """At one trial of one episode two fair arms agree as often as not."""
    one, other = (begin(BANDIT, 1000, horizon=20) for _ in range(2))
    agree = 0
    for episodes in (one, other):
        episodes.set_task({"means": [0.5, 0.5]})
    for _ in range(20):
        first, second = one.step(np.zeros(1000, int))[0], other.step(np.ones(1000, int))[0]
        agree += int((first == second).sum())
    assert stats.binomtest(agree, 20 * 1000).pvalue > FALSE_ALARM


def reversals(n, horizon, policy, **kwargs):
    """The good arm [T, N] and rewards [T, N] under ``policy(rng, good)``."""
    episodes = begin(REVERSAL, n, horizon=horizon, **kwargs)
    rng = np.random.default_rng(1)
    goods, rewards = [], []
    for _ in range(horizon):
        goods.append(episodes.latents["good"])
        rewards.append(episodes.step(policy(rng, goods[-1]))[0])
    return np.array(goods), np.array(rewards)


def at_random(rng, good):
    return rng.integers(2, size=len(good))


def to_the_good(_, good):
    return good


@pytest.mark.parametrize("hazard", [0.01, 0.1, 0.5])
def test_the_good_arm_switches_at_the_hazard_rate(hazard):
    goods, _ = reversals(1000, 50, at_random, hazard=hazard)
    switches = goods[1:] != goods[:-1]
    assert stats.binomtest(int(switches.sum()), switches.size, hazard).pvalue > FALSE_ALARM
    running = (switches[1:] & switches[:-1]).sum()  # no memory: two in a row at hazard squared
    assert stats.binomtest(int(running), 48 * 1000, hazard**2).pvalue > FALSE_ALARM
    per_trial = switches.sum(axis=1)
    z = (per_trial - 1000 * hazard) / np.sqrt(1000 * hazard * (1 - hazard))
    assert stats.chi2.sf((z**2).sum(), 49) > FALSE_ALARM


@pytest.mark.parametrize(("hazard", "flips"), [(0.0, 0), (1.0, 1)])
def test_hazards_of_zero_and_one(hazard, flips):
    goods, _ = reversals(100, 20, at_random, hazard=hazard)
    np.testing.assert_array_equal(np.abs(np.diff(goods, axis=0)), flips)


def test_either_arm_is_the_good_one_at_first():
    good = begin(REVERSAL, 4000).latents["good"]
    assert set(good) == {0, 1}
    assert stats.binomtest(int(good.sum()), 4000).pvalue > FALSE_ALARM


@pytest.mark.parametrize("p", [0.0, 0.3, 0.75, 1.0])
def test_the_good_arm_pays_with_p_and_the_other_with_the_rest(p):
    for policy, chance in ((to_the_good, p), (lambda rng, good: 1 - good, 1 - p)):
        _, rewards = reversals(1000, 20, policy, p=p, hazard=0.1)
        test = stats.binomtest(int(rewards.sum()), rewards.size, chance)
        assert test.pvalue > FALSE_ALARM


def test_means_follow_the_good_arm():
    episodes = begin(REVERSAL, 50, p=0.9, hazard=0.3)
    for _ in range(20):
        good = episodes.latents["good"]
        expected = np.where(np.arange(2) == good[:, None], 0.9, 1 - 0.9)
        np.testing.assert_array_equal(episodes.means(), expected)
        episodes.step(np.zeros(50, int))


def test_switches_do_not_depend_on_the_actions():
    runs = [
        reversals(300, 50, policy, hazard=0.1)[0]
        for policy in (at_random, to_the_good, lambda rng, good: np.zeros_like(good))
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


@pytest.mark.parametrize("arm", [0, 1])
def test_a_switch_is_independent_of_the_reward_before_it(arm):
    """One arm is pulled throughout; wins when it is the good one, split by what follows."""
    goods, rewards = reversals(
        1000, 30, lambda rng, good: np.full_like(good, arm), p=0.6, hazard=0.5
    )
    good, switch = goods[:-1] == arm, goods[1:] != goods[:-1]
    for following in (switch, ~switch):
        wins = rewards[:-1][good & following]
        assert stats.binomtest(int(wins.sum()), wins.size, 0.6).pvalue > FALSE_ALARM


def test_the_cue_shows_the_good_arm_at_every_trial_and_changes_nothing_else():
    cued, plain = (begin(REVERSAL, 100, hazard=0.2, cued=cued) for cued in (True, False))
    rng = np.random.default_rng(0)
    where = cued.layout.slices["stimulus"]
    for _ in range(30):
        cue = cued.observation()[:, where]
        np.testing.assert_array_equal(cue.argmax(axis=1), plain.latents["good"])
        assert (cue.sum(axis=1) == 1).all()
        np.testing.assert_array_equal(cued.observation()[:, where.stop :], plain.observation())
        action = rng.integers(2, size=100)
        np.testing.assert_array_equal(cued.step(action)[0], plain.step(action)[0])


def test_no_two_episodes_share_their_random_numbers(env_id):
    episodes = begin(env_id, 300)
    keys = [episodes.crn.keys]
    for _ in range(3):
        episodes.reset()
        keys.append(episodes.crn.keys)
    assert len(np.unique(keys)) == 4 * 300


def test_expected_rewards_are_the_rewards_to_be_expected(env_id):
    """Summed over trials, rewards minus the means of the chosen arms have mean 0: rate 1e-4."""
    n = 2000
    episodes = begin(env_id, n)
    rng = np.random.default_rng(2)
    noise = np.zeros(n)
    for _ in range(min(episodes.family.horizon, 20)):
        action = rng.integers(episodes.family.n_arms, size=n)
        expected = episodes.means()[np.arange(n), action]
        noise += episodes.step(action)[0] - expected
    certain = not noise.any()  # rewards without noise are those expected, to the last bit
    assert certain or stats.ttest_1samp(noise, 0).pvalue > FALSE_ALARM
