"""Optimizers, traces, changing step sizes, and the interval of a policy's updates."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import ONLINE, make_named
from metalocus.agents.online.actor_critic import ActorCritic
from metalocus.agents.online.pearce_hall import PearceHall
from metalocus.agents.online.policy_gradient import PolicyGradient
from metalocus.agents.online.policy_gradient_variants import (
    PolicyGradientAdam,
    PolicyGradientMomentum,
)
from metalocus.agents.online.update_interval import IntervalLearner
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes.locus import Locus

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
NOTHING = np.zeros((1, 0))
RULES = sorted(ONLINE)


def learned(agent, history, stimulus=NOTHING, stores=None):
    """Stores after a history of (action, reward) of one episode."""
    stores = stores or agent.start(1, np.random.default_rng(0))
    for action, reward in history:
        _, stores = agent.act(stimulus, stores)
        stores = agent.learn(stores, stimulus, np.array([action]), np.array([float(reward)]))
    return stores


HISTORY = [(0, 1), (1, 0), (1, 1), (0, 0), (0, 1), (1, 1), (1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("make", "change", "optimizer"),
    [
        (PolicyGradient, {}, lambda p: torch.optim.SGD(p, 0.3)),
        (
            PolicyGradientMomentum,
            {"momentum": 0.7},
            lambda p: torch.optim.SGD(p, 0.3, momentum=0.7),
        ),
        (
            PolicyGradientAdam,
            {"beta_1": 0.6, "beta_2": 0.9},
            lambda p: torch.optim.Adam(p, 0.3, betas=(0.6, 0.9)),
        ),
    ],
)
def test_steps_are_those_of_pytorch_s_optimizer_on_the_reinforce_loss(make, change, optimizer):
    agent = make(make_family(BANDIT))
    agent.settings = replace(
        agent.settings, rate=0.3, baseline=0.4, baseline_rate=0.1, bound=np.inf, **change
    )
    logits, baseline = torch.zeros(2, dtype=torch.double, requires_grad=True), 0.4
    steps = optimizer([logits])
    for action, reward in HISTORY:
        steps.zero_grad()
        (-(reward - baseline) * torch.log_softmax(logits, 0)[action]).backward()
        steps.step()
        baseline += 0.1 * (reward - baseline)
    weights = learned(agent, HISTORY).weights
    np.testing.assert_allclose(weights["policy"][0, 0], logits.detach(), atol=1e-6)
    np.testing.assert_allclose(weights["baseline"], baseline)


def test_without_discount_the_actor_critic_is_the_policy_gradient():
    family = make_family(BANDIT)
    climber, actor = PolicyGradient(family), ActorCritic(family)
    climber.settings = replace(
        climber.settings, rate=0.7, baseline=0.3, baseline_rate=0.2, bound=1.0
    )
    actor.settings = replace(
        actor.settings, actor_rate=0.7, critic_rate=0.2, discount=0.0, mean_reward=0.3, bound=1.0
    )
    one = learned(climber, HISTORY).weights
    other = actor.end_episode(learned(actor, HISTORY).weights)
    np.testing.assert_allclose(one["policy"], other["actor"], atol=1e-12)
    np.testing.assert_allclose(one["baseline"], other["critic"][:, 0], atol=1e-12)


def test_with_whole_traces_a_reward_reaches_back_to_every_choice():
    """TD(1) with a critic that stays at 0: each choice is credited with its discounted return."""
    agent = ActorCritic(make_family(BANDIT))
    agent.settings = replace(
        agent.settings, actor_rate=1e-6, critic_rate=0.0, discount=0.5, trace=1.0, mean_reward=0.0
    )
    actor = agent.end_episode(learned(agent, HISTORY).weights)["actor"][0, 0] / 1e-6
    expected = np.zeros(2)
    for t, (action, _) in enumerate(HISTORY):
        later = sum(0.5**i * reward for i, (_, reward) in enumerate(HISTORY[t:]))
        expected += later * (np.eye(2)[action] - 0.5)
    np.testing.assert_allclose(actor, expected, atol=1e-4)


def test_the_critic_learns_what_a_stimulus_leads_to():
    """Two stimuli in turn, paid at the first alone: worth 1 / (1 - d^2), and d times that."""
    agent = ActorCritic(make_family(REVERSAL, cued=True))
    agent.settings = replace(
        agent.settings, actor_rate=0.0, critic_rate=0.1, discount=0.5, trace=0.4
    )
    stores = agent.start(1, np.random.default_rng(0))
    for t in range(2000):
        stores = learned(agent, [(0, t % 2 == 0)], np.eye(2)[[t % 2]], stores)
    _, stores = agent.act(np.eye(2)[[0]], stores)
    critic = stores.weights["critic"][0]
    np.testing.assert_allclose(critic[0] + critic[1:], [4 / 3, 2 / 3], atol=1e-3)


def test_large_errors_raise_the_step_size_and_small_ones_lower_it():
    agent = PearceHall(make_family(BANDIT))
    agent.settings = replace(
        agent.settings, start=0.5, rate=0.5, associability=0.5, memory_rate=0.3
    )
    calm = learned(agent, [(0, 1)] * 40)
    assert calm.weights["associability"][0, 0, 0] < 0.05
    assert calm.weights["associability"][0, 0, 1] == 0.5
    once = learned(agent, [(0, 0)], stores=calm).weights
    assert once["associability"][0, 0, 0] > 0.3
    before, after = calm.weights["values"][0, 0, 0], once["values"][0, 0, 0]
    assert 0.0 < before - after < 0.05
    twice = learned(agent, [(0, 0)], stores=Stores(weights=once)).weights["values"][0, 0, 0]
    assert after - twice > 5 * (before - after)


@pytest.mark.parametrize("name", RULES)
def test_an_interval_of_one_trial_changes_nothing(name):
    plain = make_named(name, make_family(REVERSAL, cued=True))
    one, other = (
        rollout(agent, fresh_episodes(Setting(REVERSAL, cued=True), 20, 0), 0)
        for agent in (plain, IntervalLearner(plain))
    )
    np.testing.assert_array_equal(one.probs, other.probs)
    for key, array in one.end.weights.items():
        np.testing.assert_array_equal(other.end.weights[key], array)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("interval", [7, None])
def test_within_an_interval_the_policy_stays_and_then_has_learned_from_all_trials(name, interval):
    family = make_family(BANDIT)
    plain = make_named(name, family)
    trace = rollout(IntervalLearner(plain, interval), fresh_episodes(Setting(BANDIT), 30, 0), 0)
    updates = set() if interval is None else set(range(interval, family.horizon, interval))
    for t in range(1, family.horizon):
        if t not in updates:
            np.testing.assert_array_equal(trace.probs[t], trace.probs[t - 1])
    assert interval is None or (trace.probs[interval] != trace.probs[0]).any()
    stores, nothing = plain.start(30, np.random.default_rng(0)), np.zeros((30, 0))
    for t, (action, reward) in enumerate(zip(trace.action, trace.reward, strict=True)):
        probs, stores = plain.act(nothing, stores)
        if t in updates:
            np.testing.assert_array_equal(trace.probs[t], probs)
        stores = plain.learn(stores, nothing, action, reward)
    for key, array in stores.weights.items():
        np.testing.assert_array_equal(trace.end.weights[key], array)


def test_an_updated_policy_has_learned_from_the_features_after_the_last_transition():
    """Two stimuli in turn: within an interval the choice at a stimulus is that of the weights just
    after the update, and does not depend on the critic's present value."""
    family = make_family(REVERSAL, cued=True)
    plain = ActorCritic(family)
    plain.settings = replace(plain.settings, critic_rate=0.3, discount=0.9, trace=0.5)
    slow, interval = IntervalLearner(plain, 4), 4
    mine, stores = (agent.start(1, np.random.default_rng(0)) for agent in (slow, plain))
    expected = stores.weights
    for t in range(20):
        shown, reward = np.eye(2)[[t % 2]], np.array([float(t % 3 == 0)])
        probs, mine = slow.act(shown, mine)
        _, stores = plain.act(shown, stores)
        if t % interval == 0:
            expected = stores.weights
        np.testing.assert_array_equal(probs, plain.policy(expected, plain.features(shown)))
        mine, stores = (
            agent.learn(each, shown, np.array([t % 2]), reward)
            for agent, each in ((slow, mine), (plain, stores))
        )
    assert abs(probs - 0.5).max() > 0.1


