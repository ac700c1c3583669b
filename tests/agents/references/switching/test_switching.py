"""The filters of hidden switches against brute force over beliefs and histories.

``optimum`` and ``earned`` recurse over everything that can be seen. Both keep their own
exact posterior over what is hidden, written here as plain lists of hypotheses.
"""

from itertools import product

import numpy as np
import pytest

from metalocus.agents.agent import EXACT, NEAR, Agent
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.scoring.returns import returns

REVERSAL, VOLATILE = "metalocus/ReversalBandit-v0", "metalocus/VolatileBandit-v1"
RULES, CUED = "metalocus/RuleSwitching-v0", "metalocus/CuedSwitching-v0"


class Model:
    """A task as hypotheses: how they move, what is shown, and what then pays.

    Attributes:
        prior: [M] over what is hidden.
        moves: [M, M], row to column, between trials.
        shown: (chance, stimulus [1, S], chances of reward [M, K]) of everything that may be
            shown, whatever is hidden and was shown before.
    """

    def __init__(self, prior, moves, shown):
        self.prior, self.moves, self.shown, self.known = prior, moves, shown, {}

    def after(self, belief, pays, arm, reward):
        """Chance of a reward, and the belief at the next trial."""
        joint = belief * (pays[:, arm] if reward else 1 - pays[:, arm])
        chance = joint.sum()
        return chance, (joint / chance) @ self.moves if chance > 1e-15 else belief

    def worths(self, belief, pays, left):
        """Optimal reward to come after each action, [K]."""
        totals = np.zeros(pays.shape[1])
        for arm, reward in product(range(pays.shape[1]), (0, 1)):
            chance, following = self.after(belief, pays, arm, reward)
            if chance > 1e-15:
                totals[arm] += chance * (reward + self.optimum(following, left - 1))
        return totals

    def optimum(self, belief, left):
        """Greatest expected reward of the trials left."""
        key = (left, tuple(np.round(belief, 11)))
        if left and key not in self.known:
            self.known[key] = sum(
                chance * self.worths(belief, pays, left).max() for chance, _, pays in self.shown
            )
        return self.known[key] if left else 0.0

    def visits(self, policy, horizon):
        """Every history under the policy: (chance, belief, left, pays, probs, stores)."""
        level = [(1.0, self.prior, policy.start(1, np.random.default_rng(0)))]
        for left in range(horizon, 0, -1):
            following = []
            for (weight, belief, stores), (chance, stimulus, pays) in product(level, self.shown):
                probs, taken = policy.act(stimulus, stores)
                yield weight * chance, belief, left, pays, probs[0], taken
                for arm, reward in product(np.flatnonzero(probs[0]), (0, 1)):
                    likely, moved = self.after(belief, pays, arm, reward)
                    if likely > 1e-15:
                        learned = policy.learn(taken, stimulus, np.array([arm]), np.array([reward]))
                        here = weight * chance * probs[0, arm] * likely
                        following.append((here, moved, learned))
            level = following

    def earned(self, policy, horizon):
        """Expected return of a policy."""
        return sum(
            weight * (probs @ (belief @ pays))
            for weight, belief, _, pays, probs, _ in self.visits(policy, horizon)
        )


NOTHING = np.zeros((1, 0))


def elsewhere(n, hazard):
    """Stay, or go to any other of n."""
    return np.where(np.eye(n) > 0, 1 - hazard, hazard / (n - 1))


def paying(right, p):
    """Chances [M, K] from which action is right under each hypothesis, booleans [M, K]."""
    return np.where(right, p, 1 - p)


def reversal(p, hazard, n_arms):
    pays = paying(np.eye(n_arms) > 0, p)
    return Model(np.full(n_arms, 1 / n_arms), elsewhere(n_arms, hazard), [(1.0, NOTHING, pays)])


def volatile(p, low, high, level):
    """Hypotheses (calm, 0), (calm, 1), (volatile, 0), (volatile, 1)."""
    moves = np.zeros((4, 4))
    for before, after, one, other in product(range(2), repeat=4):
        hazard = (low, high)[after]
        moves[2 * before + one, 2 * after + other] = (level if before != after else 1 - level) * (
            hazard if one != other else 1 - hazard
        )
    right = np.array([[1, 0], [0, 1], [1, 0], [0, 1]]) > 0
    return Model(np.full(4, 0.25), moves, [(1.0, NOTHING, paying(right, p))])


def cards(p, hazard, n_arms, n_features):
    shown = []
    for card in product(range(n_arms), repeat=n_features):
        right = np.array(card)[:, None] == np.arange(n_arms)
        stimulus = right.astype(float).reshape(1, -1)
        shown.append((n_arms**-n_features, stimulus, paying(right, p)))
    return Model(np.full(n_features, 1 / n_features), elsewhere(n_features, hazard), shown)


