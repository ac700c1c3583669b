"""The table of verdicts on the terminal: wrapped by words, findings apart from checks."""

import re

import pytest

from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.cli import tables
from metalocus.experiments.debate.headline import SMOKE_WARNING

NAMES = ("emergence", "responsiveness", "apparatus")


def synthetic_verdicts():
    """Claims judged on measurements of 1, but for a score that varies on one of two tasks."""
    for name in NAMES:
        claim = CLAIMS.find(name)
        same = {quantity: {"five_arms": 1.0, "reversal": 0.5} for quantity in claim.quantities}
        other = {**same, "score": {"five_arms": 0.7, "reversal": 0.5}}
        other = {quantity: other[quantity] for quantity in claim.quantities}
        yield {**claim.verdict({0: same, 1: other}), "register": {"equal": True, "entries": []}}


FOUND = {"preset": {"name": "quick"}, "verdicts": list(synthetic_verdicts())}


def text_of(printed):
    """All words of the table, whatever column and line they stand in, in order of columns."""
    columns = {}
    for line in printed.splitlines():
        for place, cell in enumerate(line.split("│")):
            columns.setdefault(place, []).extend(cell.split())
    return " ".join(word for column in columns.values() for word in column)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_wraps_by_words_at_any_width(width, monkeypatch, capsys):
    monkeypatch.setattr(tables, "_width", lambda: width)
    tables.verdict_table(FOUND)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    text = text_of(printed)
    for verdict in FOUND["verdicts"]:
        for prediction in tables.findings(verdict):
            assert f"{prediction['side']}: {prediction['says']} (" in text
            assert prediction["says"].split()[0] in text
        for prediction in tables.checks(verdict):
            assert f": {prediction['says']} (" not in text
    for name in {name for verdict in FOUND["verdicts"] for name in verdict["quantities"]}:
        assert "_" not in name or name not in text, "no code name"


def test_every_task_has_a_line_with_what_was_measured_and_its_verdict(monkeypatch, capsys):
    monkeypatch.setattr(tables, "_width", lambda: 240)
    tables.verdict_table(FOUND)
    lines = capsys.readouterr().out.splitlines()
    emergence = FOUND["verdicts"][0]
    for prediction in tables.findings(emergence):
        tasks = emergence["quantities"][prediction["quantity"]]["tasks"]
        for task, judged in prediction["tasks"].items():
            said = (tables.words(task), tables.measured(tasks[task]), tables.outcome(judged))
            pattern = r"\s+([✓✗?] )?".join(map(re.escape, said))
            assert any(re.search(pattern, line) for line in lines), pattern


def test_checks_take_a_line_and_those_that_fail_are_named(capsys):
    tables.verdict_table(FOUND)
    text = capsys.readouterr().out
    found = [
        judged
        for verdict in FOUND["verdicts"]
        for each in tables.checks(verdict)
        for judged in each["tasks"].values()
    ]
    failed = [each for each in found if each["verdict"] != "supported"]
    assert 0 < len(failed) < len(found)
    passed = len(found) - len(failed)
    assert f"true by construction: {passed} of {len(found)} as built" in text
    for verdict, said in (
        ("refuted", "NOT as built: "),
        ("undecided", "not shown by these seeds: "),
    ):
        assert text.count(said) == sum(each["verdict"] == verdict for each in failed)


def test_a_claim_that_is_not_as_registered_is_marked(capsys):
    tables.verdict_table(FOUND)
    assert "registered" not in capsys.readouterr().out
    register = {"equal": False, "entries": [{}]}
    changed = [{**each, "register": register} for each in FOUND["verdicts"]]
    tables.verdict_table(FOUND | {"verdicts": changed})
    assert "\nemergence: differs from its registered entry\n" in capsys.readouterr().out


def test_verdicts_of_a_smoke_test_are_marked(capsys):
    tables.verdict_table(FOUND)
    assert SMOKE_WARNING not in capsys.readouterr().out
    tables.verdict_table(FOUND | {"preset": {"name": "smoke"}})
    assert capsys.readouterr().out.startswith(SMOKE_WARNING)


def test_the_headline_of_a_debate_comes_last(capsys):
    tables.verdict_table(FOUND | {"headline": ["One [bold].", "Two."]})
    assert capsys.readouterr().out.endswith("\nOne [bold].\n\nTwo.\n")
