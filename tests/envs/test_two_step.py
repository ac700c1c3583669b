"""The two-step task moves, pays and changes as its docstring says.

Statistical tests are fixed (seeds given, hypothesis derandomised); each would fail sound code
with probability 1e-4 at most, all its examples together.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

TWO_STEP = "metalocus/TwoStep-v0"
DAW = {"rewards": "drifting", "second_choices": 2, "p_common": 0.7}
FALSE_ALARM = 1e-4
EXAMPLES = 10
some = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
chances = st.integers(0, 1000).map(lambda k: k / 1000)
seeds = st.integers(0, 2**20)


def begin(n, seed=0, **kwargs):
    """n episodes at their first step."""
    return make_episodes(TWO_STEP, seed_keys(seed, n), **kwargs)


def play(episodes, policy, steps):
    """Latents before every step, actions and rewards, under ``policy(rng, n)``."""
    rng, log = np.random.default_rng(7), []
    for _ in range(steps):
        before = {name: value.copy() for name, value in episodes.latents.items()}
        action = policy(rng, len(episodes))
        log.append((before, action, episodes.step(action)[0]))
    return log


def at_random(rng, n):
    return rng.integers(2, size=n)


@some
@given(p_common=chances, seed=seeds)
def test_an_action_leads_to_the_state_of_its_number_as_often_as_is_common(p_common, seed):
    log = play(begin(400, seed, p_common=p_common), at_random, 20)
    action = np.array([taken for _, taken, _ in log[::2]])
    reached = np.array([latents["state"] for latents, _, _ in log[1::2]]) - 1
    assert set(np.unique(reached)) <= {0, 1}
    for one in (0, 1):
        common = (reached == one)[action == one]
        test = stats.binomtest(int(common.sum()), common.size, p_common)
        assert test.pvalue > FALSE_ALARM / (2 * EXAMPLES)


def test_transitions_are_common_or_rare_whatever_the_action():
    logs = [play(begin(200, **DAW), lambda rng, n, one=one: np.full(n, one), 40) for one in (0, 1)]
    for (first, _, _), (other, _, _) in zip(*(log[1::2] for log in logs), strict=True):
        np.testing.assert_array_equal(first["state"] == 1, other["state"] == 2)


@pytest.mark.parametrize("kwargs", [{}, DAW])
def test_the_stages_take_turns_and_the_first_pays_nothing(kwargs):
    log = play(begin(50, **kwargs), at_random, 20)
    for t, (latents, _, reward) in enumerate(log):
        assert (latents["state"] == 0).all() if t % 2 == 0 else (latents["state"] > 0).all()
        assert t % 2 or not reward.any()
        assert set(np.unique(reward)) <= {0.0, 1.0}
    assert any(reward.any() for _, _, reward in log)


@some
@given(hazard=chances, seed=seeds)
def test_the_good_state_switches_between_trials_at_the_hazard_rate(hazard, seed):
    log = play(begin(300, seed, hazard=hazard), at_random, 41)
    good = np.array([latents["good"] for latents, _, _ in log])
    np.testing.assert_array_equal(good[:-1:2], good[1::2])
    switches = good[2::2] != good[:-2:2]
    test = stats.binomtest(int(switches.sum()), switches.size, hazard)
    assert test.pvalue > FALSE_ALARM / EXAMPLES


@some
@given(p=chances, seed=seeds)
def test_the_good_state_pays_with_p_and_the_other_with_the_rest(p, seed):
    log = play(begin(400, seed, p=p, hazard=0.3), at_random, 20)
    good = np.array([latents["state"] - 1 == latents["good"] for latents, _, _ in log[1::2]])
    paid = np.array([reward for _, _, reward in log[1::2]])
    for which, chance in ((good, p), (~good, 1 - p)):
        test = stats.binomtest(int(paid[which].sum()), int(which.sum()), chance)
        assert test.pvalue > FALSE_ALARM / (2 * EXAMPLES)


def test_every_outcome_pays_by_its_own_chance():
    """The four outcomes of one known task, pooled over the drift of one trial: rate 4e-5."""
    episodes = begin(20_000, **DAW)
    chance = np.array([[0.3, 0.7], [0.4, 0.6]])
    episodes.set_task({"chances": chance})
    (_, _, _), (latents, action, reward) = play(episodes, at_random, 2)
    for state in (0, 1):
        for choice in (0, 1):
            here = (latents["state"] - 1 == state) & (action == choice)
            test = stats.binomtest(int(reward[here].sum()), int(here.sum()), chance[state, choice])
            assert test.pvalue > 1e-5


def reflected(y, x, sd=0.025, low=0.25, high=0.75):
    """Distribution function of a Gaussian step from x, folded back at both bounds."""
    within = stats.norm.cdf((y - x) / sd) - stats.norm.cdf((2 * low - y - x) / sd)
    return within + stats.norm.sf((2 * high - y - x) / sd)


@some
@given(start=st.floats(0.25, 0.75), seed=seeds)
def test_chances_drift_as_reflected_gaussian_walks(start, seed):
    """Each step's place in its law is uniform, by Kolmogorov-Smirnov; also near the bounds."""
    episodes = begin(200, seed, **DAW)
    episodes.set_task({"chances": np.array([[start, 0.25], [0.75, 0.74]])})
    log = play(episodes, at_random, 21)
    walk = np.array([latents["chances"] for latents, _, _ in log])
    np.testing.assert_array_equal(walk[:-1:2], walk[1::2])  # nothing drifts within a trial
    before, after = walk[:-2:2], walk[2::2]
    assert walk.min() >= 0.25
    assert walk.max() <= 0.75
    for outcome in np.ndindex(2, 2):
        x, y = (part[:, :, *outcome] for part in (before, after))
        test = stats.kstest(reflected(y, x).ravel(), "uniform")
        assert test.pvalue > FALSE_ALARM / (5 * EXAMPLES)
    moves = (after - before)[:, :, 0]
    alike = stats.spearmanr(moves[..., 0].ravel(), moves[..., 1].ravel())
    assert alike.pvalue > FALSE_ALARM / (5 * EXAMPLES)


