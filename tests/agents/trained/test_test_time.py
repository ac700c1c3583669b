"""Test-time learning: each episode's own head descends, by the gradient that autograd gives."""

import copy

import numpy as np
import pytest
import torch

from metalocus.agents.agent import STORES, Stores
from metalocus.agents.cells.alike import Alike
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.cells.gradient_step import GradientStep
from metalocus.agents.cells.learned_rule import LearnedRule
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.test_time import BASELINE_RATE, UpdatingAgent
from metalocus.envs import InvalidTask, Setting, make_episodes
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.layout import action_space, observation_space
from metalocus.experiments.probes.locus import Locus

REVERSAL, KWARGS = "metalocus/ReversalBandit-v0", {"horizon": 7, "hazard": 0.2, "cued": True}
GAUSSIAN = "metalocus/GaussianBandit-v0"
N, RATE = 5, 0.1
OWN_LOGITS = (Alike, GradientStep, LearnedRule)
HEADED = [n for n, agent in TRAINABLES.items() if not issubclass(agent.cell, OWN_LOGITS)]
POLICIES = [(name, "shared") for name in HEADED] + [("lstm", "separate")]
every_policy = pytest.mark.parametrize(("name", "critic"), POLICIES)


def network(name, critic="shared", std=0.3):
    """Random parameters, large enough for choices to depend on what is seen and carried."""
    layout = make_episodes(REVERSAL, **KWARGS).layout
    agent = TRAINABLES[name]
    torch.manual_seed(0)
    policy = SequencePolicy(
        observation_space(layout),
        action_space(layout),
        lambda _: 0.0,
        critic=critic,
        **agent.arguments(layout),
    )
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(std=std)
    return policy, layout


def updating(name, critic="shared", rate=RATE):
    return UpdatingAgent(*network(name, critic), rate)


def episodes():
    return make_episodes(REVERSAL, seed_keys(3, N), **KWARGS)


def transitions(steps, seed=0):
    """Stimulus, action and reward of every step, each for all rows."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        stimulus = np.eye(2)[rng.integers(2, size=N)]
        yield stimulus, rng.integers(2, size=N), rng.integers(2, size=N).astype(float)


def after(agent, steps):
    stores = agent.start(N, np.random.default_rng(0))
    for stimulus, action, reward in transitions(steps):
        _, acted = agent.act(stimulus, stores)
        stores = agent.learn(acted, stimulus, action, reward)
    return stores


def head_of(policy):
    """The actor's head by the policy's own names of its parameters."""
    return {
        name: parameter
        for name, parameter in policy.named_parameters()
        if name.startswith(("mlp_extractor.policy_net", "action_net"))
    }


def descended(agent, stores, row, stimulus, action, reward):
    """One episode's new head and baseline, by a policy of its own and its backward pass."""
    policy, own = copy.deepcopy(agent.policy), stores.rows([row])
    head, changes = head_of(policy), [v[0] for k, v in own.weights.items() if k.startswith("actor")]
    with torch.no_grad():
        for parameter, change in zip(head.values(), changes, strict=True):
            parameter += torch.from_numpy(change)
    obs = agent.observation(stimulus[[row]], own)
    carry = policy.initial_carry(1)
    for name, store in policy.cell.carried.items():
        carry[name] = torch.from_numpy(getattr(own, store)[name])
    distribution, _ = policy.get_distribution(torch.from_numpy(obs), carry, torch.zeros(1))
    error = reward[row] - float(own.weights["baseline"][0])
    loss = -error * distribution.log_prob(torch.tensor([action[row]]))[0]
    gradients = torch.autograd.grad(loss, list(head.values()))
    moved = [c - agent.rate * g.numpy() for c, g in zip(changes, gradients, strict=True)]
    return [*moved, own.weights["baseline"][0] + BASELINE_RATE * error]


@pytest.mark.parametrize("name", sorted(set(TRAINABLES) - set(HEADED)))
def test_a_cell_that_gives_the_logits_itself_has_no_head_to_update(name):
    with pytest.raises(InvalidTask, match="gives the logits itself"):
        updating(name)


@every_policy
def test_a_step_is_that_of_each_episode_s_own_backward_pass(name, critic):
    agent = updating(name, critic)
    stores = after(agent, 3)  # so that every episode has its own head and carry
    ((stimulus, action, reward),) = transitions(1, seed=1)
    found = agent.learn(agent.act(stimulus, stores)[1], stimulus, action, reward)
    keys = [key for key in found.weights if key.startswith("actor.")] + ["baseline"]
    for row in range(N):
        expected = descended(agent, stores, row, stimulus, action, reward)
        for key, value in zip(keys, expected, strict=True):
            np.testing.assert_allclose(found.weights[key][row], value, rtol=0, atol=1e-5)
    assert all(np.abs(found.weights[key] - stores.weights[key]).max() > 1e-4 for key in keys)


@every_policy
def test_at_rate_0_it_is_the_frozen_agent_bit_for_bit(name, critic):
    policy, layout = network(name, critic)
    frozen = rollout(TrainedAgent(policy, layout), episodes())
    still = rollout(UpdatingAgent(policy, layout, 0.0), episodes())
    np.testing.assert_array_equal(still.probs, frozen.probs)
    np.testing.assert_array_equal(still.action, frozen.action)
    for store in ("state", "context"):
        assert still.end.digest(store) == frozen.end.digest(store)
    own = {key: array for key, array in still.end.weights.items() if key in frozen.end.weights}
    assert Stores(weights=own).digest("weights") == frozen.end.digest("weights")
    added = still.start.weights.keys() - frozen.start.weights.keys()
    for key in added:
        np.testing.assert_array_equal(still.end.weights[key], still.start.weights[key])


