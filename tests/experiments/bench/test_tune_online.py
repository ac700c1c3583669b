"""The search for the online learners' constants."""

from dataclasses import astuple

import numpy as np
import pytest

from metalocus.agents.catalogue import ONLINE
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.experiments.bench import tune_online
from metalocus.experiments.bench.tune_online import (
    DRAW,
    SETTINGS,
    TUNING_SEED,
    Budget,
    mean_return,
    search,
)

SHORT = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=8)
SMALL = Budget(constants=6, episodes=60, finalists=2, final_episodes=200)


def test_every_rule_and_no_other_is_searched_and_has_what_it_found_written_down():
    assert set(DRAW) == set(ONLINE)
    for setting in SETTINGS:
        family = setting.family
        for agent in ONLINE.values():
            if agent.why_not(family) is None:
                assert (family.name, family.n_arms) in agent.tuned


@pytest.mark.parametrize("rule", sorted(DRAW))
def test_search_finds_the_best_of_the_finalists_and_repeats_itself(rule):
    found = search(rule, SHORT, SMALL)
    assert found == search(rule, SHORT, SMALL)

    rng = np.random.default_rng(TUNING_SEED)
    tried = [DRAW[rule](rng) for _ in range(6)]
    first = [mean_return(rule, constants, SHORT, 60, TUNING_SEED) for constants in tried]
    best_two = sorted(range(6), key=lambda i: first[i])[-2:]
    second = [mean_return(rule, tried[i], SHORT, 200, TUNING_SEED + 1) for i in best_two]
    assert found[1] == max(second)
    assert found[0] == tried[best_two[int(np.argmax(second))]]


@pytest.mark.parametrize("rule", sorted(DRAW))
def test_draws_differ_and_are_what_would_be_written_down(rule):
    rng = np.random.default_rng(0)
    drawn = [DRAW[rule](rng) for _ in range(20)]
    assert len(set(drawn)) == 20
    for constants in drawn:
        assert all(value == float(f"{value:.3g}") for value in astuple(constants))


def test_mean_return_is_the_policy_s_expected_reward():
    rule, constants = "delta_rule", DRAW["delta_rule"](np.random.default_rng(0))
    episodes = fresh_episodes(SHORT, 50, 3)
    trace = rollout(ONLINE[rule](episodes.family, constants), episodes, 3)
    expected = (trace.probs * trace.means).sum() / 50
    assert mean_return(rule, constants, SHORT, 50, 3) == pytest.approx(expected)


def test_tuning_episodes_are_not_the_reported_ones():
    keys = [fresh_episodes(SHORT, 1000, seed).keys for seed in (0, 1, TUNING_SEED, TUNING_SEED + 1)]
    assert len(set(np.concatenate(keys).tolist())) == 4000


def test_main_prints_one_line_a_rule_and_task(capsys, monkeypatch):
    tiny = Budget(constants=1, episodes=2, finalists=1, final_episodes=2)
    monkeypatch.setattr(tune_online, "Budget", lambda: tiny)
    monkeypatch.setattr(tune_online, "QUICK", tiny)
    tune_online.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 + 8 + 8 + 9  # the counterfactual rule needs two arms
    assert all("Settings(" in line for line in lines)
