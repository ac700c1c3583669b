"""The memory of bindings against brute force over every history."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.memory.binding import fingerprint
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.envs.families._digits import digit_images

BINDING = "metalocus/CueBinding-v0"


@cache
def optimum(t, rest, possible, n_arms, horizon):
    """Greatest expected reward from trial t on.

    Args:
        rest: the cues that this pass has still to show; all of them at its start.
        possible: for each cue, the actions that may be bound to it.
    """
    if t == horizon:
        return 0.0
    rest = rest or tuple(range(len(possible)))
    return sum(max(worths(t, rest, possible, cue, n_arms, horizon)) for cue in rest) / len(rest)


def worths(t, rest, possible, cue, n_arms, horizon):
    """Reward to come after each action on the cue shown, with the best play after it."""
    left = tuple(other for other in rest if other != cue)
    found = []
    for action in range(n_arms):
        total = 0.0
        for reward in (1, 0):
            fits = tuple(a for a in possible[cue] if (a == action) == bool(reward))
            if fits:
                after = (*possible[:cue], fits, *possible[cue + 1 :])
                to_come = optimum(t + 1, left, after, n_arms, horizon)
                total += len(fits) / len(possible[cue]) * (reward + to_come)
        found.append(total)
    return found


def visits(policy, cues, horizon):
    """Every (t, rest of the pass, possible actions, cue shown, probabilities, stores)."""
    n_arms, free = policy.n_arms, tuple(range(policy.n_arms))
    stores = policy.start(1, np.random.default_rng(0))
    level = [((), (free,) * len(cues), stores)]
    for t in range(horizon):
        following = []
        for rest, possible, before in level:
            rest = rest or tuple(range(len(cues)))
            for cue in rest:
                probs, taken = policy.act(cues[cue : cue + 1], before)
                yield t, rest, possible, cue, probs[0], taken
                left = tuple(other for other in rest if other != cue)
                for action, reward in product(range(n_arms), (0.0, 1.0)):
                    fits = tuple(a for a in possible[cue] if (a == action) == bool(reward))
                    if fits:
                        one = np.array([action]), np.array([reward])
                        learned = policy.learn(taken, cues[cue : cue + 1], *one)
                        after = (*possible[:cue], fits, *possible[cue + 1 :])
                        following.append((left, after, learned))
        level = following


@pytest.mark.parametrize(
    ("n_cues", "n_arms", "horizon"), [(1, 3, 4), (2, 3, 4), (2, 2, 5), (3, 2, 4), (1, 4, 4)]
)
def test_binding_memory_is_optimal_and_its_values_exact_on_every_history(n_cues, n_arms, horizon):
    """Also on histories that it would not make itself, such as a failure repeated."""
    kwargs = {"n_cues": n_cues, "n_arms": n_arms, "horizon": horizon}
    policy = make_named("binding_memory", make_family(BINDING, **kwargs))
    assert policy.optimality(policy.family) == EXACT
    cues = np.array([[(i >> bit) & 1 for bit in range(4)] for i in range(1, n_cues + 1)], float)
    for t, rest, possible, cue, probs, stores in visits(policy, cues, horizon):
        exact = np.array(worths(t, rest, possible, cue, n_arms, horizon))
        assert probs @ exact == pytest.approx(exact.max(), abs=1e-12)
        np.testing.assert_array_equal(probs > 0, exact > exact.max() - 1e-9)
        values = policy.values(stores)[0]
        np.testing.assert_allclose(values - values.max(), exact - exact.max(), atol=1e-12)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"n_cues": 5, "n_arms": 3, "horizon": 20},
        {"n_cues": 64, "n_arms": 2, "horizon": 200, "cues": "digits"},
        {"n_cues": 4, "n_arms": 4, "horizon": 20, "cues": "fixed"},
    ],
)
def test_each_pass_finds_another_action_until_all_are_known(kwargs):
    """By pass j the bound action has been found with chance j / K."""
    policy = make_named("binding_memory", make_family(BINDING, **kwargs))
    trace = rollout(policy, fresh_episodes(Setting(BINDING, **kwargs), 400, 0))
    n_cues, n_arms = kwargs["n_cues"], kwargs["n_arms"]
    rate = trace.reward[: n_cues * (kwargs["horizon"] // n_cues)].reshape(-1, n_cues, 400)
    for number, passed in enumerate(rate, start=1):
        expected = min(number / n_arms, 1.0)
        error = np.sqrt(expected * (1 - expected) / passed.size)
        assert abs(passed.mean() - expected) <= 4.5 * error


def test_with_everything_fixed_there_is_nothing_to_learn():
    kwargs = {"n_cues": 4, "cues": "fixed", "fixed_actions": True, "horizon": 9}
    policy = make_named("binding_memory", make_family(BINDING, **kwargs))
    trace = rollout(policy, fresh_episodes(Setting(BINDING, **kwargs), 50, 0))
    np.testing.assert_array_equal(trace.value, 1.0)


def test_no_two_cues_have_one_fingerprint():
    bits = np.array(list(product((0.0, 1.0), repeat=12)))
    for cues in (digit_images(), bits, np.eye(64)):
        marks = fingerprint(cues)
        assert len(np.unique(marks)) == len(cues)
        assert (marks != 0).all()


def test_it_plays_no_other_family():
    with pytest.raises(InvalidTask, match="CueBinding alone"):
        make_named("binding_memory", make_family("metalocus/ReversalBandit-v0"))
