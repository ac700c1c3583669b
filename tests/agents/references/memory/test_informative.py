"""The exact optima of the informative and the rainbow bandit against brute force."""

from functools import cache

import numpy as np
import pytest

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

INFORMATIVE, RAINBOW = "metalocus/InformativeBandit-v0", "metalocus/RainbowBandit-v0"
NOTHING = np.zeros((1, 0))


def outcomes(arm, target, informative):
    """Rewards of an arm with their chances, given the target."""
    if arm < 10:
        return {5.0 if arm == target else 1.0: 1.0}
    if informative:
        return {(target + 1) / 10: 1.0}
    return {number / 10: 0.1 for number in range(1, 11)}


@cache
def worths(targets, left, informative):
    """Optimal reward to come after each first pull, for a set of equally probable targets."""
    totals = []
    for arm in range(11):
        after = {}  # reward -> {target: chance}
        for target in targets:
            for reward, chance in outcomes(arm, target, informative).items():
                after.setdefault(reward, {})[target] = chance / len(targets)
        total = 0.0
        for reward, joint in after.items():
            then = max(worths(frozenset(joint), left - 1, informative)) if left > 1 else 0.0
            total += sum(joint.values()) * (reward + then)
        totals.append(total)
    return totals


@pytest.mark.parametrize("informative", [True, False])
@pytest.mark.parametrize("horizon", [1, 2, 3, 5])
def test_the_informative_optimum_is_that_of_brute_force(horizon, informative):
    kwargs = {"horizon": horizon, "informative": informative}
    policy = make_named("informative_optimal", make_family(INFORMATIVE, **kwargs))
    expected = max(worths(frozenset(range(10)), horizon, informative))
    assert policy.optimal_return == pytest.approx(expected)


@pytest.mark.parametrize("informative", [True, False])
def test_its_values_are_those_of_brute_force_on_every_kind_of_history(informative):
    kwargs = {"horizon": 4, "informative": informative}
    policy = make_named("informative_optimal", make_family(INFORMATIVE, **kwargs))
    for target in (0, 6):
        for pulls in ([], [3], [3, 0], [10], [10, 3], [3, 10], [3, 3, 9], [6]):
            stores, possible = policy.start(1, np.random.default_rng(0)), set(range(10))
            for arm in pulls:
                reward = next(iter(outcomes(arm, target, informative)))
                agrees = [reward in outcomes(arm, one, informative) for one in range(10)]
                possible &= {one for one in range(10) if agrees[one]}
                arguments = NOTHING, np.array([arm]), np.array([reward])
                stores = policy.learn(stores, *arguments)
            expected = worths(frozenset(possible), 4 - len(pulls), informative)
            np.testing.assert_allclose(policy.values(stores)[0], expected)


def test_five_trials_by_hand():
    """.55 on average to be told, then 5 four times."""
    policy = make_named("informative_optimal", make_family(INFORMATIVE))
    assert policy.optimal_return == pytest.approx(0.55 + 4 * 5.0)
    probs, _ = policy.act(NOTHING, policy.start(1, np.random.default_rng(0)))
    assert probs[0].tolist() == [0.0] * 10 + [1.0]


@pytest.mark.parametrize("kwargs", [{}, {"informative": False}, {"horizon": 1}])
def test_it_earns_its_optimal_return(kwargs):
    policy = make_named("informative_optimal", make_family(INFORMATIVE, **kwargs))
    total = rollout(policy, fresh_episodes(Setting(INFORMATIVE, **kwargs), 4000, 1)).total
    error = total.std() / 4000**0.5
    assert total.mean() == pytest.approx(policy.optimal_return, abs=4 * error)
    assert best_reference(policy.family).name == "informative_optimal"


def test_with_the_cue_every_reward_is_the_targets():
    policy = make_named("informative_optimal", make_family(INFORMATIVE, cued=True))
    trace = rollout(policy, fresh_episodes(Setting(INFORMATIVE, cued=True), 50, 1))
    assert (trace.reward == 5.0).all()


