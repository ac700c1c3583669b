"""The volatile bandit switches at the hazard of a level that switches itself.

Statistical tests are derandomised; each would fail sound code with probability 1e-4 at most
over all of its examples.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

VOLATILE, REVERSAL = "metalocus/VolatileBandit-v1", "metalocus/ReversalBandit-v0"
FALSE_ALARM = 1e-6
some = settings(max_examples=12, deadline=None, derandomize=True)
chances = st.floats(0.02, 0.98)


def run(n, horizon, **kwargs):
    """Good arms and levels [T, N], actions and rewards [T, N] under random choices."""
    episodes = make_episodes(VOLATILE, seed_keys(0, n), horizon=horizon, **kwargs)
    rng = np.random.default_rng(1)
    seen = {"good": [], "volatile": [], "action": [], "reward": []}
    for _ in range(horizon):
        for name, value in episodes.latents.items():
            seen[name].append(value)
        seen["action"].append(rng.integers(2, size=n))
        seen["reward"].append(episodes.step(seen["action"][-1])[0])
    return tuple(np.array(seen[name]) for name in ("good", "volatile", "action", "reward"))


@some
@given(hazards=st.tuples(chances, chances).map(sorted), level=chances)
def test_both_levels_switch_at_their_hazards(hazards, level):
    low, high = hazards
    good, volatile, *_ = run(800, 25, low_hazard=low, high_hazard=high, level_hazard=level)
    for first in (good[0], volatile[0], good[0] ^ volatile[0]):
        assert stats.binomtest(int(first.sum()), 800).pvalue > FALSE_ALARM
    changed, switched = volatile[1:] != volatile[:-1], good[1:] != good[:-1]
    assert stats.binomtest(int(changed.sum()), changed.size, level).pvalue > FALSE_ALARM
    for now, hazard in ((0, low), (1, high)):  # at the level that holds after its own change
        for after_change in (False, True):
            which = switched[(volatile[1:] == now) & (changed == after_change)]
            if which.size:
                assert stats.binomtest(int(which.sum()), which.size, hazard).pvalue > FALSE_ALARM


@some
@given(p=chances)
def test_the_good_arm_pays_with_p_at_either_level(p):
    good, volatile, action, reward = run(500, 20, p=p, level_hazard=0.2)
    for level in (0, 1):
        for right, chance in ((True, p), (False, 1 - p)):
            paid = reward[(volatile == level) & ((action == good) == right)]
            assert stats.binomtest(int(paid.sum()), paid.size, chance).pvalue > FALSE_ALARM


def test_nothing_hidden_depends_on_the_actions():
    runs = []
    for action in (0, 1):
        episodes = make_episodes(VOLATILE, seed_keys(0, 200), high_hazard=0.4, level_hazard=0.2)
        for _ in range(40):
            episodes.step(np.full(200, action))
        runs.append(episodes.latents)
    for name in ("good", "volatile"):
        np.testing.assert_array_equal(runs[0][name], runs[1][name])


def test_equal_hazards_make_it_the_reversal_task_to_the_last_reward():
    """The control has one level, and the same random numbers."""
    plain = make_episodes(REVERSAL, seed_keys(0, 200), hazard=0.1, p=0.75)
    control = make_episodes(VOLATILE, seed_keys(0, 200), low_hazard=0.1, high_hazard=0.1)
    rng = np.random.default_rng(0)
    for _ in range(60):
        np.testing.assert_array_equal(plain.observation(), control.observation())
        action = rng.integers(2, size=200)
        np.testing.assert_array_equal(plain.step(action)[0], control.step(action)[0])


def test_the_cue_is_the_good_arm():
    episodes = make_episodes(VOLATILE, seed_keys(0, 100), cued=True, high_hazard=0.5)
    assert episodes.family.telling
    for _ in range(20):
        np.testing.assert_array_equal(episodes.stimulus(), np.eye(2)[episodes.latents["good"]])
        np.testing.assert_array_equal(episodes.means() == 0.75, episodes.stimulus() > 0)
        episodes.step(np.zeros(100, int))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"low_hazard": 0.3, "high_hazard": 0.2}, "high_hazard must be at least low_hazard"),
        ({"level_hazard": 2}, "level_hazard must be a probability"),
        ({"p": None}, "p must be a probability"),
        ({"cued": "yes"}, "cued must be True or False"),
        ({"horizon": 0}, "horizon must be"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(VOLATILE, **kwargs)


def test_a_third_level_is_refused():
    with pytest.raises(InvalidTask, match="volatile must be from 0 to 1"):
        make_episodes(VOLATILE).set_task({"volatile": 2})
