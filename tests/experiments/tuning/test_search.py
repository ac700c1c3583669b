"""The search for online rules' constants: steps counted, seeds apart, better for more steps."""

from dataclasses import astuple, fields, replace
from itertools import pairwise

import numpy as np
import pytest

from metalocus.agents.catalogue import ONLINE
from metalocus.agents.online.space import SHARE, SHARE_OR_NONE, STEP, Range
from metalocus.agents.rollout import TUNING_SEED, fresh_keys, rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.tuning import search
from metalocus.experiments.tuning.__main__ import tuning
from metalocus.experiments.tuning.search import drawn, mean_returns, mutated, plan, tune

SHORT = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=10)
BUDGET = 64 * 10


@pytest.fixture
def played(monkeypatch):
    """Every batch of episodes that is played, as its keys."""
    keys = []

    def watched(agent, episodes, seed):
        keys.append(episodes.keys)
        return rollout(agent, episodes, seed)

    monkeypatch.setattr(search, "rollout", watched)
    return keys


def test_every_step_is_counted_and_none_is_beyond_the_budget(played):
    for budget in (160, BUDGET, 1234):
        played.clear()
        spent = tune("delta_rule", SHORT, budget, 3).spent
        assert spent == 10 * sum(map(len, played))
        assert 0.5 * budget < spent <= budget


def test_rounds_cost_the_same_and_halve_the_candidates():
    for episodes in (16, 64, 1000, 10**5, 10**6):
        rounds = plan(episodes)
        assert len({each.candidates * each.episodes for each in rounds}) == 1
        assert rounds[-1].candidates == 4
        assert 0.5 < rounds[0].candidates / episodes**0.5 < 2.0
        assert sum(each.candidates * each.episodes for each in rounds) <= episodes
        for one, then in pairwise(rounds):
            assert one.candidates == 2 * then.candidates


def test_no_two_rounds_budgets_or_seeds_play_the_same_episode_and_no_report_does(played):
    batches = [fresh_keys(1000, seed) for seed in (0, 1, 77)]
    for seed, budget in [(0, BUDGET), (0, 2 * BUDGET), (1, BUDGET)]:
        played.clear()
        tune("delta_rule", SHORT, budget, seed)
        batches += [np.unique(each) for each in played]  # candidates share a round's episodes
    keys = np.concatenate(batches)
    assert len(set(keys.tolist())) == len(keys)


def test_it_repeats_itself_and_differs_by_seed():
    one = tune("reinforcement_comparison", SHORT, BUDGET, 0)
    assert tune("reinforcement_comparison", SHORT, BUDGET, 0) == one
    assert tune("reinforcement_comparison", SHORT, BUDGET, 1) != one


def test_without_a_budget_nothing_is_played(played):
    for name, rule in ONLINE.items():
        assert tune(name, SHORT, 0, 5) == search.Tuned(rule.untuned, 0)
    assert not played


def test_the_best_of_known_constants_is_found(monkeypatch):
    """Returns are replaced by a known function of one constant, with its best inside."""

    def known(learner, tried, played):
        return [-abs(np.log(settings.rate / 0.2)) for settings in tried]

    monkeypatch.setattr(search, "mean_returns", known)
    errors = [
        [abs(np.log(tune("delta_rule", SHORT, b, s).settings.rate / 0.2)) for s in range(10)]
        for b in (200, 200_000)
    ]
    few, many = map(np.mean, errors)
    assert many < 0.02 < few


def test_more_steps_find_better_constants():
    """On other episodes, mean over seeds of the search."""
    setting = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=25)
    judged = Chunk(setting, 0, 0, 2000)
    untuned, few, many = (
        np.mean(
            [
                mean_returns(
                    ONLINE["reinforcement_comparison"],
                    [tune("reinforcement_comparison", setting, budget, seed).settings],
                    judged,
                )
                for seed in range(3)
            ]
        )
        for budget in (0, 2000, 40_000)
    )
    assert untuned + 0.2 < few < many


