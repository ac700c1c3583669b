"""Scores: return on the scale from random choice to the best reference of the setting."""

import numpy as np
import pytest

import metalocus
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.runs.named import BANDIT, CUED, REVERSAL
from metalocus.experiments.scoring import chunks
from metalocus.experiments.scoring.score import bounds_with, return_bounds, score

SETTING = Setting("metalocus/ReversalBandit-v0", horizon=15)


def mean(name):
    agent = make_named(name, SETTING.family)
    return rollout(agent, fresh_episodes(SETTING, 40, 2), 2).value.sum(axis=0).mean()


def test_a_score_is_the_place_of_the_mean_return_between_random_and_best():
    assert return_bounds(SETTING, 40, 2) == pytest.approx((mean("random"), mean("filter")))
    expected = (mean("wsls") - mean("random")) / (mean("filter") - mean("random"))
    found = score(make_named("wsls", SETTING.family), SETTING, 40, 2)
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0.3 < found < 1.0


def test_chunks_do_not_show_in_a_score(monkeypatch):
    agent = make_named("wsls", SETTING.family)
    whole = score(agent, SETTING, 41, 2)
    monkeypatch.setattr(chunks, "CHUNK", 10)
    bounds_with.cache_clear()
    assert score(agent, SETTING, 41, 2) == pytest.approx(whole, rel=1e-12)
    bounds_with.cache_clear()


def test_a_better_reference_that_is_loaded_changes_the_scale(unload, tmp_path):
    """One that says so and comes first in the alphabet."""
    agent = make_named("wsls", SETTING.family)
    before = score(agent, SETTING, 40, 2)
    file = tmp_path / "poor.py"
    file.write_text(
        "from metalocus.agents.agent import EXACT\n"
        "from metalocus.agents.references.generic.policies import WinStayLoseShift\n"
        "class Poor(WinStayLoseShift):\n"
        "    name, summary = 'a_poor_one', 'says that it is the best'\n"
        "    def optimality(family):\n"
        "        return EXACT\n"
    )
    metalocus.load(file)
    assert score(agent, SETTING, 40, 2) == 1.0 > before


def test_where_nothing_can_be_gained_there_is_no_score():
    equal = Setting("metalocus/GaussianBandit-v0", prior_sd=0.0, horizon=4)
    with pytest.raises(InvalidTask, match=r"no score on metalocus/GaussianBandit-v0 .*prior_sd"):
        score(make_named("random", equal.family), equal, 10, 0)


def test_named_settings_are_settings():
    for setting in (BANDIT, REVERSAL, CUED):
        assert setting == Setting(setting.env, **setting.kwargs)
        assert setting.family.horizon == setting.kwargs["horizon"]
        assert np.isfinite(return_bounds(setting, 10, 0)).all()
