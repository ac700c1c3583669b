"""Probes that watch the same episodes."""

from __future__ import annotations

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.probes.base import watched
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.scoring.chunks import Chunks

SETTING = Setting("metalocus/BernoulliBandit-v0", horizon=8)


def test_probes_find_together_what_each_finds_alone():
    probes = [Optimality(), Locus(), Optimality()]
    chunks = Chunks(SETTING, 2500, 3)  # two chunks
    for name in ("counts_split", "policy_gradient"):
        together = watched(probes, make_named(name, SETTING.family), chunks)
        for probe, found in zip(probes, together, strict=True):
            assert found == probe.measure(make_named(name, SETTING.family), chunks)
        assert together[0] == together[2] != together[1]
