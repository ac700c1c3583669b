"""The survey: every probe on every agent, each finding kept, scores beside rules, and the page."""

from pathlib import Path

import numpy as np
import pytest

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.scoring.returns import expected_returns
from metalocus.experiments.survey import standing as standings
from metalocus.experiments.survey import survey as module
from metalocus.experiments.survey.kept import Player
from metalocus.experiments.survey.page import _table, survey_page
from metalocus.experiments.survey.standing import UNTAUGHT
from metalocus.experiments.survey.survey import Question, Standing, Task, survey

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=6)
WSLS, RANDOM, ORACLE = (Player(name, BANDIT) for name in ("wsls", "random", "oracle"))


def test_a_finding_is_the_sentence_of_the_probe_and_is_kept(tmp_path, monkeypatch):
    question = Question(WSLS, "optimality", 50, tmp_path)
    found = question.answer()
    result = PROBES["optimality"]().run(make_named("wsls", BANDIT.family), BANDIT, 50)
    assert found["sentence"] == PROBES["optimality"]().sentence(result)

    def measured_again(*_args, **_kwargs):
        raise AssertionError("it was kept")

    monkeypatch.setattr(module, "measure", measured_again)
    assert question.answer() == found
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"wsls", b"slsw", 1))
    with pytest.raises(AssertionError, match="it was kept"):
        question.answer()


def test_a_probe_that_compares_agents_is_asked_once_about_all_runs(tmp_path):
    runs = [Player("first"), Player("second"), Player("third")]
    questions = list(module._questions([*runs, WSLS], 50, tmp_path))
    compared = [each for each in questions if each.probe == "ensemble"]
    assert [(each.player, each.others) for each in compared] == [(runs[0], runs[1:])]
    assert all(each.others == () for each in questions if each.probe != "ensemble")
    assert len(questions) == 4 * (len(PROBES) - 1) + 1

    found = Question(WSLS, "ensemble", 50, tmp_path, [RANDOM]).answer()
    agents = [make_named(name, BANDIT.family) for name in ("wsls", "random")]
    result = PROBES["ensemble"]([agents[1]]).run(agents[0], BANDIT, 50)
    assert found["sentence"] == PROBES["ensemble"]().sentence(result)
    page = survey_page([Task(BANDIT, {"agents": [], "rules": []}, [found])])
    assert "* **wsls with random.** " in page


def test_where_a_probe_has_no_answer_the_finding_says_why(tmp_path):
    found = Question(WSLS, "stay", 50, tmp_path).answer()
    assert found["none"] == "stay probabilities are of TwoStep, not of BernoulliBandit-v0"
    assert "sentence" not in found


def test_scores_stand_beside_the_rules_that_an_agent_must_surpass(tmp_path, monkeypatch):
    monkeypatch.setattr(standings, "EPISODES", 400)
    found = Standing([WSLS, RANDOM, ORACLE], tmp_path).answer()
    rules = ["random", "wsls", "rescorla_wagner", "greedy", "bayes_optimal"]
    assert [row["agent"] for row in found["rules"]] == rules
    means = {
        name: expected_returns(make_named(name, BANDIT.family), BANDIT, 400, 0).mean()
        for name in {*rules, "oracle"}
    }
    chance, best = means["random"], means["bayes_optimal"]
    for row in found["agents"] + found["rules"]:
        np.testing.assert_allclose(row["return"][0], means[row["agent"]], rtol=1e-12)
        np.testing.assert_allclose(row["score"], (row["return"][0] - chance) / (best - chance))
    # none surpasses itself; what the oracle is told, no rule knows
    not_above = {row["agent"]: row["not_above"] for row in found["agents"]}
    simple = ["wsls", "rescorla_wagner", "greedy"]
    assert not_above == {"wsls": simple, "random": simple, "oracle": []}


def test_the_regularities_of_cards_are_not_taken_for_learning(tmp_path, monkeypatch):
    """What can be earned by cards alone, without feedback, is a rule to surpass; not where a cue
    tells all, nor where nothing is shown. Examples in one observation teach in the forward pass."""
    monkeypatch.setattr(standings, "EPISODES", 400)
    for setting, best, marked in (
        (Setting("metalocus/RuleSwitching-v0", horizon=30), "rule_filter", True),
        (Setting("metalocus/DatasetBandit-v0"), "posterior", False),
        (BANDIT, "bayes_optimal", False),
    ):
        found = Standing([Player(best, setting), Player("wsls", setting)], tmp_path).answer()
        scores = {row["agent"]: row["score"] for row in found["rules"]}
        assert (UNTAUGHT in scores) == marked, setting
        learned, habit = found["agents"]
        assert not learned["not_above"] or setting == BANDIT  # where greed is nearly optimal
        assert "wsls" in habit["not_above"]
        if marked:  # a card whose features agree on a pile pays there whatever the rule
            assert 0.1 < scores[UNTAUGHT] < 0.9
            assert UNTAUGHT in habit["not_above"]
        blind = "no simple rule sees" in "\n".join(_table(found))
        assert blind == (setting.family.name == "DatasetBandit-v0"), setting


def test_the_page_has_a_sentence_for_each_agent_and_a_line_for_each_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(standings, "EPISODES", 50)
    players = WSLS, RANDOM, ORACLE
    findings = [
        Question(player, probe, 50, tmp_path).answer()
        for player in players
        for probe in ("optimality", "stay")
    ]
    task = Task(BANDIT, Standing(players, tmp_path).answer(), findings)
    page = survey_page([task], "What was *found*.\n")
    assert page.startswith("# What the probes find\n\nWhat was *found*.\n\n")
    for finding in findings:
        if "sentence" in finding:
            assert f"* **{finding['agent']}.** {finding['sentence']}\n" in page
    assert "* No answer for wsls, random, oracle: stay probabilities are of TwoStep" in page
    assert page.count("| has not learned this task: not above wsls") == 2
    (row,) = (line for line in page.split("\n") if line.startswith("| oracle "))
    assert row.endswith("| above every simple rule |")


def test_runs_and_names_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(WrongUse, match="name at least one run"):
        survey([], ["wsls"], 50, tmp_path)
    with pytest.raises(WrongUse, match="psychic: not the name"):
        survey([tmp_path], ["psychic"], 50, tmp_path)


def test_the_page_in_docs_begins_with_its_summary():
    """It was made with ``--intro``: one of them alone cannot be changed."""
    probes = Path(__file__).parents[3] / "docs" / "probes"
    summary = (probes / "found_summary.md").read_text(encoding="utf-8").strip()
    page = (probes / "found.md").read_text(encoding="utf-8")
    assert page.startswith(f"# What the probes find\n\n{summary}\n\n## How to read it\n")
