"""Every claim is made small: its module's constants are those that it names for tests."""

import sys

import pytest

from metalocus.experiments.claims.base import CLAIMS


@pytest.fixture(autouse=True, scope="package")
def small_claims():
    with pytest.MonkeyPatch.context() as patch:
        for claim in CLAIMS.values():
            for name, value in claim.small.items():
                patch.setattr(sys.modules[type(claim).__module__], name, value)
        yield
