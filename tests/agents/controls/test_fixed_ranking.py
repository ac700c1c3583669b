"""A ranking of objects instead of a memory of them."""

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.scoring.curves import learning_curve

HARLOW = Setting("metalocus/Harlow-v0")
RAINBOW = Setting("metalocus/RainbowBandit-v0", horizon=8)


@pytest.mark.parametrize("setting", [HARLOW, RAINBOW])
def test_is_right_at_every_second_trial_and_at_chance_between(setting):
    agent = make_named("fixed_ranking", setting.family)
    curve = learning_curve(agent, setting, 20_000, 0)["curve"]
    np.testing.assert_array_equal(curve[1::2], 1.0)
    np.testing.assert_allclose(curve[::2], 0.0, atol=0.03)  # four standard errors


def test_which_object_it_takes_does_not_depend_on_the_sides():
    agent = make_named("fixed_ranking", HARLOW.family)
    stores = agent.start(50, np.random.default_rng(0))
    objects = np.random.default_rng(1).random((50, 2, 8)).astype(np.float32)
    for reward in (1.0, 0.0):
        after = agent.learn(stores, objects, np.zeros(50), np.full(50, reward))
        one, _ = agent.act(objects.reshape(50, -1), after)
        other, _ = agent.act(objects[:, ::-1].reshape(50, -1), after)
        np.testing.assert_array_equal(one, other[:, ::-1])
        higher = objects[:, 1, 0] > objects[:, 0, 0]
        np.testing.assert_array_equal(one.argmax(axis=1), higher if reward else ~higher)


def test_plays_only_where_two_objects_and_nothing_else_are_shown():
    for task in ("metalocus/BernoulliBandit-v0", "metalocus/RainbowBandit-v0"):
        kwargs = {"cued": True} if "Rainbow" in task else {}
        with pytest.raises(InvalidTask, match="ranks two objects"):
            make_named("fixed_ranking", Setting(task, **kwargs).family)
