"""Text and pictures show the hidden means, the last choice and its reward."""

import gymnasium as gym
import numpy as np
import pytest

from metalocus.envs import make_episodes, render
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.sb3 import BatchVecEnv

BANDIT = "metalocus/BernoulliBandit-v0"
ROWS = 3


def test_a_line_of_text():
    env = gym.make(BANDIT, horizon=9, render_mode="ansi")
    env.reset(seed=0, options={"task": {"means": [0.0, 1.0]}})
    assert env.render() == "trial 0/9  means 0.00 1.00"
    env.step(1)
    assert env.render() == "trial 1/9  means 0.00 1.00  chose 1  reward 1"
    env.step(0)
    assert env.render() == "trial 2/9  means 0.00 1.00  chose 0  reward 0"
    env.reset()
    assert env.render().startswith("trial 0/9  means ")
    assert "chose" not in env.render()


def test_pictures_have_one_shape_and_change_with_the_choice(env_id):
    frames = []
    for action in range(2):
        env = gym.make(env_id, render_mode="rgb_array")
        env.reset(seed=0)
        start = env.render()
        env.step(action)
        frames += [start, env.render()]
    for frame in frames:
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
        assert frame.shape == frames[0].shape
        assert frame.shape[2] == 3
    np.testing.assert_array_equal(frames[0], frames[2])
    assert (frames[1] != frames[0]).any()
    assert (frames[1] != frames[3]).any()


def heights(image, colour):
    """Height in pixels of the columns that have the colour below the strip of rewards."""
    return (image[20:110] == colour).all(axis=2).sum(axis=0)


def test_a_bar_is_as_high_as_its_mean_and_the_chosen_one_dark():
    env = gym.make(BANDIT, n_arms=3, render_mode="rgb_array")
    env.reset(seed=0, options={"task": {"means": [0.0, 0.5, 1.0]}})
    light, dark = render._ARM, render._CHOSEN
    assert np.unique(heights(env.render(), light)).tolist() == [0, 1, 41, 81]
    assert not heights(env.render(), dark).any()
    env.step(2)
    assert np.unique(heights(env.render(), light)).tolist() == [0, 1, 41]
    assert np.unique(heights(env.render(), dark)).tolist() == [0, 81]


def test_the_strip_tells_a_win_from_a_loss():
    env = gym.make(BANDIT, render_mode="rgb_array")
    for mean, colour, other in ((1.0, render._WIN, render._LOSS), (0.0, render._LOSS, render._WIN)):
        env.reset(seed=0, options={"task": {"means": [mean, mean]}})
        env.step(0)
        strip = env.render()[8:18]
        assert (strip == colour).all(axis=2).any()
        assert not (strip == other).all(axis=2).any()


def test_the_line_at_the_bottom_grows_to_the_full_width():
    env = gym.make(BANDIT, horizon=4, render_mode="rgb_array")
    env.reset(seed=0)
    widths = []
    for _ in range(5):
        widths.append(int((env.render()[115] == render._INK).all(axis=1).sum()))
        if len(widths) < 5:
            env.step(0)
    width = env.render().shape[1]
    assert widths == [width * t // 4 for t in range(5)]


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_vector_environments_show_every_row(env_id, mode):
    vector = gym.make_vec(env_id, ROWS, render_mode=mode)
    alone = [gym.make(env_id, render_mode=mode) for _ in range(ROWS)]
    vector.reset(seed=5)
    vector.step(np.zeros(ROWS, dtype=np.int64))
    for row, env in enumerate(alone):
        env.reset(seed=5 + row)
        env.step(0)
    frames = vector.render()
    assert len(frames) == ROWS
    for frame, env in zip(frames, alone, strict=True):
        np.testing.assert_array_equal(frame, env.render())


def test_sb3_tiles_the_pictures(env_id):
    env = BatchVecEnv(env_id, 4, seed=0, render_mode="rgb_array")
    env.reset()
    episodes = make_episodes(env_id, seed_keys(0, 4))
    alone = [render.rgb_array(episodes, row) for row in range(4)]
    tiled = env.render()
    rows = [np.concatenate(alone[i : i + 2], axis=1) for i in (0, 2)]
    np.testing.assert_array_equal(tiled, np.concatenate(rows, axis=0))


def test_nothing_is_shown_without_a_mode(env_id):
    env, vector = gym.make(env_id).unwrapped, gym.make_vec(env_id, ROWS)
    env.reset(seed=0)
    vector.reset(seed=0)
    assert env.render() is None
    assert vector.render() is None
