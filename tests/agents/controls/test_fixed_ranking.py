"""A ranking of objects instead of a memory of them."""

import numpy as np

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.scoring.curves import learning_curve

HARLOW = Setting("metalocus/Harlow-v0")


def test_is_right_at_every_second_trial_and_at_chance_between():
    agent = make_named("fixed_ranking", HARLOW.family)
    curve = learning_curve(agent, HARLOW, 20_000, 0)["curve"]
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
