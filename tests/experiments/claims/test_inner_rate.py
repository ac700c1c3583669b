"""The rate of inner learning: exact inference, fixed rates, and rates that follow other things."""

import dataclasses

import numpy as np
import pytest

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.catalogue import make_named
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.inner_rate import (
    AGENT,
    EXACT,
    EXACT_FILTER,
    FIXED,
    FIXED_FILTER,
    VOLATILE,
    Matching,
    flipped,
    relative_slope,
    within,
)
from metalocus.experiments.runs.named import setting_called
from metalocus.experiments.studies.presets import PRESETS

pytestmark = pytest.mark.usefixtures("small_claims")

FEW = dataclasses.replace(PRESETS["smoke"], episodes=50)
SEED = 9


def measured(agent):
    found = CLAIMS.find("inner_rate").measure({VOLATILE.name: agent}, FEW, SEED)
    return {name: by_task.get(VOLATILE.name) for name, by_task in found.items()}


class Sharp(Matching):
    """Log-odds of a multiple of the filter's."""

    def act(self, stimulus, stores):
        odds = super().act(stimulus, stores)[0] ** 3
        return odds / odds.sum(axis=1, keepdims=True), stores


class Rule(Agent):
    """Rescorla-Wagner on the difference of the arms, its rate a function of value and trial."""

    def __init__(self, rate):
        self.rate = rate

    def start(self, n, rng):
        return Stores(state={"value": np.zeros(n), "trial": np.zeros(n), "surprise": np.zeros(n)})

    def act(self, stimulus, stores):
        chance = 1.0 / (1.0 + np.exp(-6.0 * stores.state["value"]))
        return np.stack([1.0 - chance, chance], axis=1), stores

    def learn(self, stores, stimulus, action, reward):
        value, trial, surprise = stores.state.values()
        error = (2.0 * action - 1.0) * (2.0 * reward - 1.0) - value
        value = value + self.rate(value, trial, surprise) * error
        surprise = surprise + 0.1 * (abs(error) - surprise)
        return Stores(state={"value": value, "trial": trial + 1.0, "surprise": surprise})


def test_exact_inference_adapts_and_a_fixed_hazard_does_not():
    """However sharply choices follow beliefs."""
    exact, fixed = (make_named(name, VOLATILE.family) for name in (EXACT, FIXED))
    found = measured(Matching(exact))
    assert found["adaptation"] == pytest.approx(1.0)
    assert abs(found["fixed_rate"]) < 0.05
    assert measured(Sharp(exact))["adaptation"] == pytest.approx(1.0, abs=0.05)
    found = measured(Matching(fixed))
    assert found["adaptation"] == found["fixed_rate"] == pytest.approx(0.0, abs=0.05)
    assert found["by_recency"] == pytest.approx(0.0, abs=0.05)


def test_a_rate_that_follows_something_else_is_no_adaptation():
    """Another fixed rate, the trial's number, belief; a slow one deceives without the matching."""
    rates = {
        "slow": lambda value, trial, surprise: 0.05,
        "trial": lambda value, trial, surprise: 0.02 + 0.6 * trial / 400.0,
        "belief": lambda value, trial, surprise: 0.5 - 0.4 * abs(value),
    }
    found = {name: measured(Rule(rate)) for name, rate in rates.items()}
    for name, values in found.items():
        assert values["adaptation"] == pytest.approx(0.0, abs=0.1), name
    assert found["slow"]["by_recency"] > 0.6
    other = make_named(FIXED, VOLATILE.family)
    other.hazard = 0.005
    assert measured(Matching(other))["adaptation"] == pytest.approx(0.0, abs=0.1)


def test_a_rate_that_grows_with_surprise_goes_the_other_way():
    rule = Rule(lambda value, trial, surprise: 0.1 + 0.4 * surprise)
    assert measured(rule)["adaptation"] < -0.25


def test_an_agent_that_does_not_learn_has_no_rate():
    found = measured(make_named("fixed_bias", VOLATILE.family))
    assert found["adaptation"] is None
    assert found["above_fixed"] < -0.5


def test_the_exact_filters_influence_is_that_of_bayes_rule_by_hand():
    """From the belief before the reward alone, at the second trial: 0.25 of all four pairs."""
    flips = flipped(Matching(make_named(EXACT, VOLATILE.family)), VOLATILE, 20, SEED)
    keep = 1.0 - np.array([0.0, 0.2])  # after a win of the arm, by level; levels are as likely
    good = (0.75 * keep + 0.25 * (1.0 - keep)).mean()
    log_odds = 2.0 * np.log(good / (1.0 - good))  # a loss is the win's mirror image
    for player in (AGENT, EXACT_FILTER):
        np.testing.assert_allclose(flips.log_odds[player][:20], log_odds)
        np.testing.assert_allclose(flips.probability[player][:20], 2.0 * good - 1.0)
        np.testing.assert_allclose(flips.before[player][:20], 0.0, atol=1e-12)
    np.testing.assert_allclose(flips.volatile[:20], 0.5)
    hazard = make_named(FIXED, VOLATILE.family).hazard
    fixed = 0.75 * (1.0 - hazard) + 0.25 * hazard
    expected = 2.0 * np.log(fixed / (1.0 - fixed))
    np.testing.assert_allclose(flips.log_odds[FIXED_FILTER][:20], expected)


def test_a_slope_within_cells_is_that_of_a_regression_with_their_means():
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 5, 400)
    volatile = rng.uniform(size=400) + 0.3 * cells
    change = 2.0 - 0.5 * volatile + 3.0 * cells + 0.1 * rng.normal(size=400)
    design = np.column_stack([volatile, cells[:, None] == np.arange(5)])
    slope = np.linalg.lstsq(design, change, rcond=None)[0][0]
    assert relative_slope(change, volatile, cells) == pytest.approx(slope / change.mean())
    assert relative_slope(change, 0.1 * cells, cells) is None
    np.testing.assert_allclose(np.bincount(cells, within(change, cells)), 0.0, atol=1e-9)


def test_it_is_asked_of_hidden_volatility_alone():
    claim = CLAIMS.find("inner_rate")
    for kwargs, reason in (
        ({"cued": True}, "without a cue"),
        ({"low_hazard": 0.1, "high_hazard": 0.1}, "no volatility to infer"),
        ({"horizon": 1}, "no choice follows"),
    ):
        asked = FEW.about_agent(None, setting_called(VOLATILE.env, **kwargs))
        assert reason in claim.why_not(asked)
    assert claim.why_not(FEW.about_agent(None, setting_called(VOLATILE.env, horizon=20))) is None
