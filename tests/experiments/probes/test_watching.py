"""Probes that watch the same episodes."""

from __future__ import annotations

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.probes.base import Watch, WatchingProbe, watched
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.probes.optimality import Optimality
from metalocus.experiments.scoring.chunks import Chunks

SETTING = Setting("metalocus/BernoulliBandit-v0", horizon=8)


class Beside(WatchingProbe):
    """How often some policies would have chosen the first arm."""

    def __init__(self, *names):
        self.names = names

    def watch(self, agent, chunks):
        return _Beside([make_named(name, chunks.setting.family) for name in self.names])


class _Beside(Watch):
    def __init__(self, shadows):
        self.shadows, self.chosen = shadows, [0.0] * len(shadows)

    def begin(self, chunk, episodes):
        def observe(trial):
            acts = zip(self.chosen, trial.shadows, strict=True)
            self.chosen = [so_far + probs[:, 0].sum() for so_far, (probs, _) in acts]

        return observe

    def end(self, trace):
        pass

    def result(self):
        return {"chosen": self.chosen}


def test_probes_find_together_what_each_finds_alone():
    """Each with shadows of its own, of which some have none and some have several."""
    probes = [Beside("greedy", "wsls"), Optimality(), Locus(), Beside("wsls"), Beside("ucb1")]
    chunks = Chunks(SETTING, 2500, 3)  # two chunks
    for name in ("counts_split", "policy_gradient"):
        together = watched(probes, make_named(name, SETTING.family), chunks)
        for probe, found in zip(probes, together, strict=True):
            assert found == probe.measure(make_named(name, SETTING.family), chunks)
        first, *_, third, last = together
        assert first["chosen"][1] == third["chosen"][0] != last["chosen"][0]
