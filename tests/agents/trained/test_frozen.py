"""A trained policy behind the agent interface acts as it does on the environment itself."""

import copy

import numpy as np
import pytest
import torch

from metalocus.agents.agent import STORES, NonFinite, Stores
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import choose, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, make_episodes
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.layout import DEFAULT_PARTS, PARTS, action_space, observation_space

N = 5
BANDIT = ("metalocus/BernoulliBandit-v0", {"n_arms": 3, "horizon": 7})
REVERSAL = ("metalocus/ReversalBandit-v0", {"horizon": 7, "hazard": 0.2})
CUED = (REVERSAL[0], {**REVERSAL[1], "cued": True})
ENVS = {"bandit": BANDIT, "reversal": REVERSAL, "cued": CUED}
OBSERVED = {"default": DEFAULT_PARTS, "time": PARTS, "no flag": ("stimulus", "action", "reward")}
SHOWN = [("bandit", "default"), ("reversal", "time"), ("cued", "no flag"), ("cued", "time")]
POLICIES = [(name, "shared") for name in TRAINABLES] + [("lstm", "separate")]

every_policy = pytest.mark.parametrize(("name", "critic"), POLICIES)


def episodes(env, observe=DEFAULT_PARTS):
    env_id, kwargs = ENVS[env]
    return make_episodes(env_id, seed_keys(3, N), observe=observe, **kwargs)


def trained(name, layout, critic="shared", sees=None, std=0.5):
    """Random parameters, large enough for choices to depend on all that is seen."""
    arguments = TRAINABLES[name].arguments(layout)
    if sees is not None:
        arguments["inputs"] = layout.indices(sees)
    torch.manual_seed(0)
    spaces = observation_space(layout), action_space(layout)
    policy = SequencePolicy(*spaces, lambda _: 0.0, critic=critic, **arguments)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(std=std)
    return TrainedAgent(policy, layout)


def from_observation(policy, obs, carry):
    """Action probabilities that the policy itself gives, and what it carries on."""
    with torch.no_grad():
        distribution, carry = policy.get_distribution(torch.from_numpy(obs), carry, torch.zeros(N))
    return distribution.log_probs.exp().numpy(), carry


@every_policy
def test_probabilities_are_those_on_the_environments_own_observations(name, critic):
    for env, observe in SHOWN:
        running = episodes(env, OBSERVED[observe])
        agent = trained(name, running.layout, critic)
        stores, carry = agent.start(N, np.random.default_rng(0)), agent.policy.initial_carry(N)
        for t in range(running.family.horizon):
            stimulus = running.stimulus()
            probs, stores = agent.act(stimulus, stores)
            expected, carry = from_observation(agent.policy, running.observation(), carry)
            np.testing.assert_array_equal(probs, expected, err_msg=f"{env}, {observe}, {t}")
            action = choose(probs, running.crn.uniform("policy", t))
            reward, _ = running.step(action)
            stores = agent.learn(stores, stimulus, action, reward)


def test_the_policies_tested_do_read_what_they_are_shown():
    """Otherwise the test above would not notice a wrong observation."""
    for name in TRAINABLES:
        agent = trained(name, episodes("cued", PARTS).layout)
        shown = np.random.default_rng(0).uniform(0.2, 0.9, (2, N, agent.layout.size))
        earlier, obs = shown.astype(np.float32)
        _, carry = from_observation(agent.policy, earlier, agent.policy.initial_carry(N))
        _, carry = from_observation(agent.policy, earlier, carry)
        before, _ = from_observation(agent.policy, obs, carry)
        for i in range(agent.layout.size):
            moved = obs.copy()
            moved[:, i] = 1 / 7
            after, _ = from_observation(agent.policy, moved, carry)
            assert (after != before).any() == (i in agent.policy.inputs), (name, i)


@every_policy
def test_stores_hold_what_the_cell_declares_and_the_feedback_it_sees(name, critic):
    """The layout shows the action, the reward and the first-step flag, but not the time."""
    agent = trained(name, episodes("cued").layout, critic)
    cell = agent.policy.cell
    held = {store: set() for store in STORES}
    for key, store in cell.carried.items():
        held[store].add(key)
    sees = TRAINABLES[name].sees
    kept = {"action": "action", "reward": "reward", "first": "trial"}
    held["context"].update(key for part, key in kept.items() if part in sees)
    stimulus, arms = np.ones((N, 2)), np.zeros(N, dtype=int)
    start = agent.start(N, np.random.default_rng(0))
    _, acted = agent.act(stimulus, start)
    for stores in (start, acted, agent.learn(acted, stimulus, arms, np.ones(N))):
        assert {store: set(getattr(stores, store)) for store in STORES} == held
        assert all(len(array) == N for s in STORES for array in getattr(stores, s).values())


def test_a_policy_that_sees_no_feedback_has_nothing_to_adapt_with():
    agent = trained("mlp", episodes("cued").layout)
    trace = rollout(agent, episodes("cued"))
    assert trace.start == trace.end == Stores()