def test_a_drift_far_from_the_bounds_has_its_standard_deviation():
    """80,000 moves from 1/2 by the chi-square law of their squares, both tails: rate 1e-4."""
    episodes = begin(20_000, **DAW)
    episodes.set_task({"chances": np.full((2, 2), 0.5)})
    play(episodes, at_random, 2)
    moves = (episodes.latents["chances"] - 0.5).ravel()
    squares = (moves**2).sum() / 0.025**2
    law = stats.chi2(len(moves))
    assert 2 * min(law.cdf(squares), law.sf(squares)) > FALSE_ALARM / 2
    assert stats.ttest_1samp(moves, 0).pvalue > FALSE_ALARM / 2


def test_tasks_are_drawn_from_their_priors():
    drawn = begin(3000, **DAW).latents["chances"].reshape(3000, 4)
    for outcome in drawn.T:
        assert stats.kstest(outcome, stats.uniform(0.25, 0.5).cdf).pvalue > FALSE_ALARM / 5
    good = begin(3000).latents["good"]
    assert stats.binomtest(int(good.sum()), 3000).pvalue > FALSE_ALARM / 5


@pytest.mark.parametrize(("kwargs", "hidden"), [({"hazard": 0.2}, "good"), (DAW, "chances")])
def test_what_pays_changes_whatever_the_agent_does(kwargs, hidden):
    policies = (at_random, lambda rng, n: np.zeros(n, int), lambda rng, n: np.ones(n, int))
    runs = [play(begin(100, **kwargs), policy, 40) for policy in policies]
    for steps in zip(*runs, strict=True):
        for latents, _, _ in steps[1:]:
            np.testing.assert_array_equal(latents[hidden], steps[0][0][hidden])


