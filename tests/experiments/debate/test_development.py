"""Behaviour and probes at several lengths of training."""

import numpy as np
import pytest

from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.debate import development
from metalocus.experiments.debate.development import AGENTS, DEVELOPMENT, NUMBERS, PARTS
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.runs.named import FIVE_ARMS, REVERSAL
from metalocus.experiments.studies.presets import PRESETS

FULL = PRESETS["full"]


def test_every_number_is_one_that_its_probe_gives_of_an_agent_that_learns():
    bandit = Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=12)
    reversal = Setting("metalocus/ReversalBandit-v0", horizon=40)
    known = {"latency": ("filter", reversal), "influence": ("delta_rule", bandit)}
    missing = []
    for number in NUMBERS:
        name, setting = known.get(number.probe, ("counts_split", bandit))
        agent = make_named(name, setting.family)
        if PROBES.find(number.probe)().why_not(agent, setting) is None:
            missing += [number.probe] * (number.of(agent, setting, 100, 0) is None)
    assert missing == []


def test_a_number_that_a_probe_cannot_give_is_none():
    latency = next(each for each in NUMBERS if each.probe == "latency")
    assert latency.of(make_named("counts_split", FIVE_ARMS.family), FIVE_ARMS, 2, 0) is None


def test_every_agent_is_trained_for_every_length_with_the_same_seed():
    runs = DEVELOPMENT.runs(FULL, seed=4)
    assert len(runs) == 2 * (1 + len(AGENTS)) * len(PARTS)
    for name, run in runs.items():
        agent, task, part = name.split("/")
        setting = {each.name: each for each in (FIVE_ARMS, REVERSAL)}[task]
        assert (run.agent, run.setting.env, run.seed) == (agent, setting.env, 4)
        assert run.steps == FULL.steps(setting, float(part))
    ratios = np.diff(np.log10(PARTS[1:]))
    assert np.all(np.abs(ratios - 0.5) < 0.03), "half-decades"


def test_what_is_measured_is_each_agents_own_at_each_length(monkeypatch):
    told = {}

    def of(self, agent, setting, episodes, seed):
        told[agent] = (setting.name, episodes, seed)
        return float(len(agent))

    monkeypatch.setattr(development.Number, "of", of)
    agents = {name: name for name in DEVELOPMENT.runs(FULL, 0)}
    found = DEVELOPMENT.measure(agents, FULL, 20_000)
    assert set(told) == set(agents), "each is measured"
    assert told["gru/reversal/0.1"] == ("reversal", development.PROBED, 20_000)
    numbers = found["reversal"]["numbers"]["gru"][NUMBERS[0].about]
    assert numbers == [float(len(f"gru/reversal/{part}")) for part in PARTS]
    assert found["five_arms"]["steps"] == [FULL.steps(FIVE_ARMS, part) for part in PARTS]


def test_seeds_without_a_number_are_left_out_of_the_mean_and_one_not_finite_is_refused():
    def measured(values):
        return {"t": {"title": "t", "steps": [0, 1, 2], "numbers": {"lstm": {"x": values}}}}

    found = DEVELOPMENT.average({1: measured([1.0, None, None]), 0: measured([2.0, 3.0, None])})
    assert found["t"]["numbers"]["lstm"]["x"] == [1.5, 3.0, None]
    assert found["t"]["steps"] == [0, 1, 2]
    assert found["t"]["seeds"] == 2
    with pytest.raises(NonFinite, match="development"):
        DEVELOPMENT.average({0: measured([1.0, float("nan"), None])})
