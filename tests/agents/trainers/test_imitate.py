"""Imitation: whom the agent is to follow, on whose histories, and that it learns to."""

import numpy as np
import pytest
import torch

from metalocus.agents.ppo import SequencePPO
from metalocus.agents.trainers.imitate import Imitation
from metalocus.envs import InvalidTask
from metalocus.envs.sb3 import BatchVecEnv

BANDIT, HORIZON = "metalocus/BernoulliBandit-v0", 6


def imitation(n, reference, learning_rate=1e-2, **given):
    env = BatchVecEnv(BANDIT, n, seed=1, n_arms=2, horizon=HORIZON)
    return Imitation(
        "SequencePolicy",
        env,
        reference,
        policy_kwargs={"cell": "gru"},
        seed=3,
        learning_rate=learning_rate,
        **given,
    )


def played(model):
    """One rollout: actions, rewards [T, N] and targets [T, N, K]."""
    callback = model._setup_learn(HORIZON * model.n_envs, reset_num_timesteps=False)[1]
    model.collect_rollouts(model.env, callback, model.rollout_buffer, HORIZON)
    buffer = model.rollout_buffer
    return buffer.actions[..., 0].astype(int), buffer.earned, buffer.targets


def stays_or_shifts(actions, rewards):
    """Win-stay lose-shift among two arms, probabilities [T, N, K]."""
    expected = np.full((*actions.shape, 2), 0.5)
    expected[1:] = np.eye(2)[np.where(rewards[:-1] > 0, actions[:-1], 1 - actions[:-1])]
    return expected


def test_targets_are_the_references_given_the_histories_played():
    frequencies = {}
    for histories in ("own", "reference", "random", "uneven"):
        model = imitation(200, "wsls", histories=histories)
        for _ in range(2):  # the reference begins anew with the episodes
            actions, rewards, targets = played(model)
            np.testing.assert_array_equal(targets, stays_or_shifts(actions, rewards))
        frequencies[histories] = targets[1:].take(1, axis=2)[actions[1:] == 1].mean()
    assert frequencies["reference"] == 1.0  # its own choices are what it would do
    assert 0.4 < frequencies["random"] < 0.6
    model = imitation(50, "oracle")
    targets = played(model)[2]
    assert (targets == targets[0]).all()
    assert (targets.max(axis=2) == 1).all()


def test_uneven_histories_keep_the_probabilities_of_their_episode():
    """A share w ~ U{0, .1, ..., 1} on one action and a flat rest: the moments of both draws."""
    actions = played(imitation(4000, "wsls", histories="uneven"))[0]
    share = actions.mean(axis=0)
    assert share.mean() == pytest.approx(0.5, abs=0.02)
    # variance over episodes: (E(1 - w)^2 + 3 E w^2) / 12, and that of so many choices
    between = (0.35 + 3.0 * 0.35) / 12.0
    within = (0.25 - between) / HORIZON
    assert share.var() == pytest.approx(between + within, abs=0.006)
    # none of the choices depends on the one before but by the episode's probabilities
    together = (actions[1:] * actions[:-1]).mean()
    assert together == pytest.approx(0.25 + between, abs=0.015)


def test_own_histories_are_those_of_the_untaught_model():
    taught = played(imitation(8, "wsls"))[0]
    env = BatchVecEnv(BANDIT, 8, seed=1, n_arms=2, horizon=HORIZON)
    plain = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "gru"}, seed=3)
    callback = plain._setup_learn(HORIZON * 8)[1]
    plain.collect_rollouts(env, callback, plain.rollout_buffer, HORIZON)
    np.testing.assert_array_equal(taught, plain.rollout_buffer.actions[..., 0])


def test_the_loss_is_the_cross_entropy_from_the_reference_to_the_agent():
    """Of the policy stepped through time, beside its whole-sequence pass."""
    model = imitation(6, "wsls", vf_coef=0.0)
    _, _, targets = played(model)
    obs, carry = model.rollout_buffer.observations, model.policy.initial_carry(6)
    total = least = 0.0
    for t in range(HORIZON):
        starts = torch.full((6,), float(t == 0))
        with torch.no_grad():
            chosen, carry = model.policy.get_distribution(torch.as_tensor(obs[t]), carry, starts)
        total -= (targets[t] * chosen.log_probs.numpy()).sum(axis=1).mean() / HORIZON
        least += np.log(2) / HORIZON if t == 0 else 0.0
    (batch,) = model.rollout_buffer.sequences(6)
    loss, terms = model.losses(batch)
    assert float(loss.detach()) == pytest.approx(total, rel=1e-5)
    assert terms["imitation_loss"] == pytest.approx(total, rel=1e-5)
    assert terms["divergence"] == pytest.approx(total - least, rel=1e-5)


def test_it_learns_to_choose_as_its_reference(device):
    model = imitation(64, "wsls", learning_rate=2e-2, device=device)
    model.learn(30 * 64 * HORIZON)
    actions, _, targets = played(model)
    (batch,) = model.rollout_buffer.sequences(64)
    assert model.losses(batch)[1]["divergence"] < 0.05
    agreement = np.take_along_axis(targets[1:], actions[1:, :, None], axis=2).mean()
    assert agreement > 0.95


def test_training_that_was_stopped_within_episodes_begins_new_ones():
    model = imitation(4, "wsls")
    model.learn(100, lambda known, _: known["self"].num_timesteps < 12)
    assert model.num_timesteps == 12
    model.learn(48, reset_num_timesteps=False)
    assert model.num_timesteps == 60
    buffer = model.rollout_buffer
    assert buffer.episode_starts[0].all()
    actions = buffer.actions[..., 0].astype(int)
    np.testing.assert_array_equal(buffer.targets, stays_or_shifts(actions, buffer.earned))


def test_what_cannot_be_imitated_is_refused():
    cases = (
        ({"reference": None}, "imitation needs a reference"),
        ({"reference": "bayes_optmal"}, "did you mean 'bayes_optimal'"),
        ({"reference": "informative_optimal"}, "informative_optimal cannot play"),
        ({"reference": "wsls", "histories": "mine"}, "histories must be one of own, reference"),
        ({"reference": "wsls", "n_steps": 3}, "n_steps is not for imitation"),
    )
    for given, reason in cases:
        with pytest.raises(InvalidTask, match=reason):
            imitation(2, **given)
    with pytest.raises(InvalidTask, match="needs a metalocus BatchVecEnv"):
        Imitation("SequencePolicy", "CartPole-v1", "wsls")
    run = {"folder": "there", "run": "it", "sha256": "0"}
    with pytest.raises(InvalidTask, match="set the model's teacher"):
        imitation(2, run).learn(12)
