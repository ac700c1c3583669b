"""What it is worth to infer the volatility: the exact filter beside the best constant hazard."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.references.switching.fixed_hazard import HAZARDS
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

VOLATILE = "metalocus/VolatileBandit-v1"
EPISODES = 200


def earned(name, setting, hazard=None):
    """Expected total reward of each episode, [N]."""
    policy = make_named(name, setting.family)
    policy.hazard = getattr(policy, "hazard", None) if hazard is None else hazard
    return rollout(policy, fresh_episodes(setting, EPISODES, 0)).value.sum(axis=0)


def test_it_is_worth_seven_percent_of_what_is_earned_above_chance():
    """An independent simulation of 20,000 episodes has 260.33 and 256.42, that is 6.5%."""
    setting = Setting(VOLATILE)
    gain = earned("volatile_filter", setting) - earned("fixed_hazard_filter", setting)
    error = gain.std() / EPISODES**0.5
    assert gain.mean() == pytest.approx(260.33 - 256.42, abs=4.0 * error)
    assert gain.mean() > 4.0 * error


def test_the_hazard_that_is_chosen_is_the_best_on_other_episodes_too():
    setting = Setting(VOLATILE, horizon=200)
    best = make_named("fixed_hazard_filter", setting.family).hazard
    assert best in HAZARDS
    chosen = earned("fixed_hazard_filter", setting)
    for other in (0.0, best / 6.0, best * 6.0):
        assert (chosen - earned("fixed_hazard_filter", setting, other)).mean() > 0.0


def test_with_one_level_it_is_the_exact_filter():
    setting = Setting(VOLATILE, low_hazard=0.05, high_hazard=0.05, horizon=200)
    exact, fixed = (earned(name, setting) for name in ("volatile_filter", "fixed_hazard_filter"))
    assert exact.mean() - fixed.mean() < 0.002 * exact.mean()
    hazard = make_named("fixed_hazard_filter", setting.family).hazard
    assert 0.03 < hazard < 0.08
    np.testing.assert_allclose(earned("fixed_hazard_filter", setting, 0.05), exact)


def test_a_cue_makes_the_hazard_idle():
    setting = Setting(VOLATILE, cued=True, horizon=20)
    np.testing.assert_allclose(earned("fixed_hazard_filter", setting), 0.75 * 20)
    assert make_family(VOLATILE).p == 0.75