@pytest.mark.parametrize("rewards", ["switching", "drifting"])
def test_with_one_second_choice_the_second_action_changes_nothing(rewards):
    one, other = (begin(200, rewards=rewards) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        first = rng.integers(2, size=200)
        for episodes in (one, other):
            episodes.step(first)
        np.testing.assert_array_equal(one.privileged_value()[:, 0], one.privileged_value()[:, 1])
        rewards = [one.step(rng.integers(2, size=200))[0], other.step(np.zeros(200, int))[0]]
        np.testing.assert_array_equal(*rewards)


@pytest.mark.parametrize("kwargs", [{"p": 0.8}, {"p": 0.1}, {"rewards": "drifting"}, DAW])
def test_the_privileged_value_is_the_expected_reward_of_a_trial_given_the_latents(kwargs):
    """By enumeration of transitions and second choices, in plain Python."""
    episodes = begin(40, **kwargs)
    family = episodes.family
    for step in range(12):
        privileged_value, means = episodes.privileged_value(), episodes.means()
        for row in range(40):
            if "good" in episodes.latents:
                good = episodes.latents["good"][row]
                pays = [[family.p if state == good else 1 - family.p] * 2 for state in (0, 1)]
            else:
                pays = [list(c) * (2 // len(c)) for c in episodes.latents["chances"][row]]
            if step % 2:
                state = episodes.latents["state"][row] - 1
                assert privileged_value[row].tolist() == means[row].tolist() == pays[state]
            else:
                p = family.p_common
                leads = [[p, 1 - p], [1 - p, p]]
                known = [sum(leads[a][s] * max(pays[s]) for s in (0, 1)) for a in (0, 1)]
                np.testing.assert_allclose(privileged_value[row], known, atol=1e-12)
                assert means[row].tolist() == [0.0, 0.0]
        episodes.step(np.random.default_rng(step).integers(2, size=40))


@pytest.mark.parametrize("rewards", ["switching", "drifting"])
def test_in_the_control_both_first_choices_have_the_same_value(rewards):
    control, task = (begin(50, p_common=p, rewards=rewards).privileged_value() for p in (0.5, 0.8))
    np.testing.assert_allclose(control[:, 0], control[:, 1], atol=1e-12)
    assert (np.abs(task[:, 0] - task[:, 1]) > 1e-6).all()


def test_the_stimulus_shows_where_the_agent_is():
    episodes = begin(30, **DAW)
    for _ in range(6):
        shown = episodes.stimulus()
        np.testing.assert_array_equal(shown, np.eye(3)[episodes.latents["state"]])
        episodes.step(np.zeros(30, int))


@pytest.mark.parametrize(("kwargs", "hidden"), [({"hazard": 0.5}, "good"), (DAW, "chances")])
def test_rows_may_be_at_different_stages(kwargs, hidden):
    """A row that is reset in mid-trial begins at its first stage; the others go on."""
    together, alone = begin(6, **kwargs), begin(6, **kwargs)
    rng = np.random.default_rng(0)
    action = rng.integers(2, size=(9, 6))
    for t in range(3):
        together.step(action[t])
        alone.step(action[t])
    together.reset(np.array([True, False, True, False, False, True]))
    began = together.latents[hidden].copy()
    for t in range(3, 9):
        mixed, plain = together.step(action[t])[0], alone.step(action[t])[0]
        kept = [1, 3, 4]
        np.testing.assert_array_equal(mixed[kept], plain[kept])
        at_first = together.t % 2 == 0
        np.testing.assert_array_equal(together.latents["state"] == 0, at_first)
        ours, theirs = together.latents[hidden], alone.latents[hidden]
        np.testing.assert_array_equal(ours[kept], theirs[kept])
        within = ~at_first | (together.t == 0)
        np.testing.assert_array_equal(ours[within], began[within])
        began = ours.copy()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"rewards": "constant"}, "rewards must be one of switching, drifting, got 'constant'"),
        ({"second_choices": 0}, "second_choices must be a whole number of at least 1"),
        ({"second_choices": 3}, "second_choices must be at most 2"),
        ({"second_choices": 2}, "must be 1 if rewards are 'switching'"),
        ({"p_common": 1.5}, "p_common must be a probability"),
        ({"p": -0.5}, "p must be a probability"),
        ({"hazard": None}, "hazard must be a probability"),
        ({"horizon": 7}, "horizon must be even"),
        ({"horizon": 0}, "horizon must be a whole number of at least 2"),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(InvalidTask, match=message) as caught:
        make_family(TWO_STEP, **kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kwargs", "task", "message"),
    [
        ({}, {"state": 3}, "state must be from 0 to 2"),
        ({}, {"good": 2}, "good must be from 0 to 1"),
        (DAW, {"chances": np.full((2, 2), 0.8)}, "chances must be numbers from 0.25 to 0.75"),
        (DAW, {"chances": np.full((2, 2), np.nan)}, "'chances' must be finite"),
        (DAW, {"good": 0}, "no 'good'"),
    ],
)
def test_bad_tasks_are_refused(kwargs, task, message):
    with pytest.raises(InvalidTask, match=message):
        begin(2, **kwargs).set_task(task)
