"""Single, vector and SB3 environments are one environment: equal step for step."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from metalocus.envs.sb3 import BatchVecEnv
from metalocus.envs.single import SingleEnv
from metalocus.envs.vector import BatchEnv

ROWS = 3
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


def singles(env_id, kwargs, n=ROWS):
    """Functions that make the single environments of a reference vector environment."""
    return [lambda: SingleEnv(env_id, **kwargs)] * n


def assert_same(ours, theirs):
    """Arrays equal in value, shape and type."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert ours.tolist() == theirs.tolist()


def assert_same_info(ours, theirs):
    """Equal keys and masks, and equal values where the mask is True (as Gymnasium batches them)."""
    assert ours.keys() == theirs.keys()
    for name in ours:
        if name.startswith("_"):
            assert_same(ours[name], theirs[name])
        elif name == "final_obs":
            for one, other in zip(ours[name], theirs[name], strict=True):
                assert (one is None) == (other is None)
                assert one is None or one.tolist() == other.tolist()
        elif isinstance(ours[name], dict):
            assert_same_info(ours[name], theirs[name])
        else:
            rows = theirs[f"_{name}"]
            assert_same(ours[name][rows], theirs[name][rows])


def assert_same_step(ours, theirs):
    """Equal results of ``step`` of two vector environments."""
    for one, other in zip(ours[:4], theirs[:4], strict=True):
        assert_same(one, other)
    assert_same_info(ours[4], theirs[4])


def test_rows_equal_single_environments(configs, case, brief, seed):
    rng = np.random.default_rng(seed)
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            kwargs = {**brief(env_id), **kwargs}
            vector = BatchEnv(env_id, ROWS, autoreset_mode="SameStep", **kwargs)
            batch = BatchVecEnv(env_id, ROWS, seed=seed, **kwargs)
            alone = [SingleEnv(env_id, **kwargs) for _ in range(ROWS)]
            family = vector.episodes.family
            first = np.stack([env.reset(seed=seed + i)[0] for i, env in enumerate(alone)])
            assert_same(vector.reset(seed=seed)[0], first)
            assert_same(batch.reset(), first)
            for _ in range(min(3 * family.horizon, 25)):
                action = rng.integers(family.n_arms, size=ROWS)
                results = [env.step(one) for env, one in zip(alone, action, strict=True)]
                reward = np.array([result[1] for result in results])
                done = np.array([result[2] for result in results])
                observation = np.stack(
                    [
                        env.reset()[0] if r[2] else r[0]
                        for env, r in zip(alone, results, strict=True)
                    ]
                )
                by_vector, by_batch = vector.step(action), batch.step(action)
                assert_same(by_vector[0], observation)
                assert_same(by_vector[1], reward)
                assert_same(by_vector[2], done)
                assert not by_vector[3].any()
                assert_same(by_batch[0], observation)
                assert_same(by_batch[1], reward.astype(np.float32))
                assert_same(by_batch[2], done)


