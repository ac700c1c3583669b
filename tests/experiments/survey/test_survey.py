"""The survey: every probe on every agent, each finding kept, and the page."""

import pytest

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.survey import survey as module
from metalocus.experiments.survey.page import survey_page
from metalocus.experiments.survey.survey import Question, survey

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=6)


def test_a_finding_is_the_sentence_of_the_probe_and_is_kept(tmp_path, monkeypatch):
    question = Question("wsls", BANDIT, "optimality", 50, tmp_path)
    found = question.answer()
    result = PROBES["optimality"]().run(make_named("wsls", BANDIT.family), BANDIT, 50)
    assert found["sentence"] == PROBES["optimality"]().sentence(result)

    def measured_again(*_args):
        raise AssertionError("it was kept")

    monkeypatch.setattr(module, "measure", measured_again)
    assert question.answer() == found
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"wsls", b"slsw", 1))
    with pytest.raises(AssertionError, match="it was kept"):
        question.answer()


def test_where_a_probe_has_no_answer_the_finding_says_why(tmp_path):
    found = Question("wsls", BANDIT, "stay", 50, tmp_path).answer()
    assert found["none"] == "stay probabilities are of TwoStep, not of BernoulliBandit-v0"
    assert "sentence" not in found


def test_the_page_has_a_sentence_for_each_agent_and_a_line_for_each_reason(tmp_path):
    questions = [
        Question(name, BANDIT, probe, 50, tmp_path)
        for name in ("wsls", "random")
        for probe in ("optimality", "stay")
    ]
    findings = [each.answer() for each in questions]
    page = survey_page(findings)
    for finding in findings:
        if "sentence" in finding:
            assert f"* **{finding['agent']}.** {finding['sentence']}\n" in page
    assert "* No answer for wsls, random: stay probabilities are of TwoStep" in page
    assert page.count("\n## ") == 1


def test_runs_and_names_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(WrongUse, match="name at least one run"):
        survey([], ["wsls"], 50, tmp_path)
    with pytest.raises(WrongUse, match="psychic: not the name"):
        survey([tmp_path], ["psychic"], 50, tmp_path)
