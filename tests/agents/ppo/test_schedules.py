"""The discount that looks further ahead as training goes on, and the baseline of the others."""

import warnings

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.schedules import LengtheningHorizon, PowerDecay
from metalocus.envs import InvalidTask
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


class Reads(BaseCallback):
    """What the model says of itself at the beginning and at the end of every rollout."""

    NAMES = ("learning_rate", "gamma", "gae_lambda", "ent_coef")

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_rollout_start(self):
        self.seen.append([getattr(self.model, name) for name in self.NAMES])

    def _on_rollout_end(self):
        self.seen[-1] += [self.model.rollout_buffer.gamma, self.model.rollout_buffer.gae_lambda]

    def _on_step(self):
        return True


def watched(learner, *calls):
    """Settings of every update of some calls of ``learn``: those read, and those used, by name."""
    reads, used, train = Reads(), [], learner.train

    def watched_train():
        train()
        record = learner.logger.name_to_value
        rate = learner.policy.optimizer.param_groups[0]["lr"]
        used.append([rate, *(record[f"train/{name}"] for name in (*Reads.NAMES, "clip_range"))])

    learner.train = watched_train
    for steps, rest in calls:
        learner.learn(steps, reads, **rest)
    read = np.array(reads.seen).T
    found = dict(zip((*Reads.NAMES, "buffer gamma", "buffer lambda"), read, strict=True))
    names = ("rate", *(f"logged {name}" for name in Reads.NAMES), "logged clip_range")
    return found | dict(zip(names, np.array(used).T, strict=True))


LEFT = {
    "learning_rate": lambda left: 1e-3 * left,
    "gamma": lambda left: 0.9 * left,
    "gae_lambda": lambda left: 0.8 * left,
    "ent_coef": lambda left: 0.1 * left,
    "clip_range": lambda left: 0.2 * left,
}
SCALES = {"learning_rate": 1e-3, "gamma": 0.9, "gae_lambda": 0.8, "ent_coef": 0.1}
SCALES |= {"clip_range": 0.2, "rate": 1e-3, "buffer gamma": 0.9, "buffer lambda": 0.8}


def progress_of(found):
    """Of every update, the training that remained by each of the schedules; all must agree."""
    left = [numbers / SCALES[name.removeprefix("logged ")] for name, numbers in found.items()]
    np.testing.assert_allclose(left, [left[0]] * len(left), rtol=1e-6)
    return left[0]


def test_all_schedules_are_those_of_the_beginning_of_the_rollout():
    found = watched(model(**LEFT), (4 * N * T, {}))
    np.testing.assert_allclose(progress_of(found), [1.0, 0.75, 0.5, 0.25])


def test_a_last_rollout_that_goes_beyond_the_end_still_counts():
    found = watched(model(**LEFT), (N * T + 1, {}))
    np.testing.assert_allclose(progress_of(found), [1.0, 1 / (N * T + 1)])


def moved(learner, steps, **rest):
    """Whether ``learn`` changed each trainable tensor, by name."""
    before = {name: value.clone() for name, value in learner.policy.named_parameters()}
    learner.learn(steps, **rest)
    after = dict(learner.policy.named_parameters())
    return {name: not torch.equal(after[name], value) for name, value in before.items()}


@pytest.mark.parametrize("rate", [PowerDecay(0.1, 1.0), PowerDecay(0.1, 3.0), 0.1], ids=str)
def test_every_update_moves_the_weights(rate):
    """That of a single rollout, the last of a call, and those of calls that go on."""
    learner = model(learning_rate=rate)
    assert all(moved(learner, 1).values())
    rates = watched(model(learning_rate=rate), (3 * N * T, {}))["rate"]
    assert (rates > 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the next test's subject
        assert all(moved(learner, 1, reset_num_timesteps=False).values())


GOES_ON = {"reset_num_timesteps": False}


def test_in_pieces_schedules_stay_in_their_first_half_and_one_warning_says_so():
    learner = model(**LEFT)
    with pytest.warns(UserWarning, match="first half; train in one call of learn") as warned:
        found = watched(learner, (N * T, {}), *[(N * T, GOES_ON)] * 3, (9 * N * T, GOES_ON))
    text = "learn goes on beyond the 160 steps announced before: the schedules of learning_rate,"
    assert [str(each.message).startswith(text) for each in warned] == [True]
    done = np.arange(4, 13)
    expected = [1.0, 0.5, 0.5, 0.5, *np.maximum(1 - done / 13, 0.5)]
    np.testing.assert_allclose(progress_of(found), expected)
    learner.learn(N * T)  # a beginning anew


def test_what_was_stopped_before_its_announced_end_goes_on_to_that_end():
    learner = model(**LEFT)
    learner.learn(4 * N * T, lambda *_: learner.num_timesteps < 2 * N * T)
    assert learner.num_timesteps == 2 * N * T
    found = watched(learner, (2 * N * T, GOES_ON))
    np.testing.assert_allclose(progress_of(found), [0.5, 0.25])


def test_constants_need_no_whole():
    constant = {name: schedule(0.5) for name, schedule in LEFT.items()}
    learner = model(**constant)
    learner.learn(N * T)
    learner.learn(N * T, reset_num_timesteps=False)
    assert learner.num_timesteps == 2 * N * T


def test_impossible_schedules_are_refused_in_one_line():
    for wrong in ((0.5, 10.0), (5.0, np.nan), (5.0, 10.0, 0.0), (5.0, 10.0, 2.0), ("a", 3)):
        with pytest.raises(InvalidTask, match=r"^(first|last|end_fraction) must be"):
            LengtheningHorizon(*wrong)
    for wrong in ((-1.0, 2.0), (1.0, -2.0), (np.inf, 1.0), (True, 1.0)):
        with pytest.raises(InvalidTask, match=r"^(start|power) must be"):
            PowerDecay(*wrong)


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