def assert_exact_on_every_history(model, policy, horizon):
    """Values are the expected rewards, and greed on them is as good as anything."""
    for _, belief, left, pays, probs, stores in model.visits(policy, horizon):
        np.testing.assert_allclose(policy.values(stores)[0], belief @ pays, atol=1e-12)
        worths = model.worths(belief, pays, left)
        np.testing.assert_allclose(probs @ worths, worths.max(), atol=1e-12)
        rest = worths - belief @ pays
        np.testing.assert_allclose(rest[probs > 0], rest.max(), atol=1e-12)
    assert model.earned(policy, horizon) == pytest.approx(
        model.optimum(model.prior, horizon), abs=1e-12
    )


@pytest.mark.parametrize(
    ("p", "hazard", "n_arms", "horizon"),
    [(0.75, 0.1, 2, 5), (0.8, 0.1, 3, 4), (0.3, 0.2, 3, 4), (1.0, 0.6, 4, 3), (0.9, 0.0, 4, 3)],
)
def test_the_filter_of_many_arms_infers_exactly_and_greed_loses_nothing_in_short_episodes(
    p, hazard, n_arms, horizon
):
    family = make_family(REVERSAL, p=p, hazard=hazard, n_arms=n_arms, horizon=horizon)
    policy, model = make_named("filter", family), reversal(p, hazard, n_arms)
    for _, belief, _, pays, _, stores in model.visits(policy, horizon):
        np.testing.assert_allclose(policy.values(stores)[0], belief @ pays, atol=1e-12)
        np.testing.assert_allclose(stores.state["belief"][0], belief, atol=1e-12)
    best = model.optimum(model.prior, horizon)
    assert model.earned(policy, horizon) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "low", "high", "level"),
    [
        (0.8, 0.05, 0.4, 0.1),
        (0.3, 0.0, 0.3, 0.2),
        (0.75, 0.2, 0.2, 0.5),
        (1.0, 0.0, 1.0, 0.1),
        (0.9, 0.1, 0.9, 0.0),
    ],
)
def test_the_volatile_filter_is_optimal_on_every_history(p, low, high, level):
    kwargs = {"low_hazard": low, "high_hazard": high, "level_hazard": level, "p": p}
    policy = make_named("volatile_filter", make_family(VOLATILE, **kwargs, horizon=5))
    model = volatile(p, low, high, level)
    assert_exact_on_every_history(model, policy, 5)
    for _, belief, *_, stores in model.visits(policy, 4):
        np.testing.assert_allclose(stores.state["belief"].reshape(4), belief, atol=1e-12)


def test_with_equal_hazards_the_volatile_filter_is_the_filter_of_one():
    """The control: nothing is gained from a second level."""
    both = {"p": 0.8, "horizon": 60}
    family = make_family(VOLATILE, **both, low_hazard=0.1, high_hazard=0.1)
    plain = make_named("filter", make_family(REVERSAL, **both, hazard=0.1))
    seen = []
    rollout(
        make_named("volatile_filter", family),
        fresh_episodes(Setting(VOLATILE, **both, low_hazard=0.1, high_hazard=0.1), 50, 0),
        shadows=[plain],
        observe=lambda trial: seen.append((trial.stores, trial.shadows[0][1])),
    )
    for mine, its in seen:
        good = mine.state["belief"].sum(axis=1)
        np.testing.assert_allclose(good, its.state["belief"], atol=1e-9)


class FixedHazard(Agent):
    """The filter of the reversal task at one hazard, playing the volatile one."""

    def __init__(self, **kwargs):
        self.filter = make_named("filter", make_family(REVERSAL, **kwargs))

    def start(self, n, rng):
        return self.filter.start(n, rng)

    def act(self, stimulus, stores):
        return self.filter.act(stimulus, stores)

    def learn(self, stores, stimulus, action, reward):
        return self.filter.learn(stores, stimulus, action, reward)


def test_inferring_the_volatility_pays_where_it_varies():
    kwargs = {"low_hazard": 0.0, "high_hazard": 0.3, "level_hazard": 0.02, "p": 0.9}
    kwargs["horizon"] = 200
    inferring = make_named("volatile_filter", make_family(VOLATILE, **kwargs))
    best = returns(inferring, Setting(VOLATILE, **kwargs), 400, 0)
    for hazard in (0.01, 0.05, 0.15, 0.3):
        fixed = returns(FixedHazard(p=0.9, hazard=hazard), Setting(VOLATILE, **kwargs), 400, 0)
        gain = best - fixed
        assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))


def test_a_cue_tells_the_good_arm_and_by_its_switches_the_volatility():
    kwargs = {"low_hazard": 0.0, "high_hazard": 0.5, "cued": True, "horizon": 20}
    policy = make_named("volatile_filter", make_family(VOLATILE, **kwargs))
    trace = rollout(policy, fresh_episodes(Setting(VOLATILE, **kwargs), 50, 0))
    np.testing.assert_allclose(trace.value, 0.75)
    none, action = np.array([[1.0, 0.0]]), np.array([0])
    _, stores = policy.act(none, policy.start(1, np.random.default_rng(0)))
    stores = policy.learn(stores, none, action, np.array([1.0]))
    _, stores = policy.act(none[:, ::-1], stores)
    np.testing.assert_allclose(stores.state["belief"], [[[0, 0], [0, 1]]])


