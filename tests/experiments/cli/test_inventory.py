"""What `metalocus list` shows: everything there is, with a line on each."""

import json
import re
from inspect import signature

import pytest

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.trainers.base import TRAINERS
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.cli.inventory import inventory
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.scoring.returns import mean_return

PROMISED = {
    *("random", "wsls", "epsilon_greedy", "greedy", "ucb1", "thompson", "gittins"),
    *("finite_index", "bayes_optimal", "filter", "oracle"),
}


@pytest.fixture(scope="module")
def found():
    return inventory()


def names(entries):
    return [entry["name"] for entry in entries]


def test_everything_in_the_folders_is_listed(found):
    agents = [*TRAINABLES, *ONLINE, *CONTROLS]
    kinds = ["envs", "agents", "trainers", "references", "probes", "claims", "replications"]
    assert list(found) == kinds
    assert names(found["envs"]) == list(FAMILIES)
    assert names(found["agents"]) == agents
    assert names(found["trainers"]) == list(TRAINERS)
    assert names(found["references"]) == list(REFERENCES)
    assert names(found["probes"]) == list(PROBES)
    assert [entry["number"] for entry in found["claims"]] == [*range(1, 19), None]
    assert sorted(names(found["claims"])) == sorted(CLAIMS)
    assert set(names(found["references"])) >= PROMISED


def test_names_tell_apart_and_every_entry_says_something_in_one_line(found):
    for entries in found.values():
        assert len(set(names(entries))) == len(entries) > 0
        for entry in entries:
            assert entry["about"].strip()
            assert len(entry["about"].splitlines()) == 1
    assert json.loads(json.dumps(found)) == found


def test_agents_that_can_be_trained_are_told_from_the_others(found):
    kinds = {entry["name"]: entry["kind"] for entry in found["agents"]}
    assert {name for name, kind in kinds.items() if kind == "trained"} == set(TRAINABLES)
    assert set(kinds.values()) == {"trained", "online", "control"}


def test_references_name_the_configurations_that_they_can_play(found):
    for entry in found["references"]:
        cls = REFERENCES[entry["name"]]
        listed = [(each["env"], each["env_kwargs"]) for each in entry["configurations"]]
        assert listed, f"{entry['name']} can play nothing"
        assert entry["envs"] == sorted({env for env, _ in listed})
        for env, family in FAMILIES.items():
            for kwargs in ({}, *map(dict, family.examples)):
                playable = cls.why_not(make_family(env, **kwargs)) is None
                assert playable == ((env, kwargs) in listed)


def test_every_listed_pair_can_be_scored(found):
    """Each reference once in full, and in its other configurations for a few trials."""
    for entry in found["references"]:
        for n, each in enumerate(entry["configurations"]):
            setting = Setting(each["env"], **each["env_kwargs"])
            if n > 0 and "horizon" in signature(type(setting.family)).parameters:
                few = min(4, setting.family.horizon)
                setting = Setting(setting.env, **{**setting.kwargs, "horizon": few})
            scored = mean_return(setting, entry["name"], 3, 0)
            assert scored["low"] <= scored["mean"] <= scored["high"], (entry["name"], setting)


def test_what_is_not_listed_is_refused(found):
    for entry in found["references"]:
        for env in set(FAMILIES) - set(entry["envs"]):
            with pytest.raises(InvalidTask, match="cannot play"):
                make_named(entry["name"], make_family(env))


def test_every_environment_is_listed_with_arguments_that_it_takes_and_what_it_shows(found):
    for entry in found["envs"]:
        setting = Setting(entry["name"], **entry["arguments"])
        assert sum(entry["observation"].values()) == setting.layout.size
        assert list(entry["observation"]) == list(setting.layout.slices)
        assert (entry["actions"], entry["trials"]) == (
            setting.family.n_arms,
            setting.family.horizon,
        )


def test_the_terminal_tells_trained_agents_from_others_and_shows_arguments(call):
    code, out, _ = call("list agents")
    trained, rest = out.split("agents, not trained", 1)
    assert code == 0
    assert "trained by `metalocus train`" in trained
    for name in TRAINABLES:
        assert f"\n  {name} " in trained
        assert f"\n  {name} " not in rest
    _, out, _ = call("list envs")
    assert "n_arms=2 horizon=50 prior=uniform" in out
    assert "action [2], reward [1], first [1]; 2 actions, 50 trials" in out


def test_show_prints_the_page_of_everything_that_is_listed(found, call):
    for entries in found.values():
        for entry in entries:
            code, out, _ = call("show", entry["name"])
            assert code == 0
            assert entry["name"] in out.splitlines()[0]
            assert len(out.splitlines()) > 3, f"{entry['name']}: {out}"
            assert not re.search(r":\w+:`", out), f"{entry['name']}: marks of cross-references"
    for name, said in {
        "BernoulliBandit-v0": "## Action Space",
        "lstm": "    hidden_size=64",
        "gru": "    n_epochs=1",
        "emergence": "recurrence predicts: ",
        "locus": ", probe",
        "wsls": ", reference",
    }.items():
        assert said in call("show", name)[1]
    assert call("show locus")[1].count("locus, ") == 2  # a probe and a claim


def test_show_suggests_the_nearest_name(call):
    code, out, err = call("show gitins")
    assert (code, out) == (2, "")
    assert "did you mean 'gittins'?" in err
    assert len(err.splitlines()) == 1
