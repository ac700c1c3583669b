"""A memory of the training tasks, Bayes under the prior, and what is neither."""

import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.references.bernoulli.policies import Greedy
from metalocus.agents.rollout import fresh_episodes
from metalocus.experiments.claims import diversity
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.diversity import (
    UNLIMITED,
    BayesOnTasks,
    limited,
    side_of,
    task_seeds,
    threshold,
    training_tasks,
    weights,
)
from metalocus.experiments.runs.named import FIVE_ARMS, setting_called
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import PRESETS

pytestmark = pytest.mark.usefixtures("small_claims")

FEW = dataclasses.replace(PRESETS["smoke"], episodes=60)
SEED = 9


class SoftMemory(BayesOnTasks):
    """Softmax of the expected rewards under the posterior over tasks."""

    def act(self, stimulus, stores):
        return softmax(15.0 * self.posterior_mean(stores), axis=1), stores


class SoftPrior(Greedy):
    """Softmax of the expected rewards under the prior."""

    def act(self, stimulus, stores):
        return softmax(15.0 * self.posterior_mean(stores), axis=1), stores


def memory(cls, n, task_seed=0):
    return cls(FIVE_ARMS.family, training_tasks(limited(FIVE_ARMS, n, task_seed)))


def side(agent, n, new=True, task_seed=0):
    tasks = limited(FIVE_ARMS, n, task_seed)
    return side_of(agent, tasks, FIVE_ARMS if new else tasks, FEW.episodes, SEED)


def test_a_memory_of_tasks_is_told_from_bayes_under_the_prior():
    """However sharp the choices, on new tasks and on those of training."""
    family = FIVE_ARMS.family
    for n, new in ((4, True), (4, False), (256, True)):
        for agent in (memory(SoftMemory, n), memory(BayesOnTasks, n)):
            found = side(agent, n, new)
            assert found.side == pytest.approx(-1.0, abs=0.1), (n, new)
            assert found.nats < -0.01
        for agent in (SoftPrior(family), Greedy(family)):
            found = side(agent, n, new)
            assert found.side == pytest.approx(1.0, abs=0.1), (n, new)
            assert found.nats > 0.01
    assert side(best_reference(family), 4).side > 0.9, "it explores, and knows the prior"


def test_a_memory_of_other_tasks_is_no_memory_of_these():
    assert side(memory(SoftMemory, 4, task_seed=1), 4).nats > side(memory(SoftMemory, 4), 4).nats
    assert side(memory(SoftMemory, 64, task_seed=1), 64).side > -0.5


def test_choices_that_follow_no_reward_are_on_no_side():
    for name in ("random", "fixed_bias"):
        assert side(make_named(name, FIVE_ARMS.family), 4).side is None, name


def test_a_habit_is_no_memory_of_tasks_but_scores_less():
    """So the score is judged beside the side."""
    family = FIVE_ARMS.family
    habit, best = make_named("wsls", family), best_reference(family)
    agents = dict.fromkeys(CLAIMS.find("diversity").runs(FEW, 0), habit)
    found = CLAIMS.find("diversity").measure(agents, FEW, SEED)
    assert found["many"]["five_arms"] > 0.5
    own = score(habit, FIVE_ARMS, FEW.episodes, SEED)
    assert found["many_score"]["five_arms"] == pytest.approx(own)
    assert own < 0.8
    found = CLAIMS.find("diversity").measure(dict.fromkeys(agents, best), FEW, SEED)
    assert found["many_score"]["five_arms"] == pytest.approx(1.0)


def test_the_tasks_are_those_that_episodes_are_drawn_from():
    for n in (1, 4, 64):
        tasks = training_tasks(limited(FIVE_ARMS, n, 3))
        assert tasks.shape == (n, 5)
        met = fresh_episodes(limited(FIVE_ARMS, n, 3), 50, seed=7).means()
        assert (met[:, None] == tasks).all(axis=2).any(axis=1).all()
        other = training_tasks(limited(FIVE_ARMS, n, 4))
        assert not (other[:, None] == tasks).all(axis=2).any()


def test_bayes_on_tasks_is_bayes_rule():
    """By products of chances; two tasks of which one pays on the first arm alone."""
    tasks = np.array([[0.9, 0.1], [0.3, 0.6]])
    policy = BayesOnTasks(setting_called("bandit").family, tasks)
    stores = policy.start(1, np.random.default_rng(0))
    for action, reward in ((0, 1.0), (1, 0.0), (0, 1.0)):
        stores = policy.learn(stores, np.empty((1, 0)), np.array([action]), np.array([reward]))
    joint = np.array([0.9 * 0.9 * 0.9, 0.3 * 0.4 * 0.3])
    expected = joint @ tasks / joint.sum()
    np.testing.assert_allclose(policy.posterior_mean(stores), expected[None])


def test_weights_are_those_that_choices_were_made_with():
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(2, 40, 10, 3))
    probs = softmax(2.0 * values[0] + 6.0 * values[1], axis=-1)
    np.testing.assert_allclose(weights(probs, *values), [2.0, 6.0], atol=0.05)
    assert weights(softmax(-values[0], axis=-1), values[0]) == pytest.approx([0.0], abs=1e-6)


def test_the_threshold_is_where_the_prior_counts_more_from_then_on():
    for sides, expected in (
        ({1: -1.0, 4: -0.5, 16: 0.5}, 3.0),
        ({1: -1.0, 4: 0.5, 16: -0.25, 64: 0.75}, 4.5),
        ({4: 0.1, 16: 0.2}, 2.0),
        ({1: 0.5, 4: -0.1}, None),
        ({1: None, 4: 0.1}, None),
    ):
        assert threshold(sides) == (expected and pytest.approx(expected)), sides


def test_tasks_and_network_are_varied_apart():
    claim, preset = CLAIMS.find("diversity"), PRESETS["full"]
    runs = {name.rpartition("/")[0]: run for name, run in claim.runs(preset, 3).items()}
    own, others = task_seeds(3)
    base = runs[f"trained/{diversity.VARIED}/{own}"]
    tasks, network = (
        runs[f"{name}/{diversity.VARIED}/{seed}"]
        for name, seed in (("other tasks", others), ("other network", own))
    )
    assert (tasks.seed, network.setting) == (base.seed, base.setting)
    assert tasks.setting != base.setting
    assert network.seed != base.seed
    assert "n_tasks" not in runs[UNLIMITED].setting.kwargs
    assert len({(run.agent, run.steps, str(run.agent_kwargs)) for run in runs.values()}) == 1
    every = [seed for training_seed in range(50) for seed in task_seeds(training_seed)]
    assert len(set(every)) == len(every)


def test_it_is_asked_of_bandits_with_a_prior_alone():
    claim = CLAIMS.find("diversity")
    for name, kwargs, reason in (
        ("metalocus/BernoulliBandit-v0", {"prior": "dependent"}, "independent arms alone"),
        ("metalocus/BernoulliBandit-v0", {"n_tasks": 3}, "leave out n_tasks"),
        ("metalocus/ReversalBandit-v0", {}, "independent arms alone"),
    ):
        assert reason in claim.why_not(FEW.about_agent(None, setting_called(name, **kwargs)))
    two = setting_called("metalocus/BernoulliBandit-v0", prior="beta(2,2)")
    assert claim.why_not(FEW.about_agent(None, two)) is None