@pytest.mark.parametrize(
    ("p", "hazard", "n_arms", "horizon"),
    [(0.8, 0.1, 2, 3), (1.0, 0.2, 2, 3), (0.7, 0.1, 3, 2), (0.2, 0.3, 2, 3), (0.3, 0.3, 3, 2)],
)
def test_greed_on_two_features_is_optimal_on_every_history(p, hazard, n_arms, horizon):
    kwargs = {"p": p, "hazard": hazard, "n_arms": n_arms, "n_features": 2, "horizon": horizon}
    policy = make_named("rule_filter", make_family(RULES, **kwargs))
    assert policy.optimality(policy.family) == EXACT
    assert_exact_on_every_history(cards(p, hazard, n_arms, 2), policy, horizon)


@pytest.mark.parametrize(("p", "hazard"), [(1.0, 0.2), (0.8, 0.1)])
def test_the_rule_filter_infers_three_features_exactly(p, hazard):
    kwargs = {"p": p, "hazard": hazard, "n_arms": 2, "n_features": 3, "horizon": 3}
    policy, model = make_named("rule_filter", make_family(RULES, **kwargs)), cards(p, hazard, 2, 3)
    assert policy.optimality(policy.family) == NEAR
    for _, belief, _, pays, _, stores in model.visits(policy, 3):
        np.testing.assert_allclose(policy.values(stores)[0], belief @ pays, atol=1e-12)
        np.testing.assert_allclose(stores.state["belief"][0], belief, atol=1e-12)


def test_with_the_rule_shown_every_card_is_sorted_rightly():
    kwargs = {"cued": True, "p": 0.9, "hazard": 0.3, "horizon": 20}
    policy = make_named("rule_filter", make_family(RULES, **kwargs))
    assert policy.optimality(policy.family) == EXACT
    trace = rollout(policy, fresh_episodes(Setting(RULES, **kwargs), 50, 0))
    np.testing.assert_allclose(trace.value, 0.9)


@pytest.mark.parametrize(
    ("kwargs", "optimality"),
    [({}, EXACT), ({"n_arms": 3}, NEAR), ({"n_arms": 3, "cued": True}, EXACT)],
)
def test_standing_of_the_filter(kwargs, optimality):
    family = make_family(REVERSAL, **kwargs)
    assert make_named("filter", family).optimality(family) == optimality


def questions():
    """The cued task switch with new keys at hazard 1/2: tasks and digits are all alike."""
    hidden = list(product((0, 1), repeat=2))
    shown = []
    for task, digit in product((0, 1), (1, 2, 3, 4, 6, 7, 8, 9)):
        stimulus = np.zeros((1, 10))
        stimulus[0, task] = stimulus[0, 2 + [1, 2, 3, 4, 6, 7, 8, 9].index(digit)] = 1
        category = (digit % 2, int(digit > 5))[task]
        right = np.array([[(category ^ keys[task]) == key for key in (0, 1)] for keys in hidden])
        shown.append((1 / 16, stimulus, right.astype(float)))
    return Model(np.full(4, 0.25), np.eye(4), shown)


def test_key_memory_is_optimal_on_every_history_of_new_keys():
    policy = make_named("key_memory", make_family(CUED, new_keys=True, horizon=2))
    assert_exact_on_every_history(questions(), policy, 2)


@pytest.mark.parametrize("kwargs", [{}, {"new_keys": True}, {"new_keys": True, "run_length": 3}])
def test_key_memory_errs_half_of_the_times_that_a_task_is_new_and_never_again(kwargs):
    policy = make_named("key_memory", make_family(CUED, **kwargs))
    tasks, episodes = [], fresh_episodes(Setting(CUED, **kwargs), 200, 0)
    trace = rollout(policy, episodes, observe=lambda _: tasks.append(episodes.latents["task"]))
    for task in (0, 1):
        asked = np.array(tasks) == task
        times = asked.cumsum(axis=0)
        new = 0.5 if "new_keys" in kwargs else 1.0
        np.testing.assert_allclose(trace.value[asked & (times == 1)], new)
        np.testing.assert_allclose(trace.value[asked & (times > 1)], 1.0)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("volatile_filter", "VolatileBandit-v1"),
        ("rule_filter", "RuleSwitching-v0"),
        ("key_memory", "CuedSwitching-v0"),
    ],
)
def test_each_plays_its_own_family_alone(name, family):
    with pytest.raises(InvalidTask, match=family.rpartition("-")[0]):
        make_named(name, make_family(REVERSAL))
    assert make_named(name, make_family(f"metalocus/{family}")).n_arms >= 2
