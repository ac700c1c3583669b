"""What makes claims small in tests."""

import sys
from importlib import import_module

import pytest

from metalocus.experiments.claims.base import CLAIMS


@pytest.fixture(scope="module")
def small_claims():
    """The constants that claims name for tests have the values that they give."""
    with pytest.MonkeyPatch.context() as patch:
        for claim in CLAIMS.values():
            for name, value in claim.small.items():
                patch.setattr(*constant(claim, name), value)
        yield


def constant(claim, name):
    """The module and the name of a constant: of the claim's module, or of another one."""
    home, _, own = name.rpartition(".")
    if not home:
        return sys.modules[type(claim).__module__], own
    return import_module(f"metalocus.experiments.{home}"), own
