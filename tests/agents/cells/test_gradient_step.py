"""Cells that take gradient steps: what is learned and carried, known rules as special cases."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.autograd import gradcheck

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.cells.gradient_step import (
    ADAPTS,
    GradientStep,
    ValueStep,
    from_layout,
)
from metalocus.agents.online.delta_rule import DeltaRule, DeltaSettings
from metalocus.agents.online.policy_gradient import PolicyGradient, PolicyGradientSettings
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting, make_episodes
from metalocus.envs.layout import DEFAULT_PARTS, action_space, observation_space
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.probes.locus import Locus

S, K, H, T, N = 2, 3, 4, 5, 3
H_DEFAULT = 32
BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
AGENTS = [name for name, agent in TRAINABLES.items() if issubclass(agent.cell, GradientStep)]

both = pytest.mark.parametrize("make", [GradientStep, ValueStep], ids=lambda make: make.name)


def small(make, **kwargs):
    torch.manual_seed(0)
    return make(S + K + 1, hidden_size=H, n_actions=K, **kwargs).double()


def played(steps=T):
    """Inputs of episodes that go on from before, and one that starts inside."""
    torch.manual_seed(1)
    action = torch.eye(K)[torch.randint(K, (steps, N))]
    x = torch.cat([torch.randn(steps, N, S), action, torch.rand(steps, N, 1)], dim=-1).double()
    starts = torch.zeros(steps, N).double()
    starts[2, 1] = 1.0
    return x, starts


def agent(name, env_id, std=None, observe=DEFAULT_PARTS, **env_kwargs):
    """An untrained agent, or one with random parameters."""
    layout = make_episodes(env_id, observe=observe, **env_kwargs).layout
    torch.manual_seed(0)
    arguments = TRAINABLES[name].arguments(layout)
    policy = SequencePolicy(
        observation_space(layout), action_space(layout), lambda _: 0.0, **arguments
    )
    with torch.no_grad():
        for parameter in policy.parameters() if std else ():
            parameter.normal_(std=std)
    return TrainedAgent(policy, layout)


@both
@pytest.mark.parametrize("adapts", ADAPTS)
def test_gradients_through_the_steps_equal_finite_differences(make, adapts):
    """Those at the initialisation too, which an episode that starts inside begins from."""
    cell = small(make, adapts=adapts)
    x, starts = played()
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(*values):
        state = dict(zip(names, values, strict=True))
        return torch.func.functional_call(cell, state, (x, starts, cell.initial(N)))[0]

    assert gradcheck(run, parameters, fast_mode=True)


@both
def test_one_step_is_that_of_a_module_and_the_stated_loss(make):
    """Rewards between -1 and 3 are taken as fractions of that range."""
    cell = small(make, reward_range=(-1.0, 3.0))
    net = torch.nn.Sequential(torch.nn.Linear(S, H), torch.nn.Tanh(), torch.nn.Linear(H, K))
    net = net.double()
    with torch.no_grad():
        for layer, both_ in ((net[0], cell.layer1), (net[2], cell.layer2)):
            layer.weight.copy_(both_[:, :-1])
            layer.bias.copy_(both_[:, -1])
    seen, action, reward = torch.randn(1, S).double(), torch.tensor([2]), 2.0
    blank = torch.zeros(1, 1, K + 1).double()
    _, carry = cell(torch.cat([seen[None], blank], -1), torch.ones(1, 1), cell.initial(1))
    told = torch.cat([torch.eye(K)[action], torch.tensor([[reward]])], -1).double()
    x = torch.cat([torch.zeros(1, S).double(), told], -1)[None]
    _, after = cell(x, torch.zeros(1, 1), carry)
    z = net(seen)
    if make is ValueStep:
        loss = (z[0, 2] - 0.75) ** 2 / 2
    else:
        log_p = torch.log_softmax(z[0], 0)
        loss = -(0.75 - cell.baseline[0]).detach() * log_p[2]
        loss += cell.rates().c.detach() * (log_p.exp() * log_p).sum()
    loss.backward()
    rates = cell.rates()
    for layer, name, rate in ((net[0], "layer1", rates.a1), (net[2], "layer2", rates.a2)):
        gradient = torch.cat([layer.weight.grad, layer.bias.grad[:, None]], dim=1)
        expected = getattr(cell, name) - rate[..., 0] * gradient
        torch.testing.assert_close(after[name][0], expected)
        assert (gradient != 0).any()


@both
def test_without_steps_it_is_memoryless(make):
    cell = small(make)
    with torch.no_grad():
        for scale in cell.scales:
            scale.fill_(-torch.inf)
    x, starts = played()
    y, _ = cell(x, starts, cell.initial(N))
    alone, _ = cell(x.flatten(0, 1)[None], torch.ones(1, T * N), cell.initial(T * N))
    torch.testing.assert_close(y.flatten(0, 1), alone[0])
    adapting, _ = small(make)(x, starts, cell.initial(N))
    assert (adapting[1:] - y[1:]).abs().max() > 1e-3


@pytest.mark.parametrize("name", AGENTS)
def test_actions_are_the_inner_network_s_own_and_all_parameters_are_of_use(name):
    policy = agent(name, REVERSAL, horizon=6, cued=True).policy
    obs = torch.from_numpy(policy.observation_space.sample())[None]
    distribution, _ = policy.get_distribution(obs, policy.initial_carry(1), torch.ones(1))
    cell = policy.cell
    hidden = torch.tanh(cell.layer1 @ torch.cat([obs[0, policy.inputs[:2]], torch.ones(1)]))
    z = cell.layer2 @ torch.cat([hidden, torch.ones(1)])
    if isinstance(cell, ValueStep):
        z = z / 0.05
    torch.testing.assert_close(distribution.log_probs.exp()[0], torch.softmax(z, 0))
    env = BatchVecEnv(REVERSAL, 4, horizon=6, cued=True)
    arguments = TRAINABLES[name].arguments(env.layout)
    model = SequencePPO("SequencePolicy", env, policy_kwargs=arguments, n_epochs=1).learn(24)
    unused = [key for key, p in model.policy.named_parameters() if p.grad is None]
    assert not unused


def test_a_saved_model_plays_on_as_it_did(tmp_path):
    env = BatchVecEnv(REVERSAL, 4, horizon=6, cued=True)
    arguments = TRAINABLES["maml"].arguments(env.layout)
    model = SequencePPO("SequencePolicy", env, policy_kwargs=arguments, n_epochs=1).learn(24)
    model.save(tmp_path / "model.zip")
    loaded = SequencePPO.load(tmp_path / "model.zip", env)
    obs, states = env.reset(), [None, None]
    for _ in range(5):
        pairs = zip((model, loaded), states, strict=True)
        found = [each.predict(obs, state, deterministic=True) for each, state in pairs]
        actions, states = zip(*found, strict=True)
        np.testing.assert_array_equal(*actions)
        for one, other in zip(*states, strict=True):
            np.testing.assert_array_equal(one, other)
        obs, *_ = env.step(actions[0])


def linear(name, rate, **parameters):
    """The agent with a hidden layer at rest, so that its biases alone learn, at this rate."""
    made = agent(name, BANDIT, n_arms=4, horizon=30)
    cell = made.policy.cell
    with torch.no_grad():
        cell.layer1.zero_()
        cell.layer2.zero_()
        cell.scales[-1].fill_(np.log(rate / cell.first_rate * (1 + H_DEFAULT / 3)) / 4.0)
        for key, value in parameters.items():
            getattr(cell, key).fill_(value)
    if isinstance(cell, ValueStep):
        with torch.no_grad():
            cell.layer2[:, -1] = 0.6
    return made


RULES = {
    "anil": (
        PolicyGradient,
        PolicyGradientSettings(rate=0.7, baseline=0.6, baseline_rate=0.2, bound=np.inf),
        {"baseline": 0.6, "pace": np.log(0.2 / 0.8) / 4.0, "entropy": -np.inf},
    ),
    "maml_value": (
        DeltaRule,
        DeltaSettings(start=0.6, epsilon=0.0, temperature=0.1, rate=0.7),
        {"cold": np.log(10.0) / 4.0},
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_with_biases_alone_it_is_the_online_rule_of_the_same_loss(name):
    rule, settings, parameters = RULES[name]
    ours = linear(name, 0.7, **parameters)
    if name == "maml_value":
        assert ours.policy.cell.adapts == "all"
        with torch.no_grad():  # nothing can move before units whose outgoing weights rest
            ours.policy.cell.scales[0].fill_(-torch.inf)
    theirs, seen = rule(ours.layout.family, settings), []

    def compare(trial):
        expected, _ = trial.shadows[0]
        np.testing.assert_allclose(trial.probs, expected, rtol=0, atol=1e-6)
        seen.append(np.ptp(expected, axis=1).max())

    episodes = fresh_episodes(Setting(BANDIT, n_arms=4, horizon=30), 20, 0)
    rollout(ours, episodes, 0, shadows=[theirs], observe=compare)
    assert len(seen) == 30
    assert seen[-1] > 0.5


@pytest.mark.parametrize("name", AGENTS)
def test_what_it_knows_is_in_its_weights_and_the_last_transition_in_the_context(name):
    """The last action and reward wait in the context until the next step learns from them."""
    kwargs = {"n_arms": 2, "horizon": 40}
    found = Locus([1, 39]).run(
        agent(name, BANDIT, **kwargs), Setting(BANDIT, **kwargs), episodes=400
    )
    shares, total = (found[key]["reset before"] for key in ("shares", "total"))
    first, last = np.array([shares[store] for store in ("weights", "context")]).T
    assert found["contained"]
    assert shares["state"] == [0.0, 0.0]
    np.testing.assert_allclose([first.sum(), last.sum()], total, atol=1e-9)
    assert first[0] == pytest.approx(0.0, abs=1e-6)
    assert first[1] > 0.0
    assert last[0] > 0.8 * last.sum() > 0.05


def test_what_cannot_work_is_refused_in_one_line():
    with pytest.raises(InvalidTask, match=r"takes adapts of .*, not tail"):
        GradientStep(5, adapts="tail")
    with pytest.raises(InvalidTask, match="takes inputs for 5 actions and a reward; got 5 inputs"):
        GradientStep(5, n_actions=5)
    layout = make_episodes(BANDIT, observe=("action", "first")).layout
    with pytest.raises(InvalidTask, match="observe both"):
        from_layout(layout)
    box = spaces.Box(0.0, 1.0, (4,))
    for actions in (spaces.Discrete(2), spaces.Box(-1.0, 1.0, (3,))):
        with pytest.raises(InvalidTask, match="chooses among 3 actions"):
            SequencePolicy(box, actions, lambda _: 0.0, cell="gradient_step")
