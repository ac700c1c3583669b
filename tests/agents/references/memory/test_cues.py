"""The trust in two cues against brute force over beliefs, and the loss of greed."""

from functools import cache
from itertools import product

import pytest

from metalocus.agents.agent import EXACT, NEAR
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

CUES = "metalocus/PartingCues-v0"


def brute_force(agree, first, validity, n_arms, trials):
    """Expected returns of the best policy and of the greedy one, by recursion over beliefs.

    Whatever the arms are called, the cues either agree or name two arms: kinds of choice are an arm
    that both name, that of either cue alone, and one that neither names.
    """
    wrong = (1.0 - validity) / (n_arms - 1)

    def choices(together):
        """Chances of reward if the first cue is trusted, and if the second is."""
        if together:
            return [(validity, validity), (wrong, wrong)]
        rest = [(wrong, wrong)] if n_arms > 2 else []
        return [(validity, wrong), (wrong, validity), *rest]

    @cache
    def value(belief, left, greedy):
        if not left:
            return 0.0
        total = 0.0
        for together, chance in ((True, agree), (False, 1.0 - agree)):
            worths = []
            for one, two in choices(together) if chance else ():
                pays = belief * one + (1.0 - belief) * two
                win = belief * one / pays if pays > 0 else belief
                lose = belief * (1.0 - one) / (1.0 - pays) if pays < 1 else belief
                then = [value(round(after, 12), left - 1, greedy) for after in (win, lose)]
                worths.append((pays, pays * (1.0 + then[0]) + (1.0 - pays) * then[1]))
            if worths and greedy:
                best = max(pays for pays, _ in worths)
                tied = [worth for pays, worth in worths if pays > best - 1e-9]
                total += chance * sum(tied) / len(tied)
            elif worths:
                total += chance * max(worth for _, worth in worths)
        return total

    return value(first, trials, False), value(first, trials, True)


def test_greed_loses_nothing_in_short_episodes_though_it_is_said_to_be_exact_only_where_proved():
    for agree, first, validity, n_arms in product(
        (0.0, 0.5, 1.0), (0.3, 0.5, 1.0), (0.25, 0.8, 1.0), (2, 4)
    ):
        family = make_family(CUES, n_arms=n_arms, agree=agree, first=first, validity=validity)
        best, greedy = brute_force(agree, first, validity, n_arms, 6)
        claimed = make_named("cue_trust", family).optimality(family)
        assert greedy == pytest.approx(best, abs=1e-9)
        proved = n_arms == 2 or agree == 1.0 or first == 1.0 or validity in (0.25, 1.0)
        assert claimed == (EXACT if proved else NEAR)


def test_it_earns_what_the_greedy_recursion_says():
    for kwargs in (
        {"n_arms": 3, "agree": 0.4, "first": 0.3, "validity": 0.8},
        {"n_arms": 2, "agree": 0.0, "first": 0.5, "validity": 0.8},
    ):
        setting = Setting(CUES, **kwargs, horizon=6)
        policy = make_named("cue_trust", setting.family)
        total = rollout(policy, fresh_episodes(setting, 3000, 0)).value.sum(axis=0)
        _, greedy = brute_force(**kwargs, trials=6)
        assert total.mean() == pytest.approx(greedy, abs=4.0 * total.std() / 3000**0.5)


def test_it_follows_the_intended_cue_in_the_test_and_learns_which_one_that_is():
    setting = Setting(CUES, agree=0.0)
    policy = make_named("cue_trust", setting.family)
    assert rollout(policy, fresh_episodes(setting, 50, 0)).value.all()
    setting = Setting(CUES, agree=0.0, first=0.5)
    value = rollout(make_named("cue_trust", setting.family), fresh_episodes(setting, 50, 0)).value
    assert value[1:].all()  # one reward, or its absence, tells which
