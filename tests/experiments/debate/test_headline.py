"""The three sentences: nothing beyond the verdicts, the agent and the tasks."""

import pytest

from metalocus.experiments.debate.headline import SMOKE_WARNING, headline

TITLES = {"a": "task A, long", "b": "task B"}


def prediction(says, verdict, relation=">=", quantity="q", built=False, side="x"):
    return {
        **{"says": says, "verdict": verdict, "relation": relation, "quantity": quantity},
        **{"bound": 0.5, "by_construction": built, "side": side},
    }


def sentences(*predictions, values=None, preset="quick"):
    """The headline of one claim with these predictions, of a quantity that is .6 on both tasks."""
    values = values or {"a": [0.6, 0.6], "b": [0.6, 0.6]}
    names = {each["quantity"] for each in predictions}
    verdict = {"predictions": predictions, "quantities": {q: {"values": values} for q in names}}
    preset = {"name": preset, "seeds": 2}
    return headline("GRU", {"preset": preset, "tasks": TITLES, "verdicts": [verdict]})


BOTH = "on “task A, long” and “task B”"
NOT_ASKED = (
    "Other agents, larger tasks and other rules that update weights were not tested, and these"
    " verdicts say nothing of them."
)


def test_what_is_supported_is_settled_for_the_agent_and_tasks():
    found = sentences(prediction("it learns", "supported"), prediction("and it flies", "supported"))
    assert found == [
        f"Settled for the GRU, over 2 training seeds: {BOTH}, it learns.",
        "No other prediction was refuted; none is undecided.",
        NOT_ASKED,
    ], "the same region is told once"


def test_refuted_and_undecided():
    first, second, third = sentences(
        prediction("it learns", "refuted", "<="), prediction("it flies", "undecided", quantity="r")
    )
    assert first == "Settled for the GRU, over 2 training seeds: nothing."
    assert second == f"Refuted: {BOTH}, it learns; not settled is whether, {BOTH}, it flies."
    assert third == NOT_ASKED


@pytest.mark.parametrize(("one", "other"), [("supported", "refuted"), ("undecided", "undecided")])
def test_opposites_are_told_once(one, other):
    said = " ".join(sentences(prediction("more", one), prediction("less", other, "<=")))
    assert "more" in said
    assert "less" not in said


def test_an_average_over_tasks_that_disagree_names_the_task_that_does():
    values = {"a": [0.9, 0.8], "b": [0.4, 0.5]}
    first, *_ = sentences(prediction("it learns", "supported"), values=values)
    assert first.endswith("it learns (on average, not on “task B”).")
    _, second, _ = sentences(prediction("it fails", "refuted", "<="), values=values)
    assert "it fails (on average, not on “task B”);" in second


def test_checks_of_the_apparatus_settle_nothing():
    found = sentences(prediction("it is built so", "supported", built=True))
    assert "it is built so" not in " ".join(found)
    assert found[0].endswith("nothing.")


def test_a_smoke_test_settles_nothing():
    found = sentences(prediction("it learns", "supported"), preset="smoke")
    assert found[0] == SMOKE_WARNING
    assert "it learns" not in " ".join(found)
    assert len(found) == 3
