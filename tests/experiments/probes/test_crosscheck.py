"""Numbers that another tool gives too, recorded on docs/probes/crosschecks.md."""

import runpy
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[3] / "docs/probes/pyvene_interchange.py"
EXCHANGED = {
    "state": ([0.242810, 0.204398, 0.217329, 0.198180, 0.137284], 0.019600, 0.010230),
    "all stores": ([0.235700, 0.197816, 0.220794, 0.197074, 0.148616], 0.022078, 0.010433),
    "8 directions of the state": (
        [0.347949, 0.145264, 0.201334, 0.167129, 0.138324],
        0.010170,
        0.009724,
    ),
}
"""By pyvene 0.1.8: an episode's first probabilities, and mean changes, at first and later."""


def test_interchange_interventions_are_those_of_pyvene():
    script = runpy.run_path(str(SCRIPT))
    agent = script["network"]()
    base, source = (script["play"](agent, seed) for seed in (0, 1))
    trial, later = script["TRIAL"], script["LATER"]
    plain = base.trace.probs[trial:]
    found = script["ours"](agent, base, source)
    assert found.keys() == EXCHANGED.keys()
    for name, (first, at_once, after) in EXCHANGED.items():
        change = np.abs(found[name] - plain).mean(axis=(1, 2))
        assert found[name][0, script["EPISODE"]] == pytest.approx(first, abs=1e-5), name
        assert change[[0, later]] == pytest.approx([at_once, after], abs=1e-5), name
