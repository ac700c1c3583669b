"""Every test that asks for ``config`` runs over every family and all its configurations.

These are its own ``examples``, and the ways to observe and to limit the tasks that suit every
family.
"""

import inspect

import pytest

from metalocus.envs import InvalidTask, make_family
from metalocus.envs.layout import PARTS
from metalocus.envs.registry import FAMILIES

FOR_ALL = [
    {},
    {"observe": ("reward", "action")},
    {"observe": PARTS},
    {"n_tasks": 1},
    {"n_tasks": 3, "task_seed": 5},
]
FOR_STIMULI = [
    {"observe": "stimulus"},
    {"observe": ("stimulus", "time")},
]


def configurations(env_id):
    """Keyword arguments to test one family with, the defaults first."""
    shown = (kwargs for kwargs in own(env_id) if make_family(env_id, **kwargs).stimulus_size)
    first = next(shown, None)
    stimuli = [] if first is None else [{**first, **more} for more in FOR_STIMULI]
    return FOR_ALL + own(env_id)[1:] + stimuli


def own(env_id):
    """The defaults and the examples that the family names."""
    return [{}, *map(dict, FAMILIES[env_id].examples)]


def pytest_generate_tests(metafunc):
    """Parametrise ``env_id`` over the families, ``config`` over all their configurations, and
    ``example`` over those that differ in more than what is observed and which tasks are drawn."""
    for name, choice in (("config", configurations), ("example", own)):
        if name in metafunc.fixturenames:
            pairs = [(env_id, kwargs) for env_id in FAMILIES for kwargs in choice(env_id)]
            ids = [f"{env_id.split('/')[1]}-{kwargs}" for env_id, kwargs in pairs]
            metafunc.parametrize(name, pairs, ids=ids)
            return
    if "env_id" in metafunc.fixturenames:
        metafunc.parametrize("env_id", list(FAMILIES))


@pytest.fixture
def brief():
    """Keyword arguments that shorten a family's episodes, if it lets its horizon be chosen."""

    def arguments(env_id, horizon=4):
        known = inspect.signature(FAMILIES[env_id]).parameters
        if "horizon" not in known:
            return {}
        try:
            make_family(env_id, horizon=horizon)
        except InvalidTask:  # it counts the steps of trials that take two
            horizon += 1
        return {"horizon": horizon}

    return arguments
