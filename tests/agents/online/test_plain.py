"""Every online rule's batched update is its plain one, episode by episode and in scalars."""

import numpy as np
import pytest

from metalocus.agents.catalogue import ONLINE, make_named
from metalocus.envs import make_family

REVERSAL = "metalocus/ReversalBandit-v0"
RULES = sorted(ONLINE)


def plain_scores(policy, x, action):
    """Derivatives of log pi, (f, k) -> one."""
    logits = [sum(x[f] * policy[f][k] for f in range(len(x))) for k in range(len(policy[0]))]
    odds = [np.exp(logit) for logit in logits]
    return {
        (f, k): x[f] * ((k == action) - odds[k] / sum(odds))
        for f in range(len(x))
        for k in range(len(logits))
    }


def plain_climb(settings, weights, x, action, reward, step):
    """One episode's update in scalars; ``step`` makes a step out of a place's gradient."""
    policy, error = weights["policy"], reward - weights["baseline"]
    for place, score in plain_scores(policy, x, action).items():
        moved = policy[place] + step(place, error * score)
        policy[place] = min(max(moved, -settings.bound), settings.bound)
    weights["baseline"] += settings.baseline_rate * error


def plain_policy_gradient(settings, weights, x, action, reward):
    plain_climb(settings, weights, x, action, reward, lambda _, slope: settings.rate * slope)


def plain_reinforce(settings, weights, x, action, reward):
    assert weights["baseline"] == 0.0
    plain_policy_gradient(settings, weights, x, action, reward)


def plain_policy_gradient_momentum(settings, weights, x, action, reward):
    def step(place, slope):
        velocity = weights["velocity"]
        velocity[place] = settings.momentum * velocity[place] + settings.rate * slope
        return velocity[place]

    plain_climb(settings, weights, x, action, reward, step)


def plain_policy_gradient_adam(settings, weights, x, action, reward):
    def step(place, slope):
        mean, square = weights["mean"], weights["square"]
        mean[place] += (1 - settings.beta_1) * (slope - mean[place])
        square[place] += (1 - settings.beta_2) * (slope**2 - square[place])
        unbiased = mean[place] / (1 - settings.beta_1 ** weights["steps"])
        spread = square[place] / (1 - settings.beta_2 ** weights["steps"])
        return settings.rate * unbiased / (np.sqrt(spread) + 1e-8)

    weights["steps"] += 1
    plain_climb(settings, weights, x, action, reward, step)


def plain_natural_gradient(settings, weights, x, action, reward):
    policy, error = weights["policy"], reward - weights["baseline"]
    rate = settings.rate / (1 + settings.annealing * weights["trials"])
    logits = [sum(x[f] * policy[f][k] for f in range(len(x))) for k in range(len(policy[0]))]
    likely = 1 / sum(np.exp(min(logit - logits[action], 700.0)) for logit in logits)
    for f, k in np.ndindex(*policy.shape):
        push = ((k == action) - 1 / len(logits)) / max(likely, 0.05) * x[f] / sum(x)  # x is 0 or 1
        policy[f][k] = policy[f][k] * (1 - settings.decay) + rate * error * push
    weights["baseline"] += settings.baseline_rate * error
    weights["trials"] += 1


def plain_mirror_descent(settings, weights, x, action, reward):
    policy, arms = weights["policy"], len(weights["policy"][0])
    logits = [sum(x[f] * policy[f][k] for f in range(len(x))) for k in range(arms)]
    odds = [np.exp(logit - max(logits)) for logit in logits]
    drawn = (1 - settings.mix) * odds[action] / sum(odds) + settings.mix / arms
    raised = list(logits)
    raised[action] += settings.rate * (reward - settings.baseline) / drawn
    odds = [np.exp(logit - max(raised)) for logit in raised]
    shared = [(1 - settings.share) * each / sum(odds) + settings.share / arms for each in odds]
    logs = [np.log(max(each, 1e-100)) for each in shared]
    for f, k in np.ndindex(*policy.shape):
        policy[f][k] += (logs[k] - sum(logs) / arms - logits[k]) * x[f] / sum(x)  # x is 0 or 1


