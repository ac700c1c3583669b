"""The three sentences: nothing beyond the verdicts, the agent and the tasks."""

from metalocus.experiments.debate.headline import MOST_TOLD, SMOKE_WARNING, headline

TITLES = {"a": "task A, long", "b": "task B"}


def prediction(says, a, b, side="recurrence", built=False):
    """A prediction with its outcomes on both tasks."""
    tasks = {"a": {"verdict": a}, "b": {"verdict": b}}
    return {"says": says, "side": side, "by_construction": built, "tasks": tasks}


def sentences(*predictions, preset="quick", run=3, of=3, **more):
    """The headline of one claim with these predictions."""
    found = {
        "preset": {"name": preset, "seeds": 3, "of_seeds": of},
        "tasks": TITLES,
        "verdicts": [
            {
                "claim": "the_claim",
                "number": 4,
                "seeds": {"run": run, "most": None},
                "predictions": predictions,
            }
        ],
        "not_run": {},
        "not_asked": {},
    }
    return headline("GRU", {**found, **more})


def test_every_task_counts_for_itself_by_side():
    first, second, third = sentences(
        prediction("it learns", "supported", "supported"),
        prediction("it flies", "supported", "undecided"),
        prediction("it rests", "supported", "refuted", side="weights"),
    )
    assert first == (
        "For the GRU, over 3 training seeds, each task judged by itself, the predictions came out"
        " so: of recurrence, 3 supported, 0 refuted, 1 undecided; of weights, 1 supported,"
        " 1 refuted, 0 undecided."
    )
    assert second == "Refuted: it rests (weights, on “task B”)."
    assert third.startswith("Not asked: other agents and larger tasks;")


def test_a_claim_with_other_seeds_is_named():
    learns = prediction("it learns", "supported", "supported")
    first, _, _ = sentences(learns, run=2)
    assert first.startswith("For the GRU, over 3 training seeds (2 on claim 4), each")
    two = {"claim": "apparatus", "number": None, "seeds": {"run": 2}, "predictions": []}
    four, five = {**two, "number": 4}, {**two, "number": 5, "seeds": {"run": 1}}
    first, _, _ = sentences(learns, verdicts=[four, five, two])
    assert "over 3 training seeds (1 on claim 5; 2 on claims 4, apparatus), each" in first
    first, _, _ = sentences(learns, of=10)
    assert first.startswith("For the GRU, over 3 of 10 training seeds, each")


def test_what_failed_is_told_in_words_up_to_what_can_be_read():
    failed = [prediction(f"claim {n}", "refuted", "refuted") for n in range(MOST_TOLD + 2)]
    _, second, _ = sentences(*failed)
    assert second.startswith("Refuted: claim 0 (recurrence, on “task A, long” and “task B”); ")
    assert f"claim {MOST_TOLD - 1}" in second
    assert f"claim {MOST_TOLD} " not in second
    assert second.endswith("and 2 more, marked below.")
    _, second, _ = sentences(prediction("it learns", "supported", "undecided"))
    assert second == "No prediction was refuted."


def test_what_was_not_asked_is_named():
    left_out = {"not_run": {"objective": "14 objective"}, "not_asked": {"locus": "no state"}}
    _, _, third = sentences(prediction("it learns", "supported", "supported"), **left_out)
    assert third.startswith("Not asked: claims 14 objective, locus; other agents")


def test_checks_of_the_apparatus_settle_nothing():
    first, second, _ = sentences(prediction("it is built so", "supported", "refuted", built=True))
    assert first.endswith("the predictions came out so: none was judged.")
    assert second == "No prediction was refuted."


def test_a_smoke_test_settles_nothing():
    found = sentences(prediction("it learns", "supported", "supported"), preset="smoke")
    assert found[0] == SMOKE_WARNING
    assert "it learns" not in " ".join(found)
    assert len(found) == 3
