"""A seed, a copy or a saved state gives the same episodes again, to the last bit."""

import copy
import pickle

import numpy as np
import pytest

from metalocus.envs import make_episodes
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.envs.single import SingleEnv
from metalocus.envs.vector import BatchEnv

ROWS = 3
CLONES = {"deepcopy": copy.deepcopy, "pickle": lambda env: pickle.loads(pickle.dumps(env))}


def history(env, steps, seed=0):
    """Observations, rewards and ends under random actions, resetting where an episode ends."""
    rng, log = np.random.default_rng(seed), []
    n_arms = env.unwrapped.episodes.family.n_arms
    for _ in range(steps):
        observation, reward, done, truncated, info = env.step(int(rng.integers(n_arms)))
        log.append([*observation.tolist(), reward, done, truncated])
        log.append([np.asarray(value).tolist() for value in info.values()])
        if done:
            log.append(env.reset()[0].tolist())
    return log


def batch_history(env, steps, seed=0):
    """Observations, rewards and ends of a vector environment under random actions."""
    rng, log = np.random.default_rng(seed), []
    for _ in range(steps):
        actions = rng.integers(env.episodes.family.n_arms, size=ROWS)
        log.append([part.tolist() for part in env.step(actions)[:3]])
    return log


def test_one_seed_gives_one_history(configs, case):
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            env = SingleEnv(env_id, reveal=True, **kwargs)
            first = [env.reset(seed=7)[0].tolist(), *history(env, 8)]
            again = [env.reset(seed=7)[0].tolist(), *history(env, 8)]
            other = SingleEnv(env_id, reveal=True, **kwargs)
            copied = [other.reset(seed=7)[0].tolist(), *history(other, 8)]
            assert first == again == copied


def test_another_seed_gives_another_history(env_id):
    env = SingleEnv(env_id)
    runs = []
    for seed in (0, 1, 2**32, 2**70):
        env.reset(seed=seed)
        runs.append(history(env, 60))
    assert all(one != other for i, one in enumerate(runs) for other in runs[:i])


def test_a_reset_without_a_seed_goes_on(env_id):
    """The next episode is a new one, and the same one whether or not the last was finished."""
    early, late = SingleEnv(env_id), SingleEnv(env_id)
    for env, steps in ((early, 1), (late, late.episodes.family.horizon)):
        env.reset(seed=3)
        for _ in range(steps):
            env.step(0)
    first = early.episodes.crn.keys.copy()
    for env in (early, late):
        env.reset()
    assert early.episodes.crn.keys.tolist() == late.episodes.crn.keys.tolist()
    assert early.episodes.crn.keys.tolist() != first.tolist()


def test_unseeded_environments_differ(env_id):
    single = [SingleEnv(env_id) for _ in range(2)]
    vector = [BatchEnv(env_id, ROWS) for _ in range(2)]
    batch = [BatchVecEnv(env_id, ROWS) for _ in range(2)]
    keys = []
    for env in (*single, *vector, *batch):
        env.reset()
        keys += env.episodes.keys.tolist()
    assert len(set(keys)) == len(keys) == 2 + 4 * ROWS


def test_np_random_may_be_given(env_id):
    single, reference = SingleEnv(env_id), SingleEnv(env_id)
    single.reset(seed=0)
    single.np_random = np.random.default_rng(9)
    single.reset()
    reference.reset(seed=9)
    assert history(single, 30) == history(reference, 30)
    vectors = [BatchEnv(env_id, ROWS) for _ in range(2)]
    for vector in vectors:
        vector.reset(seed=0)
        vector.np_random = np.random.default_rng(9)
        vector.reset()
        assert vector.episodes.number.tolist() != [1] * ROWS
    assert batch_history(vectors[0], 30) == batch_history(vectors[1], 30)


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
def test_a_copy_in_mid_episode_goes_on_alike(env_id, clone):
    single = SingleEnv(env_id, reveal=True)
    single.reset(seed=4)
    history(single, 3)
    twin = clone(single)
    assert history(single, 30) == history(twin, 30)
    for make in (BatchEnv, BatchVecEnv):
        env = make(env_id, ROWS)
        env.reset()
        batch_history(env, 3)
        twin = clone(env)
        assert batch_history(env, 30) == batch_history(twin, 30)


