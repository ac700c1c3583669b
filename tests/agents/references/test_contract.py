"""What every reference policy keeps to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalocus.agents.agent import STORES, Agent, Stores
from metalocus.agents.catalogue import REFERENCES, make_named
from metalocus.agents.references.bernoulli.counts import CountingPolicy, cell, triangle
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.envs.registry import FAMILIES

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
PROMISED = ["random", "wsls", "epsilon_greedy", "greedy", "ucb1", "thompson", "gittins"]
PROMISED += ["finite_index", "bayes_optimal", "filter", "oracle"]
COUNTING = [name for name, cls in REFERENCES.items() if issubclass(cls, CountingPolicy)]
TASKS = {
    "bandit": (BANDIT, {"n_arms": 3, "horizon": 8}),
    "beta": (BANDIT, {"n_arms": 2, "horizon": 8, "prior": "beta(0.5,3)"}),
    "one trial": (BANDIT, {"n_arms": 4, "horizon": 1}),
    "dependent": (BANDIT, {"horizon": 8, "prior": "dependent"}),
    "easy": (BANDIT, {"horizon": 8, "prior": "easy"}),
    "reversal": (REVERSAL, {"horizon": 8}),
    "cued": (REVERSAL, {"horizon": 8, "cued": True}),
    "many arms": (REVERSAL, {"horizon": 8, "n_arms": 4}),
    "volatile": ("metalocus/VolatileBandit-v1", {"horizon": 8}),
    "cards": ("metalocus/RuleSwitching-v0", {"horizon": 8}),
    "new keys": ("metalocus/CuedSwitching-v0", {"horizon": 8, "new_keys": True}),
    "binding": ("metalocus/CueBinding-v0", {"horizon": 8, "n_cues": 3}),
    "gaussian": ("metalocus/GaussianBandit-v0", {"horizon": 8}),
    "unknown noise": ("metalocus/GaussianBandit-v0", {"horizon": 8, "n_arms": 3, "sd": None}),
    "restless": ("metalocus/RestlessBandit-v0", {"horizon": 8}),
    "linear": ("metalocus/LinearBandit-v0", {"horizon": 8}),
    "informative": ("metalocus/InformativeBandit-v0", {}),
    "rainbow": ("metalocus/RainbowBandit-v0", {"horizon": 8, "p": 0.75}),
    "target": ("metalocus/TargetDiscovery-v0", {"horizon": 12}),
    "hattori": ("metalocus/HattoriBandit-v0", {"horizon": 8, "block": 2}),
    "position": ("metalocus/PositionBandit-v0", {"horizon": 8}),
    "parting": ("metalocus/PartingCues-v0", {"horizon": 8, "agree": 0.5, "first": 0.5}),
    "shown": ("metalocus/ShownBandit-v0", {"horizon": 8, "shown": 0.5, "honest": 0.8}),
    "final": ("metalocus/FinalPay-v0", {"horizon": 8}),
    "lifetime": ("metalocus/LifetimeBandit-v0", {"horizon": 8, "spread": 2.0}),
}
PLAYS = [
    (name, title)
    for title, (env_id, kwargs) in TASKS.items()
    for name, cls in REFERENCES.items()
    if cls.why_not(make_family(env_id, **kwargs)) is None
]
TOLD = {
    ("filter", "cued"),
    ("rule_filter", "cards"),
    ("informative_optimal", "informative"),
    ("position_bayes", "position"),
    ("cue_trust", "parting"),
    ("shown_filter", "shown"),
    ("lifetime_optimal", "lifetime"),
}
"""References whose first choice is told by a stimulus or by what is known of the arms."""


def frozen(stores):
    """The same stores with arrays that cannot be written to."""

    def protect(_store, _key, array):
        array = array.copy()
        array.setflags(write=False)
        return array

    return stores.map(protect)


class Careful(Agent):
    """An agent whose stores are read-only in every call."""

    def __init__(self, agent):
        self.agent, self.omniscient = agent, agent.omniscient

    def start(self, n, rng):
        return frozen(self.agent.start(n, rng))

    def act(self, stimulus, stores):
        probs, after = self.agent.act(stimulus, stores)
        return probs, frozen(after)

    def learn(self, stores, stimulus, action, reward):
        action.setflags(write=False)
        reward.setflags(write=False)
        return frozen(self.agent.learn(stores, stimulus, action, reward))


def test_every_promised_name_is_there():
    assert set(PROMISED) <= set(REFERENCES)


def test_every_reference_has_a_one_line_summary():
    for cls in REFERENCES.values():
        assert 10 < len(cls.summary) < 90
        assert "\n" not in cls.summary


@pytest.fixture(scope="module")
def plays():
    """(name and task, agent, setting) of each reference on each task that it can play."""
    settings = {title: Setting(env_id, **kwargs) for title, (env_id, kwargs) in TASKS.items()}
    return [
        ((name, title), make_named(name, settings[title].family), settings[title])
        for name, title in PLAYS
    ]


def test_probabilities_are_probabilities_and_nothing_given_is_changed(plays):
    for about, agent, setting in plays:
        trace = rollout(Careful(agent), fresh_episodes(setting, 40, 0))
        assert (trace.probs >= 0).all(), about
        np.testing.assert_allclose(trace.probs.sum(axis=2), 1.0, atol=1e-12, err_msg=about)
        if about not in TOLD and about[0] != "oracle":
            first = trace.probs[0]
            np.testing.assert_allclose(first, 1.0 / agent.n_arms, atol=1e-12, err_msg=about)


def test_all_it_knows_of_an_episode_is_in_that_row_of_its_stores(plays):
    """The rows of half the batch, read by a second copy, give the same choices."""
    for about, agent, setting in plays:
        seen = []

        def observe(trial, agent=agent, seen=seen):
            shown = trial.privileged_value if agent.omniscient else trial.stimulus
            seen.append((shown, trial.stores, trial.probs))

        rollout(agent, fresh_episodes(setting, 30, 1), observe=observe)
        other, rows = make_named(agent.name, setting.family), np.arange(29, 0, -2)
        for stimulus, stores, probs in seen:
            again, _ = other.act(stimulus[rows], stores.rows(rows))
            np.testing.assert_allclose(again, probs[rows], atol=1e-12, err_msg=about)


def test_beliefs_are_in_the_state_and_the_weights_are_empty(plays):
    for about, agent, _ in plays:
        stores = agent.start(3, np.random.default_rng(0))
        used = {store for store in STORES if getattr(stores, store)}
        context = {name: {"context"} for name in ("wsls", "recent_winner", "perseveration")}
        expected = {"random": set(), "oracle": set(), **context}
        assert used == expected.get(agent.name, {"state"}), about


@pytest.mark.parametrize("env_id", sorted(FAMILIES))
def test_what_cannot_be_played_is_refused_with_a_reason_of_one_line(env_id):
    family = make_family(env_id)
    for name, cls in REFERENCES.items():
        reason = cls.why_not(family)
        if reason is None:
            assert make_named(name, family).n_arms == family.n_arms, name
        else:
            assert "\n" not in reason, name
            with pytest.raises(InvalidTask, match=name):
                make_named(name, family)


@pytest.mark.parametrize(
    ("name", "env_id", "kwargs", "reason"),
    [
        ("gittins", REVERSAL, {}, "stationary"),
        ("finite_index", REVERSAL, {}, "stationary"),
        ("finite_index", BANDIT, {"horizon": 121}, "at most 120 trials"),
        ("bayes_optimal", REVERSAL, {}, "`filter` is Bayes-optimal"),
        ("bayes_optimal", BANDIT, {"n_arms": 3, "horizon": 100}, "limit is 5,000,000"),
        ("bayes_optimal", BANDIT, {"n_arms": 10, "horizon": 100}, "64-bit"),
        ("filter", BANDIT, {}, "ReversalBandit"),
        ("thompson", BANDIT, {"horizon": 1000}, "limit is 1,200,000,000"),
        ("thompson", BANDIT, {"prior": "beta(0.01,1)"}, "below 0.05"),
        ("optimistic_thompson", BANDIT, {"prior": "beta(0.5,1)"}, "whole numbers"),
    ],
)
def test_reasons(name, env_id, kwargs, reason):
    with pytest.raises(InvalidTask, match=reason):
        make_named(name, make_family(env_id, **kwargs))


@st.composite
def reachable_counts(draw, n_arms=4, horizon=12):
    """Successes and failures [N, K] of a batch, fewer than ``horizon`` pulls in all."""
    n = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    totals = rng.integers(horizon, size=n)
    pulls = np.array([rng.multinomial(t, rng.dirichlet(np.ones(n_arms))) for t in totals])
    successes = rng.binomial(pulls, rng.random(pulls.shape))
    return successes.astype(float), (pulls - successes).astype(float)


@pytest.mark.parametrize("name", COUNTING)
@settings(max_examples=30, deadline=None)
@given(counts=reachable_counts(), order=st.permutations(range(4)))
def test_arms_have_no_names(name, counts, order):
    """Renaming the arms renames the choices."""
    policy = make_named(name, make_family(BANDIT, n_arms=4, horizon=12))
    successes, failures = counts
    nothing = np.zeros((len(successes), 0))

    def act(order):
        state = {"successes": successes[:, order], "failures": failures[:, order]}
        return policy.act(nothing, Stores(state=state))[0]

    np.testing.assert_allclose(act(order), act(np.arange(4))[:, order], atol=1e-12)


@pytest.mark.parametrize("name", COUNTING)
def test_counts_that_only_an_intervention_can_make_are_still_acted_on(name):
    policy = make_named(name, make_family(BANDIT, n_arms=3, horizon=10))
    rng = np.random.default_rng(0)
    state = {key: rng.normal(3.0, 6.0, size=(50, 3)).clip(0) for key in ("successes", "failures")}
    probs, _ = policy.act(np.zeros((50, 0)), Stores(state=state))
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-12)


def test_counts_are_those_of_the_history():
    policy = make_named("greedy", make_family(BANDIT, n_arms=2))
    stores, nothing = policy.start(2, np.random.default_rng(0)), np.zeros((2, 0))
    for action, reward in (([0, 1], [1.0, 0.0]), ([0, 1], [0.0, 0.0]), ([1, 1], [1.0, 1.0])):
        stores = policy.learn(stores, nothing, np.array(action), np.array(reward))
    np.testing.assert_array_equal(stores.state["successes"], [[1, 1], [0, 1]])
    np.testing.assert_array_equal(stores.state["failures"], [[1, 0], [0, 2]])


def test_cells_number_the_triangle():
    successes, failures = triangle(5)
    assert len(successes) == 21
    np.testing.assert_array_equal(cell(successes, failures, 5), np.arange(21))
    assert cell(np.array(9.0), np.array(2.0), 5) == cell(np.array(5), np.array(0), 5)


def test_no_policy_wins_before_it_has_played():
    """Where the middle of the range of rewards is below 0, what stands for no reward is above."""
    family = make_family("metalocus/GaussianBandit-v0", horizon=4)
    family.reward_range = (-2.0, 1.0)
    for name, cls in REFERENCES.items():
        if cls.why_not(family) is None and not cls.omniscient:
            agent = cls(family)
            probs, _ = agent.act(np.zeros((3, 0)), agent.start(3, np.random.default_rng(0)))
            assert np.isfinite(probs).all(), name
