"""Trials at which a probe measures if it is not told."""

from metalocus.envs import make_family
from metalocus.experiments.instruments.spacing import spaced_choices

BANDIT, TWO_STEP = "metalocus/BernoulliBandit-v0", "metalocus/TwoStep-v0"


def test_trials_are_spaced_by_ratio_up_to_the_last():
    """Ratios of 99 to the power 1/3, 4.63, from 1 on."""
    assert spaced_choices(make_family(BANDIT, horizon=100), 4) == [1, 5, 21, 99]
    assert spaced_choices(make_family(BANDIT, horizon=2), 4) == [1]
    assert spaced_choices(make_family(BANDIT, horizon=1), 4) == [0]


def test_of_the_two_steps_of_a_trial_only_the_choice_is_measured():
    """At the second step there is one action alone; 2, 2 * 99 ** (1 / 3) = 9.25, 42.8, 198."""
    assert spaced_choices(make_family(TWO_STEP), 4) == [2, 8, 42, 198]
    assert spaced_choices(make_family(TWO_STEP, horizon=2), 4) == [0]