def test_a_saved_state_goes_on_exactly(configs, case, seed):
    """Also if the original is reset or goes on in between, and whatever the copy did before."""
    rng = np.random.default_rng(seed)
    before, mask = rng.integers(9), rng.random(ROWS) < 0.5
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            episodes, copied = (
                make_episodes(env_id, seed_keys(s, ROWS), **kwargs) for s in (seed, 5)
            )
            actions = rng.integers(episodes.family.n_arms, size=(20, ROWS))

            def go(which, chosen):
                log = []
                for action in chosen:
                    reward, done = which.step(action)
                    if done.any():
                        which.reset(done)
                    log.append((reward.tolist(), done.tolist(), which.observation().tolist()))
                return log

            go(episodes, actions[:before])
            if any(mask):
                episodes.reset(np.array(mask))
            state = episodes.state_dict()
            frozen = copy.deepcopy(state)
            expected = go(copy.deepcopy(episodes), actions[before:])
            episodes.reset(np.array([True, False, True]))
            episodes.step(actions[0])
            go(copied, actions[:2])
            copied.load_state_dict(state)
            assert go(copied, actions[before:]) == expected
            copied.load_state_dict(state)
            copied.reset(np.array([False, True, False]))
            assert state.keys() == frozen.keys()
            for name in state:
                np.testing.assert_array_equal(state[name], frozen[name])


def test_a_saved_state_shares_no_memory_with_the_episodes(env_id):
    episodes = make_episodes(env_id, seed_keys(0, ROWS))
    saved, frozen = episodes.state_dict(), episodes.state_dict()
    for value in saved.values():
        value[...] = 1
    for name, value in episodes.state_dict().items():
        np.testing.assert_array_equal(value, frozen[name])


def test_a_saved_sb3_environment_goes_on_exactly(env_id, brief):
    env, other = (BatchVecEnv(env_id, ROWS, seed=seed, **brief(env_id)) for seed in (1, 2))
    env.reset()
    batch_history(env, 2)
    other.load_state_dict(env.state_dict())
    rng = np.random.default_rng(0)
    for step in range(30):
        actions = rng.integers(env.episodes.family.n_arms, size=ROWS)
        one, two = env.step(actions), other.step(actions)
        assert one[0].tolist() == two[0].tolist()
        assert one[1].tolist() == two[1].tolist()
        for info, twin in zip(one[3], two[3], strict=True):
            assert info.keys() == twin.keys()
            if "episode" in info:
                assert info["episode"]["r"] == twin["episode"]["r"]
        if step == 20:
            assert env.reset().tolist() == other.reset().tolist()


def test_episodes_end_at_the_horizon_by_termination(examples, case):
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            env = SingleEnv(env_id, **kwargs)
            env.reset(seed=0)
            horizon = env.unwrapped.episodes.family.horizon
            for _ in range(2):
                ends = [env.step(0)[2:4] for _ in range(horizon)]
                assert ends == [(False, False)] * (horizon - 1) + [(True, False)]
                env.reset()


def test_rows_at_different_trials_do_not_disturb_each_other(configs, case):
    """Resetting one row leaves the others' latents, history and random numbers as they were."""
    for env_id, kwargs in configs:
        with case(env_id, kwargs):
            together = make_episodes(env_id, seed_keys(0, ROWS), **kwargs)
            alone = [make_episodes(env_id, seed_keys(row, 1), **kwargs) for row in range(ROWS)]
            rng = np.random.default_rng(0)
            for _ in range(8):
                over = rng.random(ROWS) < 0.3
                over |= together.t >= together.family.horizon
                held, frozen = together.latents, copy.deepcopy(together.latents)
                if over.any():
                    together.reset(over)
                for name, value in held.items():
                    assert value.tolist() == frozen[name].tolist()
                for row in np.flatnonzero(over):
                    alone[row].reset()
                action = rng.integers(together.family.n_arms, size=ROWS)
                reward, _ = together.step(action)
                observation, latents = together.observation(), together.reveal()
                for row, one in enumerate(alone):
                    assert one.step(action[row : row + 1])[0][0] == reward[row]
                    assert one.observation()[0].tolist() == observation[row].tolist()
                    for name, value in one.reveal().items():
                        assert value[0].tolist() == latents[name][row].tolist()


def test_an_empty_reset_changes_nothing_and_draws_no_task(env_id, monkeypatch):
    episodes = make_episodes(env_id, seed_keys(0, ROWS))
    before = episodes.state_dict()
    monkeypatch.setattr(episodes.family, "begin", None)
    episodes.reset(np.zeros(ROWS, dtype=bool))
    episodes.reseed(seed_keys(9, ROWS), np.zeros(ROWS, dtype=bool))
    for name, value in episodes.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_what_a_caller_does_to_results_does_not_reach_the_environment(env_id, brief):
    """Writing into every array that ``step`` gives leaves the next steps unchanged."""
    for mode in ("NextStep", "SameStep"):
        kwargs = {**brief(env_id), "autoreset_mode": mode, "reveal": True}
        spoilt, clean = (BatchEnv(env_id, ROWS, **kwargs) for _ in range(2))
        spoilt.reset(seed=0)
        clean.reset(seed=0)
        rng = np.random.default_rng(0)
        for _ in range(20):
            actions = rng.integers(clean.episodes.family.n_arms, size=ROWS)
            mine, theirs = spoilt.step(actions.copy()), clean.step(actions)
            for one, other in zip(mine[:4], theirs[:4], strict=True):
                np.testing.assert_array_equal(one, other)
                one[...] = 1
