"""Hattori's filter against enumeration of every path of good arm, contrast and age."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.envs import make_family

HATTORI = "metalocus/HattoriBandit-v0"
CHANCES = {0: (0.6, 0.1), 1: (0.525, 0.175)}
BLOCK, HAZARD = 2, 0.3


def pays(hidden, arm):
    """Chance of reward of an arm."""
    good, contrast, _ = hidden
    return CHANCES[contrast][0 if arm == good else 1]


def following(hidden):
    """What is hidden at the next trial, with its probability."""
    good, contrast, age = hidden[0], hidden[1], hidden[2] + 1
    ends = HAZARD if age >= BLOCK else 0.0
    yield (good, contrast, age), 1.0 - ends
    for new in (0, 1):
        yield (1 - good, new, 0), ends / 2.0


def after(belief, arm, reward):
    """Chance of a reward under a belief {hidden: probability}, and the belief after it."""
    joint = {}
    for hidden, chance in belief.items():
        likely = pays(hidden, arm) if reward else 1.0 - pays(hidden, arm)
        for moved, part in following(hidden):
            joint[moved] = joint.get(moved, 0.0) + chance * likely * part
    total = sum(joint.values())
    return total, {hidden: chance / total for hidden, chance in joint.items()}


START = {(good, contrast, 0): 0.25 for good, contrast in product((0, 1), (0, 1))}


def test_values_are_those_of_every_history_enumerated():
    policy = make_named("hattori_filter", make_family(HATTORI, block=BLOCK, hazard=HAZARD))
    rng = np.random.default_rng(0)
    for _ in range(20):
        stores, belief, nothing = policy.start(1, rng), START, np.zeros((1, 0))
        for _ in range(7):
            expected = [sum(p * pays(h, arm) for h, p in belief.items()) for arm in (0, 1)]
            np.testing.assert_allclose(policy.values(stores)[0], expected, atol=1e-12)
            arm, reward = int(rng.integers(2)), int(rng.integers(2))
            belief = after(belief, arm, reward)[1]
            stores = policy.learn(stores, nothing, np.array([arm]), np.array([float(reward)]))
            assert stores.state["belief"].sum() == pytest.approx(1.0)


def test_greed_loses_little_in_short_episodes():
    @cache
    def value(items, left, greedy):
        belief, worths, now = dict(items), [], []
        if not left:
            return 0.0
        for arm in (0, 1):
            worth = 0.0
            for reward in (0, 1):
                chance, moved = after(belief, arm, reward)
                key = tuple(sorted((h, round(p, 13)) for h, p in moved.items()))
                worth += chance * (reward + value(key, left - 1, greedy))
            worths.append(worth)
            now.append(sum(p * pays(h, arm) for h, p in belief.items()))
        if not greedy:
            return max(worths)
        best = [w for w, n in zip(worths, now, strict=True) if n > max(now) - 1e-9]
        return sum(best) / len(best)

    start = tuple(sorted(START.items()))
    best, greedy = value(start, 5, False), value(start, 5, True)
    assert best == pytest.approx(greedy, rel=1e-3)