def test_the_context_is_the_last_transition_and_the_trial():
    """Each row has its own trial, and what is shown now is not carried from the trial before."""
    running = episodes("cued", PARTS)
    agent = trained("lstm", running.layout)
    stores = agent.start(N, np.random.default_rng(0))
    np.testing.assert_array_equal(stores.context["action"], -1)
    np.testing.assert_array_equal(stores.context["trial"], 0)
    action, reward = np.array([0, 1, 0, 1, 0]), np.array([1.0, 0.0, 0.5, 1.0, 0.0])
    stores = stores.updated(Stores(context={"trial": np.arange(N)}))
    stores = agent.learn(stores, running.stimulus(), action, reward)
    assert set(stores.context) == {"action", "reward", "trial"}
    obs = agent.observation(np.zeros((N, 2)), stores)
    expected = [np.zeros((N, 2)), np.eye(2)[action], reward[:, None], np.zeros((N, 1))]
    time = np.arange(1, N + 1)[:, None] / 7
    np.testing.assert_allclose(obs, np.concatenate([*expected, time], axis=1), atol=1e-7)


def test_rows_at_their_own_trials_act_as_on_their_own_observations():
    """As after a swap of stores between episodes of different ages."""
    layout = episodes("bandit", PARTS).layout
    agent = trained("lstm", layout)
    rng = np.random.default_rng(0)
    stores, seen = agent.start(N, rng), []
    for _ in range(3):
        seen.append(stores)
        stores = agent.act(np.zeros((N, 0)), stores)[1]
        stores = agent.learn(stores, np.zeros((N, 0)), rng.integers(3, size=N), rng.random(N))
    early, late = (np.array(rows) for rows in ([0, 1], [2, 3, 4]))

    def mixed(store, key, array):
        return np.concatenate([array[early], getattr(seen[2], store)[key][late]])

    probs, after = agent.act(np.zeros((N, 0)), seen[1].map(mixed))
    for rows, own in ((early, seen[1]), (late, seen[2])):
        expected, _ = agent.act(np.zeros((N, 0)), own)
        np.testing.assert_allclose(probs[rows], expected[rows], atol=1e-6)
    learned = agent.learn(after, np.zeros((N, 0)), np.zeros(N, int), np.zeros(N))
    np.testing.assert_array_equal(learned.context["trial"], [2, 2, 3, 3, 3])


def test_feedback_that_the_policy_does_not_see_is_not_in_its_context():
    layout = episodes("reversal").layout
    agent = trained("lstm", layout, sees=("reward",))
    stores = agent.learn(agent.start(N, None), np.ones((N, 0)), np.ones(N, dtype=int), np.ones(N))
    assert set(stores.context) == {"reward"}
    np.testing.assert_array_equal(stores.context["reward"], 1)


@pytest.mark.parametrize(
    ("value", "error"), [(np.nan, NonFinite), (-np.inf, NonFinite), (1j, InvalidTask)]
)
def test_weights_that_are_no_real_numbers_are_refused_by_name(value, error):
    agent = trained("lstm", episodes("bandit").layout)
    weights = dict(agent.policy.named_parameters())
    for name in ("cell.layers.0.bias_ih_l0", "action_net.weight"):
        policy = copy.deepcopy(agent.policy)
        kind = torch.complex64 if value == 1j else torch.float32
        broken = weights[name].detach().to(kind, copy=True)
        broken.view(-1)[3] = value
        module, _, last = name.rpartition(".")
        setattr(policy.get_submodule(module), last, torch.nn.Parameter(broken))
        with pytest.raises(error, match=f"the weights {name} are"):
            TrainedAgent(policy, agent.layout)


@every_policy
def test_playing_changes_neither_parameters_nor_the_stores_it_was_given(name, critic):
    for env in ENVS:
        agent, seen = trained(name, episodes(env).layout, critic), []
        parameters = Stores(weights=agent.parameters()).digest("weights")

        def remember(trial, seen=seen):
            seen.append((trial.stores, digests(trial.stores)))

        rollout(agent, episodes(env), observe=remember)
        assert Stores(weights=agent.parameters()).digest("weights") == parameters, env
        assert all(digests(stores) == before for stores, before in seen), env


def digests(stores):
    return [stores.digest(store) for store in STORES]


@pytest.mark.parametrize("name", [n for n, a in TRAINABLES.items() if a.cell.carried])
def test_a_restored_cell_is_a_fresh_carry_with_the_same_observation(name):
    running = episodes("bandit")
    agent = trained(name, running.layout, std=0.2)
    carried = agent.policy.cell.carried
    held = sorted(set(carried.values()))
    stores = start = agent.start(N, np.random.default_rng(0))
    for t in range(4):
        probs, after = agent.act(running.stimulus(), stores)
        lesioned = stores.restore(start, [store for store in held if store != "context"])
        if "context" in held:
            own = {k: start.context[k] for k, store in carried.items() if store == "context"}
            lesioned = Stores(lesioned.state, lesioned.weights, {**stores.context, **own})
        restored, _ = agent.act(running.stimulus(), lesioned)
        fresh = agent.policy.initial_carry(N)
        expected, _ = from_observation(agent.policy, running.observation(), fresh)
        np.testing.assert_array_equal(restored, expected)
        assert t == 0 or np.abs(restored - probs).max() > 1e-3
        action = choose(probs, running.crn.uniform("policy", t))
        reward, _ = running.step(action)
        stores = agent.learn(after, running.stimulus(), action, reward)


def test_episodes_in_a_batch_do_not_meet():
    agent = trained("lstm", episodes("bandit").layout)
    together = rollout(agent, episodes("bandit"))
    alone = rollout(agent, make_episodes(BANDIT[0], seed_keys(3, N)[2:3], **BANDIT[1]))
    np.testing.assert_array_equal(together.action[:, 2], alone.action[:, 0])
    np.testing.assert_allclose(together.probs[:, 2], alone.probs[:, 0], atol=1e-5)