def plain_reinforcement_comparison(settings, weights, x, action, reward):
    error = reward - weights["reference"]
    for f, k in np.ndindex(*weights["policy"].shape):
        weights["policy"][f][k] *= 1 - settings.decay
        weights["policy"][f][k] += settings.rate * error * x[f] * (k == action)
    weights["reference"] += settings.reference_rate * error


def plain_actor_critic(settings, weights, x, action, reward):
    """What the last transition led to, x, moves the weights; then this one is noted."""
    critic = weights["critic"]
    value = sum(x[f] * critic[f] for f in range(len(x)))
    td_error = weights["td_error"] + settings.discount * value
    for place, trace in np.ndenumerate(weights["actor_trace"]):
        moved = weights["actor"][place] + settings.actor_rate * td_error * trace
        weights["actor"][place] = min(max(moved, -settings.bound), settings.bound)
    for f, trace in enumerate(weights["critic_trace"]):
        critic[f] += settings.critic_rate * td_error * trace
    left = settings.discount * settings.trace
    for place, score in plain_scores(weights["actor"], x, action).items():
        weights["actor_trace"][place] = left * weights["actor_trace"][place] + score
    for f in range(len(x)):
        weights["critic_trace"][f] = left * weights["critic_trace"][f] + x[f]
    weights["td_error"] = reward - sum(x[f] * critic[f] for f in range(len(x)))


def plain_pearce_hall(settings, weights, x, action, reward):
    values, associability = weights["values"], weights["associability"]
    error = reward - sum(x[f] * values[f][action] for f in range(len(x)))
    for f in range(len(x)):
        if x[f]:
            share = min(settings.rate * associability[f][action], 1.0) / sum(x)  # x is 0 or 1
            values[f][action] += share * error
            change = abs(error) - associability[f][action]
            associability[f][action] += settings.memory_rate * change


def plain_delta(values, x, action, reward, rate):
    """The pulled arm's weights, one by one."""
    error = reward - sum(x[f] * values[f][action] for f in range(len(x)))
    for f in range(len(x)):
        values[f][action] += rate * error * x[f]


def plain_delta_rule(settings, weights, x, action, reward):
    plain_delta(weights["values"], x, action, reward, settings.rate)


def plain_delta_rule_counterfactual(settings, weights, x, action, reward):
    plain_delta(weights["values"], x, action, reward, settings.rate)
    plain_delta(weights["values"], x, 1 - action, 1 - reward, settings.rate)


def plain_delta_rule_average(settings, weights, x, action, reward):
    values, pulls = weights["values"], weights["pulls"]
    error = reward - sum(x[f] * values[f][action] for f in range(len(x)))
    for f in range(len(x)):
        if x[f]:
            pulls[f][action] += 1
            values[f][action] += error / pulls[f][action] / sum(x)  # x is 0 or 1


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("cued", [False, True])
def test_batched_update_is_a_plain_loop_over_episodes(name, cued):
    family = make_family(REVERSAL, cued=cued)
    agent = make_named(name, family)
    rng = np.random.default_rng(0)
    stores = agent.start(5, rng)
    loops = [{key: array[i].copy() for key, array in stores.weights.items()} for i in range(5)]
    for _ in range(30):
        stimulus = np.eye(2)[rng.integers(2, size=5)][:, : family.stimulus_size]
        action, reward = rng.integers(2, size=5), rng.integers(2, size=5).astype(float)
        stores = agent.learn(agent.act(stimulus, stores)[1], stimulus, action, reward)
        for i, weights in enumerate(loops):
            x = [1.0, *stimulus[i]]
            globals()[f"plain_{name}"](agent.settings, weights, x, action[i], reward[i])
    for key, array in stores.weights.items():
        np.testing.assert_allclose(array, [weights[key] for weights in loops], atol=1e-10)
