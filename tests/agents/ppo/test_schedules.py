"""The discount that looks further ahead as training goes on, and the baseline of the others."""

import numpy as np
import pytest
import torch

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.schedules import LengtheningHorizon, PowerDecay
from metalocus.envs.sb3 import BatchVecEnv

N, T = 32, 5


def model(n=N, horizon=T, **kwargs):
    env = BatchVecEnv("metalocus/BernoulliBandit-v0", n, seed=0, horizon=horizon)
    return SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "lstm"}, seed=0, **kwargs)


def test_the_horizon_grows_by_equal_factors():
    schedule = LengtheningHorizon(4.0, 64.0)
    horizons = [1.0 / (1.0 - schedule(left)) for left in (1.0, 0.75, 0.5, 0.0)]
    np.testing.assert_allclose(horizons, [4.0, 8.0, 16.0, 64.0])
    schedule = LengtheningHorizon(4.0, 64.0, 0.5)
    horizons = [1.0 / (1.0 - schedule(left)) for left in (1.0, 0.75, 0.5, 0.0)]
    np.testing.assert_allclose(horizons, [4.0, 16.0, 64.0, 64.0])


def test_a_power_decays_to_nothing():
    np.testing.assert_allclose([PowerDecay(8.0, 2.0)(left) for left in (1, 0.5, 0)], [8, 2, 0])


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_rollout_beyond_the_end_is_learned_from_no_more(power):
    learner = model(learning_rate=PowerDecay(0.1, power))
    before = {name: value.clone() for name, value in learner.policy.state_dict().items()}
    learner.learn(1)
    assert learner.num_timesteps == N * T
    after = learner.policy.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_every_rollout_is_judged_by_the_schedules_at_its_beginning():
    learner = model(gamma=LengtheningHorizon(4.0, 64.0), gae_lambda=lambda left: left)
    seen = []
    collect = learner.collect_rollouts

    def watched(*args, **kwargs):
        done = collect(*args, **kwargs)
        seen.append((learner.rollout_buffer.gamma, learner.rollout_buffer.gae_lambda))
        return done

    learner.collect_rollouts = watched
    learner.learn(4 * N * T)
    horizons = [1.0 / (1.0 - gamma) for gamma, _ in seen]
    np.testing.assert_allclose(horizons, [4.0, 8.0, 16.0, 32.0])
    np.testing.assert_allclose([gae_lambda for _, gae_lambda in seen], [1.0, 0.75, 0.5, 0.25])


def collected(learner):
    _, callback = learner._setup_learn(10**6, None)
    buffer = learner.rollout_buffer
    learner.collect_rollouts(learner.env, callback, buffer, learner.n_steps)
    return buffer


def test_each_advantage_is_measured_against_the_other_environments():
    plain = collected(model(center_advantages=False)).advantages
    buffer = collected(model())
    others = (plain.sum(axis=1, keepdims=True) - plain) / (N - 1)
    np.testing.assert_allclose(buffer.advantages, plain - others, rtol=0, atol=1e-5)
    np.testing.assert_allclose(buffer.returns, buffer.values + plain - others, rtol=0, atol=1e-5)


def test_environments_once_out_of_step_are_never_compared_again():
    """Also in a rollout in which no episode begins, where their ages are not to be seen."""
    buffer = collected(model(center_advantages=False))
    buffer.episode_starts[:] = 0.0
    buffer.episode_starts[2, 3] = 1.0
    buffer.center_advantages()
    buffer.episode_starts[:] = 0.0
    before = buffer.advantages.copy()
    buffer.center_advantages()
    np.testing.assert_array_equal(buffer.advantages, before)


@pytest.mark.parametrize("case", ["too few", "out of step"])
def test_without_enough_environments_in_step_advantages_stay_as_they_are(case):
    found = []
    for center in (False, True):
        buffer = collected(model(n=N - 1 if case == "too few" else N, center_advantages=center))
        if case == "out of step":
            buffer.episode_starts[2, 3] = 1.0
            before = buffer.advantages.copy()
            buffer.center_advantages()
            np.testing.assert_array_equal(buffer.advantages, before)
        else:
            found.append(buffer.advantages)
    if found:
        np.testing.assert_array_equal(*found)