@pytest.mark.parametrize("name", RULES)
def test_kept_weights_go_on_where_the_last_episode_ended(name):
    family = make_family(BANDIT)
    plain = make_named(name, family)
    end = rollout(IntervalLearner(plain, None), fresh_episodes(Setting(BANDIT), 30, 0), 0).end
    again = IntervalLearner(plain, None, before=end)
    trace = rollout(again, fresh_episodes(Setting(BANDIT), 30, 1), 0)
    weights = {key: end.weights[key] for key in plain.start(30, np.random.default_rng(0)).weights}
    expected, _ = plain.act(np.zeros((30, 0)), Stores(weights=plain.end_episode(weights)))
    np.testing.assert_array_equal(trace.probs[0], expected)
    np.testing.assert_array_equal(trace.probs[-1], expected)
    assert (expected != 0.5).any()


def test_traces_end_with_their_episode():
    agent = ActorCritic(make_family(BANDIT))
    agent.settings = replace(agent.settings, discount=0.5, trace=0.5)
    weights = learned(agent, HISTORY).weights
    assert weights["actor_trace"].any()
    np.testing.assert_allclose(weights["critic_trace"], (1 - 0.25 ** len(HISTORY)) / (1 - 0.25))
    carried = agent.end_episode(weights)
    assert (carried["actor"] != weights["actor"]).any()
    for name in ("actor_trace", "critic_trace", "td_error"):
        assert not carried[name].any()
    twice = agent.end_episode(carried)
    np.testing.assert_array_equal(twice["actor"], carried["actor"])


def test_with_an_interval_learning_is_in_the_weights_alone_and_later():
    family = make_family(BANDIT)
    agent = make_named("delta_rule_average", family)
    found = Locus([5, 30]).run(IntervalLearner(agent, 10), Setting(BANDIT), episodes=500)
    assert found["contained"]
    assert found["total"]["reset before"][0] == 0.0 < 0.3 < found["total"]["reset before"][1]
    assert found["shares_fraction"]["resample before"]["weights"][1] == pytest.approx(1.0, abs=1e-9)


def test_an_interval_is_a_positive_whole_number_python_s_or_numpy_s():
    learner = make_named("delta_rule", make_family(BANDIT))
    for wrong in (0, -1, 2.5, np.float64(2.0), True, "2"):
        with pytest.raises(InvalidTask, match="interval must be a whole number of at least 1"):
            IntervalLearner(learner, wrong)
    for right in (np.int64(7), np.uint8(7)):
        assert type(IntervalLearner(learner, right).interval) is int
        one, other = (
            rollout(IntervalLearner(learner, each), fresh_episodes(Setting(BANDIT), 20, 0), 0)
            for each in (7, right)
        )
        np.testing.assert_array_equal(one.probs, other.probs)
