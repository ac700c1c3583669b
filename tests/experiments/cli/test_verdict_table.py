"""The table of verdicts on the terminal: wrapped by words, findings apart from checks."""

import re

import pytest

from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.cli import tables
from metalocus.experiments.debate.headline import SMOKE_WARNING


def synthetic_verdicts():
    """Every claim judged on measurements of 1, but for a score that varies."""
    for claim in CLAIMS.values():
        same = {name: {"bandit": 1.0} for name in claim.quantities}
        other = {name: {"bandit": 0.7 if name == "score" else 1.0} for name in claim.quantities}
        yield claim.verdict({0: same, 1: other})


FOUND = {"preset": {"name": "quick"}, "verdicts": list(synthetic_verdicts())}


def cells(text, column):
    """The texts in a column, those of the lines of one row put together."""
    lines = [line.split("│")[column].strip() for line in text.splitlines() if "│" in line]
    return " ".join(lines)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_wraps_by_words_at_any_width(width, monkeypatch, capsys):
    monkeypatch.setattr(tables, "_width", lambda: width)
    tables.verdict_table(FOUND)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    predicted, outcomes = cells(text, 2), cells(text, 4)
    for verdict in FOUND["verdicts"]:
        for prediction in tables.findings(verdict):
            assert prediction["says"] in predicted
            assert tables.outcome(prediction) in outcomes
            assert tables.measured(verdict["quantities"][prediction["quantity"]]) in cells(text, 3)
        for prediction in tables.checks(verdict):
            assert prediction["says"] not in predicted
    for name in {name for verdict in FOUND["verdicts"] for name in verdict["quantities"]}:
        assert not re.search(rf"\b{name}\b", predicted) or "_" not in name, "no code name"


def test_checks_take_a_line_and_those_that_fail_are_named(capsys):
    tables.verdict_table(FOUND)
    text = capsys.readouterr().out
    found = [each for verdict in FOUND["verdicts"] for each in tables.checks(verdict)]
    failed = [each for each in found if each["verdict"] != "supported"]
    assert 0 < len(failed) < len(found)
    passed = len(found) - len(failed)
    assert f"true by construction: {passed} of {len(found)} as built" in text
    assert text.count("NOT as built: ") == len(failed)


def test_verdicts_of_a_smoke_test_are_marked(capsys):
    tables.verdict_table(FOUND)
    assert SMOKE_WARNING not in capsys.readouterr().out
    tables.verdict_table(FOUND | {"preset": {"name": "smoke"}})
    assert capsys.readouterr().out.startswith(SMOKE_WARNING)


def test_the_headline_of_a_debate_comes_last(capsys):
    tables.verdict_table(FOUND | {"headline": ["One [bold].", "Two."]})
    assert capsys.readouterr().out.endswith("\nOne [bold].\n\nTwo.\n")
