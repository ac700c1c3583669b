"""Replicas that learn online, against one network at a time under plain autograd."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from metalocus.agents.agent import Stores
from metalocus.agents.cells.base import CELLS
from metalocus.agents.replicas.agent import OnlineAgent
from metalocus.agents.replicas.learning import FILLED, PARAMETERS, Learning, Rule
from metalocus.agents.replicas.networks import FORMS, Networks
from metalocus.agents.replicas.optimizers import OPTIMIZERS, TINY, clip
from metalocus.agents.replicas.stream import Stream
from metalocus.agents.rollout import choose, fresh_keys, rollout
from metalocus.envs import InvalidTask, Setting

SETTING = Setting("metalocus/CuedSwitching-v0", horizon=8)
RATES = [1e-2, 3e-2, 1e-1]
ARGUMENTS = {"lstm": {"n_layers": 2}}
TORCH = {
    "adam": lambda p, rate: torch.optim.Adam(p, rate, eps=TINY),
    "rmsprop": lambda p, rate: torch.optim.RMSprop(p, rate, alpha=0.99, eps=TINY),
    "sgd": torch.optim.SGD,
}


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _learning(agent: str, **rule: object) -> Learning:
    networks = Networks(agent, SETTING.layout, hidden_size=4)
    return Learning(networks, Rule(**rule), SETTING.family.reward_range)


def _stream(learning: Learning, rates: list[float] = RATES) -> Stream:
    episodes = SETTING.episodes(fresh_keys(len(rates), 3))
    return Stream(learning, learning.initial(rates, 0), episodes)


class Alone:
    """One network, one environment: the algorithm once more, written for a single replica."""

    def __init__(self, learning: Learning, row: int, rate: float) -> None:
        networks, self.rule, self.learning = learning.networks, learning.rule, learning
        n_inputs = len(networks.inputs)
        self.cell = CELLS[networks.cell](n_inputs, **networks.arguments)
        self.actor = nn.Linear(self.cell.output_size, networks.n_actions)
        self.critic = nn.Linear(self.cell.output_size, 1)
        self.all = [*self.cell.parameters(), *self.actor.parameters(), *self.critic.parameters()]
        vector_to_parameters(networks.initial(row + 1, 0)[row], self.all)
        self.optimizer = TORCH[self.rule.optimizer](self.all, rate)
        self.episodes = SETTING.episodes(fresh_keys(3, 3)[row : row + 1])
        self.steps: list[tuple] = []

    def play(self) -> None:
        carry, first = self.cell.initial(1), 1.0
        if len(self.steps) == self.rule.interval:
            self.update(torch.zeros(()))
        for t in range(SETTING.family.horizon):
            obs = self.episodes.observation()[0, self.learning.networks.inputs]
            x = torch.as_tensor(obs, dtype=torch.float64)
            if len(self.steps) == self.rule.interval:
                self.update(self.forward([x], [first], carry)[1][0].detach())
            if not self.steps:
                self.begun = carry
            with torch.no_grad():
                log_probs, _, carry = self.forward([x], [first], carry)
            u = self.episodes.crn.uniform("policy", t)
            action = choose(log_probs.exp().numpy(), u)
            reward, done = self.episodes.step(action)
            self.steps.append((x, first, int(action[0]), self.fraction(reward[0]), bool(done[0])))
            first = 0.0
        self.episodes.reset()

    def fraction(self, reward: float) -> float:
        low, high = SETTING.family.reward_range
        return (reward - low) / (high - low)

    def forward(self, xs: list, firsts: list, carry: dict) -> tuple:
        starts = torch.as_tensor(firsts)[:, None]
        y, carry = self.cell(torch.stack(xs)[:, None], starts, carry)
        log_probs = self.actor(y[:, 0]).log_softmax(-1)
        return log_probs, self.critic(y[:, 0])[:, 0], carry

    def update(self, after: torch.Tensor) -> None:
        xs, firsts, actions, rewards, dones = zip(*self.steps, strict=True)
        rows, targets = range(len(xs)), []
        for reward, done in zip(rewards[::-1], dones[::-1], strict=True):
            after = reward + self.rule.gamma * (0.0 if done else after)
            targets.insert(0, torch.as_tensor(after))
        target, old, advantage = torch.stack(targets), None, None
        for _ in range(4 if self.rule.loss == "ppo" else 1):
            log_probs, values, _ = self.forward(xs, firsts, self.begun)
            chosen = log_probs[rows, actions]
            if old is None:
                old, advantage = chosen.detach(), (target - values).detach()
            policy = advantage * chosen
            if self.rule.loss == "ppo":
                ratio = (chosen - old).exp()
                policy = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
            entropy = torch.distributions.Categorical(logits=log_probs).entropy()
            error = nn.functional.mse_loss(values, target)
            loss = self.rule.vf_coef * error - policy.mean() - self.rule.ent_coef * entropy.mean()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.all, self.rule.max_grad_norm)
            self.optimizer.step()
        self.steps = []


def test_replicas_together_equal_each_alone_under_plain_autograd():
    cases = [
        ("mlp_feedback", "actor_critic", "adam", 1),
        ("mlp", "ppo", "sgd", 3),
        ("gru", "actor_critic", "rmsprop", 3),
        ("gru", "ppo", "adam", 5),
        ("lstm", "actor_critic", "sgd", 8),
        ("rnn", "actor_critic", "adam", 11),
    ]
    for agent, loss, optimizer, interval in cases:
        learning = _learning(agent, interval=interval, loss=loss, optimizer=optimizer)
        stream = _stream(learning)
        untrained = stream.weights[PARAMETERS]
        for _ in range(4):
            stream.play()
        for row, rate in enumerate(RATES):
            alone = Alone(learning, row, rate)
            for _ in range(4):
                alone.play()
            found, case = stream.weights[PARAMETERS][row], f"{agent} {loss} {optimizer} {interval}"
            expected = parameters_to_vector(alone.all).detach()
            np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=case)
            assert (found - untrained[row]).abs().max() > 1e-3, case


def test_every_form_equals_its_cell():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(
        3,
        6,
        SETTING.layout.size,
        generator=generator,
    )
    starts = torch.zeros(3, 6, dtype=torch.bool)
    starts[0, 2] = starts[1, 5] = starts[2, 2] = True
    for agent in FORMS:
        name = "mlp_feedback" if agent == "mlp" else agent
        arguments = ARGUMENTS.get(agent, {})
        networks = Networks(name, SETTING.layout, hidden_size=4, **arguments)
        weights = networks.initial(3, 0)
        carry = {
            key: torch.randn(v.shape, generator=generator) for key, v in networks.carry(3).items()
        }
        features, after = networks.features(networks.unpack(weights), x, starts, carry)
        for row in range(3):
            cell = CELLS[networks.cell](x.shape[2], hidden_size=4, **arguments)
            n = sum(p.numel() for p in cell.parameters())
            vector_to_parameters(weights[row, :n], cell.parameters())
            before = {key: v[row : row + 1] for key, v in carry.items()}
            y, then = cell(x[row, :, None], starts[row, :, None].double(), before)
            np.testing.assert_allclose(features[row], y[:, 0].detach(), atol=1e-12, err_msg=agent)
            for key, value in then.items():
                np.testing.assert_allclose(after[key][row], value[0].detach(), atol=1e-12)


def test_every_optimizer_equals_pytorchs():
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(5, 2, 3, generator=generator)
    for name, optimizer in OPTIMIZERS.items():
        weights = torch.zeros(2, 3)
        moments = {each: torch.zeros(2, 3) for each in optimizer.moments}
        for count, gradient in enumerate(gradients):
            counts, rates = torch.full((2, 1), count + 1), torch.tensor([[0.1], [0.01]])
            step, moments = optimizer.step(clip(gradient, 1.0), moments, counts, rates)
            weights = weights - step
        for row, rate in enumerate((0.1, 0.01)):
            parameter = nn.Parameter(torch.zeros(3))
            theirs = TORCH[name]([parameter], rate)
            for gradient in gradients[:, row]:
                parameter.grad = gradient.clone()
                nn.utils.clip_grad_norm_([parameter], 1.0)
                theirs.step()
            np.testing.assert_allclose(weights[row], parameter.detach(), rtol=1e-9, err_msg=name)


def test_weights_change_after_every_interval_and_at_rate_0_never():
    for interval in (1, 3, 8):
        agent, seen = _agent("gru", interval), []
        agent.weights = agent.learning.begin(agent.weights)[0]  # makes the update that is due
        agent.weights[FILLED] = torch.zeros(3, dtype=torch.int64)
        rollout(agent, SETTING.episodes(fresh_keys(6, 5)), observe=seen.append)
        found = np.array([trial.stores.weights[PARAMETERS] for trial in seen])
        changed = (found[1:] != found[:-1]).any(axis=2)  # by the act at trial t, [T - 1, N]
        due = (np.arange(len(changed)) % interval == 0) & (np.arange(len(changed)) > 0)
        np.testing.assert_array_equal(changed, due[:, None] & (np.arange(6) % 3 < 2))


def _agent(name: str, interval: int) -> OnlineAgent:
    """Replicas that have played two episodes, the last one at rate 0."""
    learning = _learning(name, interval=interval)
    stream = _stream(learning, [1e-2, 1e-1, 0.0])
    for _ in range(2):
        stream.play()
    return OnlineAgent(learning, stream.weights, SETTING.layout)


def test_a_test_episode_is_what_training_would_have_gone_on_with():
    for name in ("mlp", "gru"):
        learning = _learning(name, interval=3)
        stream = _stream(learning)
        stream.play()
        agent = OnlineAgent(learning, stream.weights, SETTING.layout)
        episodes = SETTING.episodes(fresh_keys(3, 3))
        episodes.reset()  # the second of each row, which training plays next
        trace, total = rollout(agent, episodes), stream.play()
        assert trace.total.tolist() == total.tolist()
        for key, value in stream.weights.items():
            assert np.array_equal(trace.end.weights[key], value.numpy()), (name, key)


def test_rows_are_replicas_in_turn_and_carry_all_that_they_know():
    agent, seen = _agent("gru", 3), []
    plain = rollout(agent, SETTING.episodes(fresh_keys(7, 5)), observe=seen.append)
    assert plain.start.weights["replica"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    for row in range(7):
        one = SETTING.episodes(fresh_keys(7, 5)[row : row + 1])
        alone = rollout(agent.only(row % 3), one)
        np.testing.assert_allclose(alone.probs[:, 0], plain.probs[:, row], atol=1e-12)
    order = np.array([4, 2, 0, 6, 1, 3, 5])
    for trial in (3, 5):  # the one at which an update is due, and one at which none is
        now = seen[trial]
        probs, _ = agent.act(now.stimulus[order], now.stores.rows(order))
        np.testing.assert_allclose(probs, now.probs[order], atol=1e-12)
    with pytest.raises(InvalidTask, match="replica must be from 0 to 2"):
        agent.only(3)


def test_weights_put_back_act_as_if_they_had_not_learned():
    agent, start = _agent("mlp_feedback", 1), {}

    def rolled_back(t: int, stores: Stores) -> Stores:
        if t == 0:
            start["stores"] = stores
        return stores.restore(start["stores"], ["weights"])

    frozen = _agent("mlp_feedback", 1)
    frozen.weights = frozen.learning.begin(frozen.weights)[0]  # makes the update that is due
    frozen.weights["rate"] = torch.zeros(3)
    episodes = [SETTING.episodes(fresh_keys(6, 5)) for _ in range(3)]
    back = rollout(agent, episodes[0], intervene=rolled_back)
    assert np.array_equal(back.probs, rollout(frozen, episodes[1]).probs)
    assert not np.array_equal(back.probs, rollout(agent, episodes[2]).probs)


def test_what_cannot_be_is_said_in_one_line():
    for rule, message in (
        ({"interval": 0}, "interval must be a whole number of at least 1"),
        ({"loss": "q"}, "loss must be one of actor_critic, ppo"),
        ({"optimizer": "lion"}, "optimizer must be one of adam, rmsprop, sgd"),
        ({"gamma": -1.0}, "gamma must be a finite number"),
    ):
        with pytest.raises(InvalidTask, match=message):
            Rule(**rule)
    with pytest.raises(InvalidTask, match="transformer cannot be trained online; choose from"):
        Networks("transformer", SETTING.layout)