@pytest.mark.parametrize("reveal", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_vector_equals_gymnasiums_own(env_id, brief, mode, reveal, seed):
    rng = np.random.default_rng(seed)
    kwargs = {**brief(env_id), "reveal": reveal}
    ours = BatchEnv(env_id, ROWS, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv(singles(env_id, kwargs), autoreset_mode=mode)
    assert ours.metadata == theirs.metadata
    seeding = seed if rng.random() < 0.5 else [seed, seed + 9, seed + 4]
    (a, a_info), (b, b_info) = ours.reset(seed=seeding), theirs.reset(seed=seeding)
    assert_same(a, b)
    assert_same_info(a_info, b_info)
    for _ in range(min(3 * ours.episodes.family.horizon, 40)):
        action = rng.integers(ours.episodes.family.n_arms, size=ROWS)
        assert_same_step(ours.step(action), theirs.step(action))


@pytest.mark.parametrize("mode", MODES)
def test_partial_resets_equal_gymnasiums_own(env_id, brief, mode, seed):
    rng = np.random.default_rng(seed)
    kwargs = {**brief(env_id, horizon=int(rng.choice([1, 4]))), "reveal": True}
    ours = BatchEnv(env_id, ROWS, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv(singles(env_id, kwargs), autoreset_mode=mode)
    ours.reset(seed=seed)
    theirs.reset(seed=seed)
    for _ in range(20):
        action = rng.integers(ours.episodes.family.n_arms, size=ROWS)
        assert_same_step(ours.step(action), theirs.step(action))
        if rng.random() < 0.3:
            mask = np.zeros(ROWS, dtype=bool)
            mask[rng.choice(ROWS, size=rng.integers(1, ROWS + 1), replace=False)] = True
            again = [None, int(rng.integers(99)), [None, 5, int(rng.integers(99))]]
            seeding = again[rng.integers(3)]
            (a, a_info), (b, b_info) = (
                env.reset(seed=seeding, options={"reset_mask": mask.copy()})
                for env in (ours, theirs)
            )
            assert_same(a, b)
            assert_same_info(a_info, b_info)


def test_a_seed_of_none_in_a_list_goes_on_with_that_row(env_id):
    ours, theirs = BatchEnv(env_id, ROWS), SyncVectorEnv(singles(env_id, {}))
    for env in (ours, theirs):
        env.reset(seed=1)
        env.reset(seed=[None, 8, None])
    action = np.zeros(ROWS, dtype=np.int64)
    for _ in range(20):
        assert_same_step(ours.step(action), theirs.step(action))


def test_a_row_that_is_over_ignores_its_action(env_id, brief):
    kwargs = brief(env_id)
    last = [BatchEnv(env_id, 1, **kwargs) for _ in range(2)]
    for action, env in enumerate(last):
        env.reset(seed=3)
        for _ in range(env.episodes.family.horizon):
            env.step(np.array([0]))
        _, reward, done, *_ = env.step(np.array([action]))
        assert reward.tolist() == [0.0]
        assert not done.any()
        assert env.episodes.t.tolist() == [0]
    assert_same(last[0].step(np.array([1]))[0], last[1].step(np.array([1]))[0])


def test_no_family_is_stepped_beyond_its_horizon(env_id, brief, monkeypatch):
    """Also when one row is over and waits for its reset while the others go on."""
    env = BatchEnv(env_id, ROWS, **brief(env_id))
    family = env.episodes.family
    step, trials = family.step, []

    def watched(latents, action, t, crn):
        trials.append(t.copy())
        return step(latents, action, t, crn)

    monkeypatch.setattr(family, "step", watched)
    env.reset(seed=0)
    action = np.zeros(ROWS, dtype=np.int64)
    env.step(action)
    env.reset(options={"reset_mask": np.array([True, False, False])})
    for _ in range(3 * family.horizon):
        env.step(action)
    assert np.max(trials) == family.horizon - 1
    assert len(np.unique(trials[-1])) > 1 or family.horizon == 1


def test_sb3_conventions_equal_monitored_single_environments(env_id, brief, seed):
    rng = np.random.default_rng(seed)
    kwargs = {**brief(env_id, 5), "reveal": True}
    ours = BatchVecEnv(env_id, ROWS, seed=seed, **kwargs)
    theirs = DummyVecEnv([lambda: Monitor(SingleEnv(env_id, **kwargs))] * ROWS)
    theirs.seed(seed)
    assert_same(ours.reset(), theirs.reset())
    for _ in range(min(3 * ours.episodes.family.horizon, 60)):
        for one, other in zip(ours.reset_infos, theirs.reset_infos, strict=True):
            assert_same_values(one, other)
        action = rng.integers(ours.action_space.n, size=ROWS)
        mine, other = ours.step(action), theirs.step(action)
        for one, two in zip(mine[:3], other[:3], strict=True):
            assert_same(one, two)
        for row, done in enumerate(mine[2]):
            info, reference = mine[3][row], other[3][row]
            assert reference.pop("TimeLimit.truncated") is info.pop("TimeLimit.truncated", False)
            if done:
                stats, monitored = info.pop("episode"), reference.pop("episode")
                assert stats.keys() == monitored.keys()
                assert stats["l"] == monitored["l"]
                assert stats["r"] == pytest.approx(monitored["r"], abs=1e-6)
                assert stats["t"] >= 0
            assert_same_values(info, reference)


def assert_same_values(ours, theirs):
    """Two infos of one row hold the same names and numbers."""
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_episode_statistics_equal_vec_monitors(env_id, brief):
    ours, plain = (BatchVecEnv(env_id, ROWS, seed=2, **brief(env_id)) for _ in range(2))
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        theirs = VecMonitor(plain)
    ours.reset()
    theirs.reset()
    rng, finished = np.random.default_rng(0), 0
    for env in (ours, theirs):  # an episode that is broken off counts for nothing
        env.step(np.zeros(ROWS, dtype=np.int64))
        env.reset()
    for _ in range(3 * ours.episodes.family.horizon):
        action = rng.integers(ours.action_space.n, size=ROWS)
        infos, monitored = ours.step(action)[3], theirs.step(action)[3]
        for info, reference in zip(infos, monitored, strict=True):
            assert ("episode" in info) == ("episode" in reference)
            if "episode" in info:
                finished += 1
                assert info["episode"]["r"] == pytest.approx(float(reference["episode"]["r"]))
                assert info["episode"]["l"] == reference["episode"]["l"]
    assert finished == 3 * ROWS


def test_sb3_evaluates_without_a_wrapper(env_id, brief):
    class FirstArm:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.zeros(len(observation), dtype=np.int64), state

    kwargs = brief(env_id)
    returns, lengths = evaluate_policy(
        FirstArm(), BatchVecEnv(env_id, 2, seed=0, **kwargs), 6, return_episode_rewards=True
    )
    env, expected = BatchVecEnv(env_id, 2, seed=0, **kwargs), []
    env.reset()
    while len(expected) < 6:
        infos = env.step(np.zeros(2, dtype=np.int64))[3]
        expected += [info["episode"]["r"] for info in infos if "episode" in info]
    assert returns == pytest.approx(expected)
    assert set(lengths) == {env.episodes.family.horizon}


def test_sb3_reseeds_at_the_next_reset_only(env_id):
    env = BatchVecEnv(env_id, ROWS, seed=4, reveal=True)
    env.reset()
    start = env.reset_infos
    assert list(env.seed(4)) == [4, 5, 6]
    env.reset()
    for one, other in zip(env.reset_infos, start, strict=True):
        assert_same_values(one, other)
    env.reset()
    assert env.episodes.number.tolist() == [1] * ROWS


def test_sb3_needs_no_reset_to_be_fair(env_id):
    """A step before the first reset plays the episodes that the reset would have begun."""
    early, proper = (BatchVecEnv(env_id, ROWS, seed=4) for _ in range(2))
    proper.reset()
    action = np.zeros(ROWS, dtype=np.int64)
    assert_same(early.step(action)[0], proper.step(action)[0])


def test_sb3_attributes_and_methods(env_id):
    env = BatchVecEnv(env_id, ROWS, seed=0)
    assert env.get_attr("reveal", indices=[0, 2]) == [False, False]
    env.set_attr("reveal", True)
    assert env.get_attr("reveal") == [True] * ROWS
    assert env.env_method("seed", 3, indices=0) == [[3, 4, 5]]
    assert env.has_attr("episodes")
    assert not env.has_attr("nothing")
    assert env.env_is_wrapped(Monitor) == [True] * ROWS
    assert env.env_is_wrapped(gym.wrappers.TimeLimit, indices=[1]) == [False]
