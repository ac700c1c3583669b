"""Further training seeds for what is shipped: as if all had been run at once."""

import json

import pytest

from metalocus.experiments.claims.base import CLAIMS, RECURRENCE, SHOWN, Claim, Prediction
from metalocus.experiments.debate import main, report
from metalocus.experiments.debate.more import measurements, more
from metalocus.experiments.runs.named import BANDIT, NamedSetting
from metalocus.experiments.scoring.score import score
from metalocus.experiments.shipped import make, read
from metalocus.experiments.studies.presets import PRESETS, Preset

TINY = NamedSetting("tiny", "two arms, 5 pulls", BANDIT.env, n_arms=2, horizon=5)


class Habit(Claim):
    """The score of an untrained agent on a short bandit."""

    number = 1
    name = "habit"
    statement = "The untrained agent learns."
    holds = {RECURRENCE: "it emerges"}
    quantities = {"score": "score of the agent", "none": "no number at seed 3"}
    predictions = (Prediction(RECURRENCE, "score", ">=", 0.9, "it learns", "it is near the best"),)
    settings = (TINY,)

    def runs(self, preset, seed):
        return {"agent": preset.run(preset.agent, TINY, seed)}

    def measure(self, agents, preset, seed):
        found = score(agents["agent"], TINY, preset.episodes, seed)
        none = None if seed % 10 == 3 else 1.0
        return {"score": {"tiny": found}, "none": {"tiny": none}, SHOWN: {"seed": seed}}


class Rare(Habit):
    """The same of two seeds."""

    number = 2
    name = "rare"
    most_seeds = 2


@pytest.fixture
def shipped(monkeypatch, brief, in_this_process, tmp_path):
    """Debates of the first so many of four seeds, each shipped into a folder; what they found."""
    preset = Preset("tiny", "nothing is trained", seeds=4, part=0.0, episodes=12)
    monkeypatch.setitem(PRESETS, "tiny", preset)
    monkeypatch.setattr(CLAIMS, "entered", {"habit": Habit(), "rare": Rare()})
    monkeypatch.setattr(CLAIMS, "_home", dict.fromkeys(("habit", "rare"), __name__))
    monkeypatch.setattr(report, "write_report", lambda out: None)

    def ship(n):
        debate = tmp_path / f"debate of {n}"
        main.run_debate("tiny", debate, claims=["habit", "rare"], seeds=n)
        into = make.make(debate, tmp_path / f"data of {n}")
        return into, read.shipped_debate(into)

    return ship


def comparable(found):
    """All but what a repetition changes: times, and how many seeds the debate was asked for."""
    changes = ("preset", "headline", "sha256_of_this_record", "runs")
    runs = [
        [each["name"], each["title"], sorted(each["serves"]), each["sha256"]]
        for each in found["runs"]
    ]
    return runs, {name: each for name, each in found.items() if name not in changes}


def test_seeds_that_are_added_are_those_of_a_debate_of_all(shipped, in_this_process, tmp_path):
    (into, few), (_, whole) = shipped(2), shipped(4)
    assert (len(few["runs"]), len(whole["runs"])) == (2, 4)
    in_this_process.clear()
    found = more([CLAIMS["habit"], CLAIMS["rare"]], tmp_path / "elsewhere", into=into)
    assert len(in_this_process) == 2, "what is shipped is not trained again"
    assert json.loads(json.dumps(found)) == read.shipped_debate(into) | found
    assert comparable(read.shipped_debate(into)) == comparable(whole)
    values = [(row["claim"], row["seed"], row["value"]) for row in make.values(found)]
    assert values == [(r["claim"], r["seed"], r["value"]) for r in make.values(whole)]
    assert [each["seeds"]["run"] for each in found["verdicts"]] == [4, 2]
    assert more([CLAIMS["habit"]], tmp_path / "elsewhere", into=into)["runs"] == found["runs"]
    assert len(in_this_process) == 2, "nothing is lacking"
    old = {**found, "verdicts": [{**each, "statement": "as it was"} for each in found["verdicts"]]}
    make.write_found(old, into)
    anew = more([], tmp_path / "nowhere", into=into)
    assert anew["verdicts"] == found["verdicts"], "judged by the claims as they are"


def test_seeds_are_added_one_by_one_and_name_all_code_that_measured(shipped, monkeypatch, tmp_path):
    into, _ = shipped(2)
    old = read.shipped_debate(into)
    old["source"]["habit"] = "c0ffee"
    make.write_found(old, into)
    found = more([CLAIMS["habit"]], tmp_path / "elsewhere", seeds=3, into=into)
    assert [each["seeds"]["run"] for each in found["verdicts"]] == [3, 2]
    first, later = found["source"]["habit"].split()
    assert (first, later != first) == ("c0ffee", True)
    found = more([CLAIMS["habit"]], tmp_path / "elsewhere", into=into)
    assert found["source"]["habit"] == f"{first} {later}"
    assert [each["seed"] for each in found["verdicts"][0]["shown"]] == [
        20_000 + s for s in range(4)
    ]


def test_a_claim_measured_anew_has_nothing_of_what_was_shipped(shipped, in_this_process, tmp_path):
    (into, _), (_, whole) = shipped(2), shipped(4)
    old = read.shipped_debate(into)
    old["source"]["habit"] = "c0ffee"
    old["runs"].append({**old["runs"][0], "name": "of before", "serves": ["habit"]})
    old["verdicts"][0]["quantities"]["score"]["tasks"]["tiny"]["values"] = [0.1, 0.2]
    make.write_found(old, into)
    in_this_process.clear()
    more([CLAIMS["habit"]], tmp_path / "elsewhere", into=into, anew=True)
    assert comparable(read.shipped_debate(into)) == comparable(whole)


def test_what_the_package_ships_is_what_its_claims_say_of_its_values():
    found = read.shipped_debate()
    for verdict in found["verdicts"]:
        judged = main.judge(CLAIMS[verdict["claim"]], measurements(verdict))
        assert json.loads(json.dumps(judged)) == verdict, verdict["claim"]