@every_policy
def test_the_differences_are_those_of_the_actor_s_head(name, critic):
    agent = updating(name, critic)
    stores = agent.start(N, np.random.default_rng(0))
    mine = {key: a for key, a in stores.weights.items() if key not in agent.policy.cell.carried}
    assert (mine.pop("baseline") == 0.5).all()
    shapes = [(N, *parameter.shape) for parameter in head_of(agent.policy).values()]
    assert [array.shape for array in mine.values()] == shapes
    assert not any(array.any() for array in mine.values())


@every_policy
def test_playing_changes_neither_parameters_nor_the_stores_it_was_given(name, critic):
    agent, seen = updating(name, critic), []
    parameters = Stores(weights=agent.parameters()).digest("weights")

    def digests(stores):
        return [stores.digest(store) for store in STORES]

    rollout(
        agent, episodes(), observe=lambda trial: seen.append((trial.stores, digests(trial.stores)))
    )
    assert Stores(weights=agent.parameters()).digest("weights") == parameters
    assert all(digests(stores) == before for stores, before in seen)
    weights = [stores.digest("weights") for stores, _ in seen]
    assert len(set(weights)) == len(weights), "every transition changes them"
    assert all(parameter.grad is None for parameter in agent.policy.parameters())


@every_policy
def test_what_one_episode_meets_changes_no_other(name, critic):
    agent = updating(name, critic)
    stores = after(agent, 3)
    ((stimulus, action, reward),) = transitions(1, seed=1)
    _, stores = agent.act(stimulus, stores)
    others = np.arange(N) != 2
    one = agent.learn(stores, stimulus, action, reward)
    action, reward = action.copy(), reward.copy()
    action[2], reward[2] = 1 - action[2], 1 - reward[2]
    two = agent.learn(stores, stimulus, action, reward)
    assert one.rows(others).digest("weights") == two.rows(others).digest("weights")
    for key in ("actor.0.weight", "actor.2.bias", "baseline"):
        assert (one.weights[key][2] != two.weights[key][2]).any()
    before, changed = agent.act(stimulus, one)[0], agent.act(stimulus, two)[0]
    np.testing.assert_array_equal(before[others], changed[others])


@every_policy
def test_all_that_it_knows_is_in_its_stores(name, critic):
    agent = updating(name, critic)
    assert Locus([6]).run(agent, Setting(REVERSAL, **KWARGS), episodes=20)["contained"]
    ((stimulus, action, reward),) = transitions(1, seed=1)
    stores, other = after(agent, 3), updating(name, critic)
    np.testing.assert_array_equal(agent.act(stimulus, stores)[0], other.act(stimulus, stores)[0])
    _, acted = agent.act(stimulus, stores)
    one, two = (each.learn(acted, stimulus, action, reward) for each in (agent, other))
    assert [one.digest(store) for store in STORES] == [two.digest(store) for store in STORES]


def test_reward_counts_as_a_fraction_of_its_range():
    """A reward in the middle is what the first baseline expects, so it moves nothing."""
    layout = make_episodes(GAUSSIAN).layout
    policy = SequencePolicy(
        observation_space(layout), action_space(layout), lambda _: 0.0, cell="mlp", inputs=[]
    )
    agent, (low, high) = UpdatingAgent(policy, layout, RATE), layout.family.reward_range
    start, arms = agent.start(3, np.random.default_rng(0)), np.zeros(3, dtype=int)
    _, acted = agent.act(np.zeros((3, 0)), start)
    found = agent.learn(acted, np.zeros((3, 0)), arms, np.array([low, (low + high) / 2, high]))
    np.testing.assert_allclose(found.weights["baseline"], [0.45, 0.5, 0.55], atol=1e-6)
    before, now = (agent.act(np.zeros((3, 0)), stores)[0][:, 0] for stores in (start, found))
    assert now[0] < before[0]
    assert now[1] == pytest.approx(before[1], abs=1e-6)
    assert now[2] > before[2]


def test_a_memoryless_policy_comes_to_choose_the_better_arm():
    """The positive control: frozen it cannot learn anything, since it is shown nothing."""
    bandit, kwargs = "metalocus/BernoulliBandit-v0", {"n_arms": 2, "horizon": 50}
    layout = make_episodes(bandit, **kwargs).layout
    torch.manual_seed(0)
    policy = SequencePolicy(
        observation_space(layout), action_space(layout), lambda _: 0.0, cell="mlp", inputs=[]
    )
    earned = [
        rollout(agent, fresh_episodes(Setting(bandit, **kwargs), 300, 0)).value.mean(axis=1)
        for agent in (TrainedAgent(policy, layout), UpdatingAgent(policy, layout, 0.3))
    ]
    np.testing.assert_allclose(earned[0], earned[0][0])
    assert earned[1][0] == earned[0][0]
    assert earned[1][-10:].mean() > earned[0].mean() + 0.1


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), "fast"])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(InvalidTask, match="rate must be a finite number of at least 0"):
        UpdatingAgent(*network("mlp"), rate)
