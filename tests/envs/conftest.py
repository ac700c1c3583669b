"""Every test that asks for ``config`` runs over every family and all its configurations.

A family that is not named here is tested with the configurations that suit every family.
"""

import inspect
from itertools import combinations

import pytest

from metalocus.envs import families
from metalocus.envs.layout import PARTS

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"

NAMED = {
    BANDIT: [
        *({"n_arms": n_arms} for n_arms in (2, 5, 10)),
        *({"horizon": horizon} for horizon in (1, 2, 500)),
        *({"prior": prior} for prior in ("uniform", "beta(2,5)", "beta(0.5,0.5)")),
        *({"prior": prior} for prior in ("dependent", "easy", "medium", "hard")),
        {"n_arms": 5, "horizon": 7, "prior": "beta(1,3)", "n_tasks": 4, "task_seed": 3},
    ],
    REVERSAL: [
        *({"cued": cued} for cued in (False, True)),
        {"horizon": 1},
        {"p": 1.0, "hazard": 0.0},
        {"p": 0.0, "hazard": 1.0, "cued": True},
        *({"cued": True, "observe": two} for two in combinations(PARTS, 2)),
        {"cued": True, "observe": "stimulus"},
    ],
}

FOR_ALL = [
    {},
    *({"observe": part} for part in PARTS if part != "stimulus"),
    {"observe": PARTS},
    {"n_tasks": 1},
    {"n_tasks": 3, "task_seed": 5},
]


def configurations(env_id):
    """Keyword arguments to test one family with, the defaults first."""
    return FOR_ALL + NAMED.get(env_id, [])


def pytest_generate_tests(metafunc):
    """Parametrise ``env_id`` over the families and ``config`` over their configurations."""
    if "config" in metafunc.fixturenames:
        pairs = [(env_id, kwargs) for env_id in families() for kwargs in configurations(env_id)]
        ids = [f"{env_id.split('/')[1]}-{kwargs}" for env_id, kwargs in pairs]
        metafunc.parametrize("config", pairs, ids=ids)
    elif "env_id" in metafunc.fixturenames:
        metafunc.parametrize("env_id", list(families()))


@pytest.fixture
def brief():
    """Keyword arguments that shorten a family's episodes, if it lets its horizon be chosen."""

    def arguments(env_id, horizon=4):
        known = inspect.signature(families()[env_id]).parameters
        return {"horizon": horizon} if "horizon" in known else {}

    return arguments
