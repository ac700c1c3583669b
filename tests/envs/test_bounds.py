"""The bounds of rewards and observations hold even for the most extreme random numbers."""

import numpy as np
import pytest

from metalocus.envs import make_episodes
from metalocus.envs.common_random_numbers import LARGEST_NORMAL, CommonRandomNumbers, seed_keys
from metalocus.envs.layout import PARTS

ROWS = 6
TRIALS = 60
LARGEST = 8.2924


def test_no_normal_number_is_larger(monkeypatch):
    for end in (0.0, 1.0 - 2.0**-53):
        monkeypatch.setattr(CommonRandomNumbers, "uniform", lambda *_, end=end: np.array([end]))
        assert (
            abs(CommonRandomNumbers(seed_keys(0, 1)).normal("noise")[0]) <= LARGEST < LARGEST_NORMAL
        )


@pytest.mark.parametrize("ends", [[-1.0], [1.0], [-1.0, 1.0]])
def test_the_largest_normal_numbers_stay_inside_the_bounds(examples, case, ends, monkeypatch):
    """Normal numbers all at one end of their range, or each at either."""

    def extreme(self, name, t=0, index=0):
        which = self.bits(name, t, index) % np.uint64(len(ends))
        return LARGEST * np.array(ends)[which]

    monkeypatch.setattr(CommonRandomNumbers, "normal", extreme)
    for env_id, kwargs in examples:
        with case(env_id, kwargs):
            episodes = make_episodes(env_id, seed_keys(0, ROWS), observe=PARTS, **kwargs)
            low, high = episodes.layout.bounds()
            least, most = episodes.family.reward_range
            rng = np.random.default_rng(0)
            for _ in range(min(episodes.family.horizon, TRIALS)):
                observation = episodes.observation()
                assert (observation >= low).all()
                assert (observation <= high).all()
                reward, _ = episodes.step(rng.integers(episodes.family.n_arms, size=ROWS))
                assert (reward >= least).all()
                assert (reward <= most).all()
