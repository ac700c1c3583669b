"""What the tests of this room run over: every family and all its configurations.

A test that asks for ``env_id`` runs once for each family. One that asks for ``configs`` or
``examples`` does too, and loops over pairs (id, arguments) itself, each inside ``case``.
"""

import inspect
import secrets
from contextlib import contextmanager

import pytest

from metalocus.envs import InvalidTask, make_family
from metalocus.envs.layout import PARTS
from metalocus.envs.registry import FAMILIES

FOR_ALL = [
    {},
    {"observe": PARTS, "n_tasks": 1},
    {"observe": ("reward", "action"), "n_tasks": 3, "task_seed": 5},
]
FOR_STIMULI = [
    {"observe": "stimulus"},
    {"observe": ("stimulus", "time")},
]


def configurations(env_id):
    """Keyword arguments to test one family with, the defaults first.

    These are its own examples, and the ways to observe and to limit the tasks that suit every
    family.
    """
    shown = (kwargs for kwargs in own(env_id) if make_family(env_id, **kwargs).stimulus_size)
    first = next(shown, None)
    stimuli = [] if first is None else [{**first, **more} for more in FOR_STIMULI]
    return FOR_ALL + own(env_id)[1:] + stimuli


def own(env_id):
    """The defaults and the examples that the family names."""
    return [{}, *map(dict, FAMILIES[env_id].examples)]


def pytest_generate_tests(metafunc):
    """Parametrise over the families: ``env_id``, all ``configs`` of each, or its ``examples``."""
    for name, choice in (("configs", configurations), ("examples", own)):
        if name in metafunc.fixturenames:
            pairs = [[(env_id, kwargs) for kwargs in choice(env_id)] for env_id in FAMILIES]
            metafunc.parametrize(name, pairs, ids=[env_id.split("/")[1] for env_id in FAMILIES])
            return
    if "env_id" in metafunc.fixturenames:
        metafunc.parametrize("env_id", list(FAMILIES))


@pytest.fixture
def seed():
    """Another seed whenever the tests are run; pytest shows it where a test fails."""
    return secrets.randbelow(2**31)


@pytest.fixture(scope="session")
def case():
    """A block ``with case(...):`` in a loop; a failure inside names the case."""

    @contextmanager
    def named(*what):
        try:
            yield
        except BaseException as error:
            error.add_note(f"in the case {', '.join(map(repr, what))}")
            raise

    return named


@pytest.fixture(scope="session")
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
