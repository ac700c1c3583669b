"""One torch thread, as in every run: two give other bits, and spin where cores are shared."""

import pkgutil
import sys

import gymnasium as gym
import pytest
import torch

from metalocus.envs import discovery

torch.set_num_threads(1)


@pytest.fixture
def unload():
    """What a test loads from outside the package is gone after it."""
    registries = [pkgutil.resolve_name(name) for name in discovery.REGISTRIES]
    before = [(each, dict(each.entered), dict(each._home)) for each in registries]
    outside, environments = dict(discovery.OUTSIDE), set(gym.registry)
    yield
    for each, entered, home in before:
        each.__dict__["entered"], each._home = entered, home
    for name in discovery.OUTSIDE.keys() - outside.keys():
        del discovery.OUTSIDE[name], sys.modules[name]
    for name in gym.registry.keys() - environments:
        del gym.registry[name]