@pytest.mark.parametrize("name", sorted(ONLINE))
def test_constants_tried_side_by_side_earn_what_each_earns_alone(monkeypatch, name):
    """To the bit, whatever else is played beside them and however many rows are played at once."""
    rule, rng = ONLINE[name], np.random.default_rng(3)
    cued = Setting("metalocus/ReversalBandit-v0", cued=True, horizon=12)
    tried = [rule.untuned, *(drawn(rule, rng) for _ in range(6))]
    alone = []
    for settings in tried:
        chunks = [Chunk(cued, 5, 100, 7), Chunk(cued, 5, 107, 7), Chunk(cued, 5, 114, 6)]
        agent = rule(cued.family, settings)
        totals = [rollout(agent, each.episodes(), 5).total for each in chunks]
        alone.append(np.concatenate(totals).mean())
    for rows in (4000, 7 * 7):
        monkeypatch.setattr(search, "ROWS", rows)
        together = mean_returns(rule, tried, Chunk(cued, 5, 100, 20))
        assert together == pytest.approx(alone, abs=1e-12)
    assert len(set(alone)) > 3


def test_every_rule_says_where_each_constant_is_searched_and_what_it_was_before():
    rng = np.random.default_rng(0)
    for name, rule in ONLINE.items():
        assert set(rule.space) == {each.name for each in fields(rule.untuned)}, name
        draws = [drawn(rule, rng) for _ in range(20)]
        draws += [mutated(rule, each, rng, 0.2) for each in draws]
        assert len(set(draws)) > 20
        for settings in draws:
            assert type(settings) is type(rule.untuned)
            assert all(value == float(f"{value:.3g}") for value in astuple(settings))
            for key, where in rule.space.items():
                value = getattr(settings, key)
                assert where.low <= value <= where.high or value == where.half, (name, key)
        assert all(type(each) is type(rule.untuned) for each in rule.tuned.values())


def test_a_constant_of_one_kind_is_searched_alike_in_every_rule():
    """So that no rule is ahead by its range alone: rates are steps or shares, nothing else."""
    found = {}
    for name, rule in ONLINE.items():
        for key, where in rule.space.items():
            if where.low < where.high:
                found.setdefault(key, {})[name] = where
    assert len(found["rate"]) > 8
    for key, by_rule in found.items():
        kinds = set(by_rule.values())
        if "rate" in key:
            assert kinds <= {STEP, SHARE, SHARE_OR_NONE}, key
        if key != "rate":
            assert len(kinds) == 1, (key, by_rule)
    values = {name for name, where in found["rate"].items() if where == SHARE}
    assert values == {"delta_rule", "delta_rule_counterfactual"}, "of the way to the reward"


def test_a_range_is_drawn_from_as_it_says():
    rng = np.random.default_rng(0)
    logs = np.log10([Range(0.01, 1.0, log=True).draw(rng) for _ in range(4000)])
    assert np.quantile(logs, [0.25, 0.5, 0.75]) == pytest.approx([-1.5, -1.0, -0.5], abs=0.06)
    halves = np.array([Range(1.0, 2.0, half=np.inf).draw(rng) for _ in range(4000)])
    assert np.isinf(halves).mean() == pytest.approx(0.5, abs=0.03)
    near = np.array([Range(0.0, 1.0).near(0.5, rng, 0.01) for _ in range(4000)])
    assert (np.abs(near - 0.5) > 0.05).mean() == pytest.approx(0.09, abs=0.02)
    assert {Range(0.0, 0.0).near(0.0, rng, 0.2) for _ in range(50)} == {0.0}


def test_wrong_use_is_told_in_one_line(monkeypatch):
    for arguments, words in (
        (("delta_rul", SHORT, 1000), "did you mean 'delta_rule'"),
        (("delta_rule", SHORT, 100), "at least 16 episodes, got 10"),
        (("delta_rule", SHORT, -1), "budget must be"),
        (("delta_rule", SHORT, 1000, TUNING_SEED), "below 10000"),
        (("delta_rule_counterfactual", Setting(SHORT.env, n_arms=3), 0), "needs two arms"),
    ):
        with pytest.raises(InvalidTask, match=words):
            tune(*arguments)
    monkeypatch.delattr(ONLINE["delta_rule"], "untuned")
    with pytest.raises(InvalidTask, match="declares no untuned"):
        tune("delta_rule", SHORT, 1000)


def test_the_command_prints_a_line_a_rule_and_setting(capsys):
    tuning("delta_rule", "bandit", budget=2000, seed=1)
    (line,) = capsys.readouterr().out.splitlines()
    setting = Setting(SHORT.env, n_arms=2, horizon=50)
    found = tune("delta_rule", setting, 2000, 1)
    assert line.startswith(f"delta_rule on bandit, seed 1: {found.spent:,} steps")
    assert line.endswith(str(found.settings))
    assert replace(found, spent=0) != found
