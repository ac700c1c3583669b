"""Nothing is averaged that is not a finite number, or that differs between seeds in kind."""

import math

import pytest

from metalocus.agents.agent import NonFinite
from metalocus.experiments.studies.study import require_measured


def values(number):
    return {"score": {"bandit": 0.5, "reversal": number}, "curve": [0.1, 0.2], "best": "wsls"}


def test_finite_measurements_pass():
    require_measured("claim", {0: values(0.1), 1: values(-3), 2: values(1e300)})
    require_measured("claim", {0: values(None), 1: values(0.2)})  # no such number at a seed
    require_measured("claim", {0: {"flag": True, "none": []}, 5: {"none": [], "flag": False}})


def test_a_number_that_is_not_finite_is_named():
    """By study, quantity, setting and training seed."""
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(NonFinite) as raised:
            require_measured("emergence", {0: values(0.1), 3: values(bad)})
        message = str(raised.value)
        assert message.startswith("emergence: score / reversal at training seed 3 is ")
        assert len(message.splitlines()) == 1
    with pytest.raises(NonFinite, match="curves: bandit / lstm / 1 at training seed 2"):
        require_measured("curves", {2: {"bandit": {"lstm": [0.0, math.nan]}}})


def test_seeds_must_have_measured_the_same_things():
    missing, longer, renamed = values(0.1), values(0.1), values(0.1)
    del missing["score"]["bandit"]
    longer["curve"] = [0.1, 0.2, 0.3]
    renamed["score"] = {"bandit": 0.5, "cued": 0.1}
    for other in (missing, longer, renamed, {}):
        with pytest.raises(ValueError, match="training seeds 0 and 7 measured other things"):
            require_measured("claim", {0: values(0.1), 7: other})
