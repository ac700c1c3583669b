"""The latency probe: recoveries worked out elsewhere, and none where there is none."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.probes.latency import (
    AFTER,
    BEFORE,
    Latency,
    _aligned,
    _lonely,
    _summary,
)
from metalocus.experiments.scoring import chunks
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.scoring.curves import choice_value
from metalocus.experiments.scoring.sample import Sample

REVERSAL = Setting("metalocus/ReversalBandit-v0")
EPISODES = 1500


def found(name, setting=REVERSAL, episodes=EPISODES):
    return Latency().run(make_named(name, setting.family), setting, episodes)


def near(result, name, expected, more=0.0):
    """Within four standard errors of the difference: rate 1e-4."""
    error = 4 * np.hypot(result[f"{name}_se"], more)
    return abs(result[name] - expected) < error < 0.5 + 0.2 * abs(expected)


def test_win_stay_lose_shift_recovers_in_one_trial():
    """It is right with probability p after any trial of the same task, else with 1 - p."""
    result = found("wsls", Setting(REVERSAL.env, p=0.9))
    assert near(result, "before", 0.8)
    assert near(result, "after", -0.8)
    assert near(result, "drop", 1.6)
    assert near(result, "half", 0.5)
    assert near(result, "ninety", 0.9)
    assert near(result, "trials_lost", 1.0)
    assert near(result, "recovered", 1.0)
    np.testing.assert_allclose(result["curve"][BEFORE + 1 :], 0.8, atol=0.1)


def filtered(n, p=0.75, hazard=0.02, trials=100):
    """Choice values by lag of greedy choice on the belief, in a simulation apart, and how many.

    The belief is log-odds of arm 1; what a reward says of it does not depend on the arm pulled.
    """
    rng = np.random.default_rng(1)
    switch = rng.random((trials, n)) < hazard
    good = (rng.integers(2, size=n) + np.cumsum(switch, axis=0)) % 2
    says = np.where((rng.random((trials, n)) < p) == (good == 1), 1, -1)
    odds, belief, value = (1 - hazard) / hazard, np.zeros(n), np.empty((trials, n))
    for t in range(trials):
        value[t] = np.where(np.abs(belief) < 1e-9, 0, np.where((belief > 0) == good[t], 1, -1))
        belief = belief + says[t] * np.log(p / (1 - p))
        belief += np.log(odds + np.exp(-belief)) - np.log(odds + np.exp(belief))
    curves = [
        value[t - BEFORE : t + AFTER + 1, i]
        for t, i in zip(*np.nonzero(switch), strict=True)
        if t >= max(BEFORE, 1)
        and t + AFTER < trials
        and switch[t - BEFORE + 1 : t + AFTER + 1, i].sum() == 1
    ]
    return np.mean(curves, axis=0), len(curves)


def test_the_exact_filter_recovers_as_its_recursion_does_elsewhere():
    curve, n = filtered(6000)
    result = found("filter")
    for lag, (value, expected) in enumerate(zip(result["curve"], curve, strict=True), -BEFORE):
        error = np.hypot(result["curve_se"][lag + BEFORE], 1 / np.sqrt(n))
        assert abs(value - expected) < 4 * error < 0.17, lag
    level, since = curve[BEFORE // 2 : BEFORE].mean(), curve[BEFORE:]
    lost = (level - since).sum() / (level - since[0])
    assert near(result, "trials_lost", lost, more=result["trials_lost_se"] / 2)
    for name, part in (("half", 0.5), ("ninety", 0.9)):
        rises = np.interp(
            since[0] + part * (level - since[0]), np.maximum.accumulate(since), range(26)
        )
        assert near(result, name, rises, more=result[f"{name}_se"] / 2), name
    assert near(result, "recovered", 1.0)


def test_a_fixed_rate_recovers_later_than_the_filter():
    exact, fixed = found("filter"), found("delta_rule")
    for name in ("half", "trials_lost"):
        error = np.hypot(exact[f"{name}_se"], fixed[f"{name}_se"])
        assert fixed[name] - exact[name] > 2 * error, name


def test_other_tasks_that_switch_are_measured_by_their_trials():
    result = found("rule_filter", Setting("metalocus/RuleSwitching-v0", hazard=0.03), 400)
    assert 0.5 < result["half"] < 2.0 < result["ninety"] < 4.0  # a loss tells for sure: p is 1
    result = found("model_based", Setting("metalocus/TwoStep-v0"), 400)
    assert result["trials"] == list(range(-BEFORE, AFTER + 1))
    assert result["before"] > 0.8  # first choices alone, else it would be half of that
    assert 2.0 < result["half"] < 5.0


def test_without_a_drop_there_is_no_recovery():
    for name, setting, value in (
        ("random", REVERSAL, 0.0),
        ("fixed_bias", REVERSAL, 0.0),
        ("scheduled", REVERSAL, 0.0),
        ("oracle", REVERSAL, 1.0),
        ("cue_follower", Setting(REVERSAL.env, cued=True), 0.7),
    ):
        result = found(name, setting)
        gone = ("half", "ninety", "trials_lost", "recovered")
        assert {result[key] for key in gone} == {None}, name
        assert result["before"] == pytest.approx(value, abs=4 * result["before_se"] + 1e-9), name
        assert "no drop to recover from" in Latency().sentence(result), name


def test_an_agent_that_never_learns_again_does_not_recover_though_a_careless_average_does():
    setting = Setting(REVERSAL.env, hazard=0.03, p=0.9)
    agent = make_named("learns_once", setting.family)
    trace = rollout(agent, fresh_episodes(setting, EPISODES, 0), 0)
    good, value = trace.means.argmax(axis=2), (trace.probs * trace.means).sum(axis=2)
    value = (value - 0.5) / 0.4
    first = [t[0] for t in (np.flatnonzero(np.diff(row)) + 1 for row in good.T) if len(t)]
    rows = [i for i, row in enumerate(good.T) if np.diff(row).any()]
    events = [(t, i) for t, i in zip(first, rows, strict=True) if 15 < t < 40]
    careless = [np.mean([value[t + lag, i] for t, i in events]) for lag in (-1, 0, 55)]
    assert (careless[2] - careless[1]) / (careless[0] - careless[1]) > 0.4  # others follow
    result = found("learns_once", setting)
    assert result["drop"] > 0.2
    assert (result["half"], result["ninety"]) == (None, None)
    assert result["recovered"] == pytest.approx(0.0, abs=1e-9)  # of counted switches
    assert result["trials_lost"] == pytest.approx(AFTER + 1)
    assert "of it is recovered 25 trials later" in Latency().sentence(result)


def test_a_recovery_that_does_not_last_is_told_by_what_the_switch_costs():
    """With sure wins on one arm it is right at the first trial after the loss, then wrong for 19.

    The trial of the switch and those 19 are lost, fewer where it still clings from before.
    """
    setting = Setting(REVERSAL.env, p=1.0, hazard=0.01)
    result = found("falls_back", setting)
    assert result["ninety"] < 1.0
    assert result["trials_lost"] > 15.0
    cost = Latency().row(result, "trials_lost")
    assert f"the switch costs {cost} trials" in Latency().sentence(result)


def test_standard_errors_are_those_of_leaving_out_one_episode():
    n, setting = 200, Setting(REVERSAL.env, p=0.9)
    chunk = Chunk(setting, 0, 0, n)
    columns, _ = _aligned(make_named("wsls", setting.family), chunk)

    def summary(columns):
        sample = Sample()
        sample.add(columns)
        return _summary(*choice_value(*columns), BEFORE, sample)

    left = [summary(np.delete(columns, i, axis=2)) for i in range(n)]
    for name, (_, error) in summary(columns).items():
        if name not in ("half", "ninety"):  # whose intervals are not of this kind
            expected = np.sqrt(n - 1) * np.std([each[name][0] for each in left])
            assert error == pytest.approx(expected, rel=0.05), name


def test_chunks_do_not_show(monkeypatch):
    setting = Setting(REVERSAL.env, p=0.9)
    whole = found("wsls", setting, 400)
    monkeypatch.setattr(chunks, "CHUNK", 150)
    parts = found("wsls", setting, 400)
    for name in ("half", "ninety", "trials_lost", "recovered", "drop", "curve"):
        for key in (name, f"{name}_se"):
            np.testing.assert_allclose(parts[key], whole[key], rtol=1e-9, err_msg=key)


def test_switches_count_that_stand_alone():
    latent = np.array([0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1])[:, None]
    assert np.flatnonzero(_lonely(latent, 2, 2)).tolist() == [3]
    assert np.flatnonzero(_lonely(latent, 1, 3)).tolist() == [3, 8]
    assert np.flatnonzero(_lonely(latent, 1, 4)).tolist() == []  # trial 3 has one at 7
    assert np.flatnonzero(_lonely(latent, 4, 3)).tolist() == []
    assert np.flatnonzero(_lonely(latent, 1, 0)).tolist() == [3, 7, 8]


def test_a_family_names_the_latent_that_switches_and_the_best_action_with_it():
    named = {name: cls().switches for name, cls in FAMILIES.items() if cls().switches}
    assert named == {
        "metalocus/HattoriBandit-v0": "good",
        "metalocus/ReversalBandit-v0": "good",
        "metalocus/RuleSwitching-v0": "rule",
        "metalocus/TwoStep-v0": "good",
        "metalocus/VolatileBandit-v1": "good",
    }
    for name, latent in named.items():
        episodes = fresh_episodes(Setting(name), 200, 0)
        before = episodes.latents[latent]
        for _ in range(70):  # the shortest block of Hattori has 60
            episodes.step(np.zeros(200, dtype=int))
        after = episodes.latents[latent]
        assert after.shape == (200,)
        assert 0.1 < (before != after).mean() < 0.9, name


def test_tasks_that_do_not_switch_are_refused():
    for setting, reason in (
        (Setting("metalocus/BernoulliBandit-v0"), "BernoulliBandit-v0 does not"),
        (Setting("metalocus/TwoStep-v0", rewards="drifting"), "TwoStep-v0 does not"),
        (Setting(REVERSAL.env, horizon=3), "four trials at least"),
    ):
        with pytest.raises(InvalidTask, match=reason):
            found("random", setting)
    never = found("random", Setting(REVERSAL.env, hazard=0.0), 20)
    assert never["n_switches"] == 0
    assert "nothing can be measured here" in Latency().sentence(never)
