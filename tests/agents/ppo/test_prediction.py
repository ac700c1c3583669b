"""The predictive head: no trace of it by default, its loss, and what it converges to."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.utils import LinearSchedule

from metalocus.agents.ppo import SequencePPO
from metalocus.agents.ppo.prediction import Predictor, predicts_of
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv

BANDIT, CUED = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"


def model_of(env, **given):
    return SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "gru"}, seed=3, **given)


def test_without_a_weight_there_is_no_head_and_with_one_all_else_begins_alike():
    plain, predicting = (
        model_of(BatchVecEnv(BANDIT, 4, seed=1, horizon=5), prediction_coef=coef)
        for coef in (0.0, 0.5)
    )
    weights = predicting.policy.state_dict()
    assert plain.policy.predictor is None
    for name, value in plain.policy.state_dict().items():
        assert torch.equal(weights.pop(name), value)
    assert {name.partition(".")[0] for name in weights} == {"predictor"}
    plain.prediction_coef = 0.5
    with pytest.raises(InvalidTask, match="only if it was so when the model was made"):
        plain.learn(20)


def test_what_is_predicted_follows_from_the_environment():
    cases = (
        (BatchVecEnv(BANDIT, 1), [], [True]),
        (BatchVecEnv(CUED, 1, cued=True), [0, 1], [True] * 3),
        (BatchVecEnv("metalocus/GaussianBandit-v0", 1), [], [False]),
        (model_of("CartPole-v1").env, [0, 1, 2, 3], [False] * 5),
    )
    for env, positions, bounded in cases:
        assert predicts_of(env) == {"positions": positions, "bounded": bounded}


def test_the_loss_is_the_log_likelihood_of_what_followed_within_the_episode():
    """Worked out by hand: two steps of two rows, the second row's episode ends after one step."""
    head = Predictor(1, spaces.Discrete(2), 1, [0], [True, False])
    head.log_spread.data[1] = math.log(2.0)
    predicted = torch.tensor([[0.0, 1.0], [math.log(3.0), 5.0], [0.0, 9.0], [0.0, 9.0]])
    rewards, starts = torch.tensor([[1.0, 0.0], [0.5, 1.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    obs = torch.tensor([[[7.0], [7.0]], [[3.0], [7.0]]])
    found = head.loss(predicted, rewards, obs, starts)
    reward = (3 * math.log(2) + math.log(4)) / 4  # p = 1/2 thrice, and 1 - p = 1/4
    stimulus = 0.5 * (3 - 1) ** 2 / 4 + math.log(2) + 0.5 * math.log(2 * math.pi)
    assert float(found.detach()) == pytest.approx(reward + stimulus, rel=1e-6)
    alone = head.loss(predicted, rewards, obs, torch.ones(2, 2))
    assert float(alone.detach()) == pytest.approx(reward, rel=1e-6)


def test_the_gradient_reaches_the_cell_and_grows_with_the_weight():
    """By differences: nothing but the auxiliary term tells two weights apart."""
    gradients = []
    for coef in (0.25, 0.5, 1.0):
        model = model_of(BatchVecEnv(BANDIT, 4, seed=1, horizon=5), prediction_coef=coef)
        model.collect = model._setup_learn(20)[1]
        model.collect_rollouts(model.env, model.collect, model.rollout_buffer, 5)
        (batch,) = model.rollout_buffer.sequences(4)
        assert torch.equal(batch.earned[:-1], batch.obs[1:, :, 2])  # the previous reward
        model.losses(batch)[0].backward()
        gradients.append(model.policy.cell.layer.weight_ih_l0.grad)
    least, middle, most = gradients
    assert (middle - least).abs().max() > 1e-4
    torch.testing.assert_close(most - middle, 2 * (middle - least), rtol=1e-3, atol=1e-6)


def test_predictions_converge_to_the_posterior_predictive():
    """Of an arm with s successes in n pulls, whose chance is uniform: (s + 1) / (n + 2)."""
    horizon, n = 4, 128
    env = BatchVecEnv(BANDIT, n, seed=1, n_arms=2, horizon=horizon)
    steps = 40 * n * horizon
    rate = LinearSchedule(2e-2, 1e-3, 1.0)
    model = model_of(env, prediction_coef=1.0, learning_rate=rate, ent_coef=0.5, n_minibatches=3)
    model.learn(steps)
    (batch,) = model.rollout_buffer.sequences(n)
    with torch.no_grad():
        found = model.policy.evaluate(batch.obs, batch.actions, batch.carry, batch.starts)
    p = model.policy.predictor.means(found.prediction)[:, 0].view(horizon, n).numpy()
    taken = np.eye(2)[batch.actions.long().numpy()]
    won = taken * batch.earned.numpy()[..., None]
    pulls, wins = np.cumsum(taken, axis=0) - taken, np.cumsum(won, axis=0) - won
    exact = ((wins + 1) / (pulls + 2) * taken).sum(axis=2)
    loss = model.policy.predictor.loss(found.prediction, batch.earned, batch.obs, batch.starts)
    assert float(loss.detach()) < math.log(2) - 0.01  # that of an even chance
    assert np.abs(p - exact).mean() < 0.03
    assert np.abs(0.5 - exact).mean() > 0.09  # what is certain without any evidence
