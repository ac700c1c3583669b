"""An observation holds the stimulus and the feedback, each in its place, and nothing hidden."""

import gymnasium as gym
import numpy as np
import pytest

from metalocus.envs import Episodes, InvalidTask, Layout, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.layout import DEFAULT_PARTS, PARTS

ROWS = 6


def play(env_id, seed=0, **kwargs):
    """A vector environment played with random actions to the end of its first episodes.

    Returns observations [T + 1, N, D], stimuli [T + 1, N, S], actions and rewards [T, N].
    """
    env = gym.make_vec(env_id, ROWS, **kwargs)
    episodes = env.episodes
    rng = np.random.default_rng(seed)
    observations, stimuli = [env.reset(seed=seed)[0]], [episodes.stimulus()]
    actions, rewards = [], []
    for _ in range(episodes.family.horizon):
        actions.append(rng.integers(episodes.family.n_arms, size=ROWS))
        observation, reward, *_ = env.step(actions[-1])
        observations.append(observation)
        stimuli.append(episodes.stimulus())
        rewards.append(reward)
    return map(np.array, (observations, stimuli, actions, rewards))


def test_every_part_shows_the_visible_history_and_nothing_else(env_id):
    observations, stimuli, actions, rewards = play(env_id, observe=PARTS)
    family = make_family(env_id)
    for t in range(family.horizon + 1):
        for row in range(ROWS):
            one_hot = [0.0] * family.n_arms
            if t:
                one_hot[actions[t - 1, row]] = 1.0
            reward = rewards[t - 1, row] if t else 0.0
            parts = [*stimuli[t, row], *one_hot, reward, float(t == 0), t / family.horizon]
            np.testing.assert_array_equal(observations[t, row], np.array(parts, np.float32))


def test_the_default_leaves_time_out(env_id):
    everything, *_ = play(env_id, observe=PARTS)
    default, *_ = play(env_id)
    np.testing.assert_array_equal(default, everything[:, :, :-1])
    assert "time" not in DEFAULT_PARTS


def test_the_first_trial_looks_like_no_other(env_id):
    episodes = make_episodes(env_id)
    observations, *_ = play(env_id)
    feedback = observations[:, :, episodes.layout.indices(("action", "reward", "first"))]
    assert (feedback[0] == feedback[0, 0]).all()
    assert (feedback[1:] != feedback[0, 0]).any(axis=2).all()
    arms = observations[:, :, episodes.layout.slices["action"]]
    assert (arms[0] == 0).all()
    assert (arms[1:].sum(axis=2) == 1).all()


def test_a_choice_of_parts_is_a_choice_of_columns(env_id, brief, case):
    kwargs = brief(env_id)
    everything, *_ = play(env_id, observe=PARTS, **kwargs)
    layout = Layout(make_family(env_id), PARTS)
    for observe in (("reward",), ("reward", "action"), ("time", "first")):
        with case(observe):
            some, *_ = play(env_id, observe=observe, **kwargs)
            np.testing.assert_array_equal(some, everything[:, :, layout.indices(observe)])


def test_hidden_variables_do_not_change_the_feedback_of_the_first_observation(configs, case):
    """Equal random numbers, another episode's task: only a stimulus may tell the difference."""
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            own, other = (make_episodes(env_id, seed_keys(seed, 64), **kwargs) for seed in (0, 100))
            before = own.observation()
            own.set_task(other.latents)
            shown = own.layout.indices(set(PARTS) - {"stimulus"})
            np.testing.assert_array_equal(own.observation()[:, shown], before[:, shown])
            if not own.family.stimulus_size:
                assert "stimulus" not in own.layout.slices


def test_info_is_empty_unless_revealed(env_id, brief):
    for reveal in (False, True):
        kwargs = {**brief(env_id), "reveal": reveal}
        single, vector = gym.make(env_id, **kwargs), gym.make_vec(env_id, 2, **kwargs)
        infos = [single.reset(seed=0)[1], vector.reset(seed=0)[1]]
        for _ in range(8):
            step = single.step(0)
            infos += [step[4], vector.step(np.zeros(2, dtype=np.int64))[4]]
            if step[2]:
                infos.append(single.reset()[1])
        hidden = {*single.unwrapped.episodes.latents, "means"} if reveal else set()
        for info in infos:
            assert {name for name in info if not name.startswith("_")} == hidden


def test_what_is_revealed_is_a_copy(env_id):
    env = gym.make(env_id, reveal=True).unwrapped
    _, info = env.reset(seed=0)
    before = env.episodes.state_dict()
    for value in info.values():
        if isinstance(value, np.ndarray):
            value[...] = 7
    env.episodes.reveal()["means"][...] = 7
    for name, value in env.episodes.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_indices_follow_the_layout():
    layout = Layout(make_family("metalocus/ReversalBandit-v0", cued=True), PARTS)
    assert layout.size == 7
    assert layout.indices(["stimulus"]) == [0, 1]
    assert layout.indices(("reward", "action")) == [2, 3, 4]
    assert layout.indices(("first", "time")) == [5, 6]
    plain = Layout(make_family("metalocus/ReversalBandit-v0"))
    assert plain.indices(["stimulus", "time"]) == []
    assert plain.size == 4


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, (0.0, 1.0)), (-2.0, -1.0, (-2.0, 0.0)), (3.0, 5.0, (0.0, 5.0))],
)
def test_bounds_take_in_the_zero_that_stands_for_no_reward(low, high, expected):
    family = make_family("metalocus/BernoulliBandit-v0")
    family.reward_range = (low, high)
    least, most = Layout(family, ["reward", "first"]).bounds()
    assert (least[0], most[0]) == expected
    assert (least[1], most[1]) == (0.0, 1.0)


@pytest.mark.parametrize("observe", [["stimulus", "colour"], "colour", [None], 5, None])
def test_an_unknown_part_is_an_error(env_id, observe):
    with pytest.raises(InvalidTask, match=r"^observe (has no part|must name parts)"):
        make_episodes(env_id, observe=observe)


@pytest.mark.parametrize("observe", [[], ["stimulus"], "stimulus"])
def test_an_empty_observation_is_an_error(observe):
    with pytest.raises(InvalidTask, match="leaves an empty observation"):
        make_episodes("metalocus/BernoulliBandit-v0", observe=observe)


def test_observing_does_not_disturb_the_episodes(env_id):
    episodes = make_episodes(env_id, seed_keys(0, ROWS))
    quiet = Episodes(episodes.family, seed_keys(0, ROWS))
    action = np.zeros(ROWS, dtype=np.int64)
    for _ in range(10):
        episodes.observation()
        episodes.means()
        episodes.reveal()
        np.testing.assert_array_equal(episodes.step(action)[0], quiet.step(action)[0])
