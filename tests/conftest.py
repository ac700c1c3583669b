"""One torch thread, as in every run: two give other bits, and spin where cores are shared.

What is imported and collected is never searched for garbage, which saves a tenth of the time.
Tables of references that many tests need are made once; the package keeps few, to spare memory.
Without a GPU torch keeps a stack trace of every seed, for when there will be one; here it does not.
pytest puts its handlers on each of torch's fifty loggers before and after every test, unless they
hand on what they are told.
No example of Hypothesis has a deadline: on a busy machine any of them may be late.
"""

import gc

gc.disable()

import logging  # noqa: E402
import pkgutil  # noqa: E402
import sys  # noqa: E402
from functools import lru_cache  # noqa: E402

import gymnasium as gym  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from metalocus.agents.references.bernoulli import finite_index  # noqa: E402
from metalocus.agents.references.normal import two_arms  # noqa: E402
from metalocus.envs import discovery  # noqa: E402

torch.set_num_threads(1)
for backend in (torch.cuda, torch.xpu, torch.mtia):
    if not backend.is_available():
        backend.manual_seed_all = lambda seed: None
for logger in logging.root.manager.loggerDict.values():
    if isinstance(logger, logging.Logger):
        logger.propagate = True
settings.register_profile("late", deadline=None)
settings.load_profile("late")
finite_index.finite_table = lru_cache(maxsize=16)(finite_index.finite_table.__wrapped__)
two_arms.two_arm_plan = lru_cache(maxsize=16)(two_arms.two_arm_plan.__wrapped__)


def pytest_collection_finish():
    gc.enable()
    gc.freeze()


def pytest_unconfigure():
    gc.freeze()  # or Python searches all of it before it ends


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request):
    """Each device of this machine."""
    return request.param


@pytest.fixture(scope="session")
def stirred():
    """Puts random numbers in place of a network's zeros, so that what begins at 0 counts."""

    def stir(network):
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weights in network.parameters():
                noise = 0.1 * torch.randn(weights.shape, generator=generator, dtype=torch.double)
                weights += torch.where(weights == 0, noise.to(weights), 0)
        return network

    return stir


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