def test_rewards_that_leave_no_target_start_it_anew():
    policy = make_named("informative_optimal", make_family(INFORMATIVE))
    stores = policy.start(1, np.random.default_rng(0))
    for arm in (2, 3):
        stores = policy.learn(stores, NOTHING, np.array([arm]), np.array([5.0]))
    assert stores.state["possible"].all()


def rainbow(belief, left, p):
    """Optimal reward to come, by recursion over the belief that one colour pays."""
    if left == 0:
        return 0.0
    totals = []
    for chosen in (belief, 1.0 - belief):  # the chance that the chosen colour pays
        total = 0.0
        for reward in (0, 1):
            yes, no = (p, 1.0 - p) if reward else (1.0 - p, p)
            evidence = chosen * yes + (1.0 - chosen) * no
            if evidence > 0.0:
                after = rainbow(chosen * yes / evidence, left - 1, p)
                total += evidence * (reward + after)
        totals.append(total)
    return max(totals)


def played(policy, colour, horizon, p, stores=None):
    """Expected return over the sides, rewards and choices, by recursion over all of them."""
    if horizon == 0:
        return 0.0
    stores = policy.start(1, np.random.default_rng(0)) if stores is None else stores
    total = 0.0
    for side in (0, 1):
        sides = (colour, 1.0 - colour) if side == 0 else (1.0 - colour, colour)
        shown = np.concatenate(sides)[None].astype(np.float32)
        probs, before = policy.act(shown, stores)
        for action in np.flatnonzero(probs[0]):
            pays = p if action == side else 1.0 - p
            for reward, chance in ((1.0, pays), (0.0, 1.0 - pays)):
                if chance > 0.0:
                    arguments = shown, np.array([action]), np.array([reward])
                    after = policy.learn(before, *arguments)
                    then = played(policy, colour, horizon - 1, p, after)
                    total += 0.5 * probs[0, action] * chance * (reward + then)
    return total


@pytest.mark.parametrize("p", [1.0, 0.75, 0.5, 0.2, 0.0])
def test_the_rainbow_filter_earns_the_optimum_of_brute_force(p):
    policy = make_named("rainbow_filter", make_family(RAINBOW, p=p, horizon=4))
    earned = played(policy, np.array([0.2, 0.9, 0.4]), 4, p)
    assert earned == pytest.approx(rainbow(0.5, 4, p))
    assert policy.optimality(policy.family) == EXACT
    assert best_reference(policy.family).name == "rainbow_filter"


def test_the_rainbow_filter_errs_once_and_a_memory_of_sides_always_at_chance():
    n, horizon = 2000, 100
    earned = {}
    for name in ("rainbow_filter", "wsls"):
        agent = make_named(name, make_family(RAINBOW))
        earned[name] = rollout(agent, fresh_episodes(Setting(RAINBOW), n, 0)).reward
    lost = horizon - earned["rainbow_filter"].sum(axis=0)
    assert set(lost) == {0.0, 1.0}
    assert (earned["rainbow_filter"][1:] == 1.0).all()
    error = earned["wsls"].sum(axis=0).std() / n**0.5
    assert earned["wsls"].sum(axis=0).mean() == pytest.approx(horizon / 2, abs=4 * error)


def test_with_the_cue_the_rainbow_filter_never_errs():
    for p, reward in ((1.0, 1.0), (0.0, 1.0)):
        agent = make_named("rainbow_filter", make_family(RAINBOW, p=p, cued=True))
        trace = rollout(agent, fresh_episodes(Setting(RAINBOW, p=p, cued=True), 50, 0))
        assert (trace.reward == reward).all()


def test_an_impossible_reward_starts_the_belief_anew():
    policy = make_named("rainbow_filter", make_family(RAINBOW))
    shown = np.array([[0.1, 0.1, 0.1, 0.9, 0.9, 0.9]])
    _, stores = policy.act(shown, policy.start(1, np.random.default_rng(0)))
    for reward, belief in ((1.0, 1.0), (0.0, 0.5)):
        stores = policy.learn(stores, shown, np.array([0]), np.array([reward]))
        assert stores.state["belief"].tolist() == [belief]
