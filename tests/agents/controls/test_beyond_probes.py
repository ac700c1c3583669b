"""Controls made to escape a probe: each is caught, or its probe says that it cannot tell."""

import numpy as np

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.probes import strategy
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.probes.ensemble import ANY, SAME

TWO = Setting("metalocus/BernoulliBandit-v0", horizon=20)


def found(probe, name, episodes=200, setting=TWO, **kwargs):
    """What a probe finds of a control, and its sentence."""
    kind = PROBES[probe](**kwargs)
    result = kind.run(make_named(name, setting.family), setting, episodes, 0)
    return result, kind.sentence(result)


def test_a_learner_behind_a_rare_pattern_shows_in_the_episode_that_is_explained_least(monkeypatch):
    """On average it is hardly apart from its habit; a real habit is so in every episode."""
    every, references = strategy.candidates(TWO.family)
    few = [each for each in every if each.name in ("random", "wsls", "rescorla_wagner")]
    monkeypatch.setattr(strategy, "candidates", lambda family: (few, references))
    quick = {"choices": 600, "network": False}
    result, said = found("strategy", "rare_learner", **quick)
    assert result["best"]["disagreeing"] == "wsls"
    assert result["excess"]["disagreeing"]["wsls"] < 0.02
    assert result["worst"]["own"]["wsls"] < 1e-3
    assert result["worst"]["disagreeing"]["wsls"] > 0.1
    assert f"{result['worst']['disagreeing']['wsls']:.3g} in the one episode" in said
    plain, _ = found("strategy", "wsls", **quick)
    assert max(plain["worst"][kind]["wsls"] for kind in ("own", "disagreeing")) < 1e-3


def test_a_level_as_a_difference_is_said_to_need_bits_of_each_number_by_itself():
    """Three bits would do; what is counted needs more than 8 a number, though few directions."""
    result, said = found("capacity", "level_as_difference", 100)
    assert result["needed"]["bits of state"] is None
    assert result["needed"]["state, by use"] <= 2
    assert "more than 8 bits a number of its state (2 numbers, each by itself)" in said
    plain, _ = found("capacity", "three_bits", 100)
    assert plain["needed"]["bits of state"] == 3


def test_agents_that_part_only_on_histories_of_others_part_on_histories_at_random():
    """On the histories of either one, these two choose alike throughout."""
    for first, second in (("wsls", "two_faced"), ("two_faced", "wsls")):
        result, said = found("ensemble", first, others=[make_named(second, TWO.family)])
        assert result["correlation"][SAME] > 0.999
        assert result["correlation"][ANY] < 0.9, first
        assert "on histories of random choices" in said
    copies, _ = found("ensemble", "wsls", others=[make_named("wsls", TWO.family)])
    assert copies["correlation"][ANY] > 0.999


def test_a_hidden_copy_that_gives_way_to_edits_is_what_no_exchange_can_tell():
    """Choice by choice it is `counts_in_state` under every edit; the sentence says so."""
    twin, said = found("transplant", "hidden_twin", 100)
    plain, _ = found("transplant", "counts_in_state", 100)
    assert twin == plain
    assert twin["contained"]
    assert "whether it goes by these stores where nothing is exchanged no exchange can tell" in said
    assert np.isclose(twin["moved"]["all"], 1.0)
