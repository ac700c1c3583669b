"""Controls whose effects are known: noise of one size, and half of a habit."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.agents.controls.noisy_means import NOISE
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=10)
TWO_STEP = Setting("metalocus/TwoStep-v0", horizon=40)


def test_what_noisy_means_shows_is_the_posterior_means_and_noise_of_one_size():
    agent = make_named("noisy_means", BANDIT.family)
    end = rollout(agent, fresh_episodes(BANDIT, 4000, 0)).end
    counts = end.weights["layer"][..., 0]
    mean = (1.0 + counts[..., 0]) / (2.0 + counts.sum(axis=2))
    noise = end.state["means"] - mean
    assert noise.std() == pytest.approx(NOISE, rel=0.03)
    assert abs(noise.mean()) < 4 * NOISE / np.sqrt(8000)
    related = np.corrcoef([*noise.T, *mean.T])[0, 1:]
    assert np.abs(related).max() < 4 / np.sqrt(4000)


def test_half_of_a_habit_is_half_way_to_even_choices():
    """On the same histories."""
    agent, habit = (make_named(name, TWO_STEP.family) for name in ("half_habit", "reward_as_cue"))
    seen = []
    rollout(
        agent,
        fresh_episodes(TWO_STEP, 20, 0),
        shadows=[habit],
        observe=lambda trial: seen.append((trial.probs, trial.shadows[0][0])),
    )
    for own, of_habit in seen:
        np.testing.assert_allclose(own, 0.5 * of_habit + 0.25)
    assert max(of_habit.max() for _, of_habit in seen) == 1.0
