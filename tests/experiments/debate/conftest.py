"""A debate that was never held: verdicts of every claim on random measurements."""

import numpy as np
import pytest

from metalocus.experiments.claims.base import CLAIMS, SIDES, in_order
from metalocus.experiments.claims.registered import history
from metalocus.experiments.debate import report
from metalocus.experiments.debate.development import NUMBERS, PARTS
from metalocus.experiments.scoring.figures import AGENTS

BEST = {"bandit": "bayes_optimal", "reversal": "filter"}
"""The tasks of its curves, with their best references."""
TASKS = ("five_arms", "reversal")
"""The tasks of its claims."""


def synthetic_curves(rng):
    def locus():
        shares = {store: rng.random(3).tolist() for store in ("state", "weights", "context")}
        return {"trials": [1, 5, 49], "shares": shares, "interactions": {}}

    return {
        setting: {
            "title": f"the {setting} setting",
            "best": best,
            "adaptation": {name: rng.random(50).tolist() for name in (*AGENTS, best)},
            "locus": {name: locus() for name in ("lstm", "mlp_feedback", "delta_rule")},
        }
        for setting, best in BEST.items()
    }


def synthetic_development(rng):
    """Numbers of two agents at every length; one probe has no answer before training."""
    numbers = {each.about: rng.random(len(PARTS)).tolist() for each in NUMBERS}
    numbers[NUMBERS[-1].about][0] = None
    steps = [round(4_000_000 * part) for part in PARTS]
    task = {"title": "the bandit setting", "steps": steps, "seeds": 7}
    return {"bandit": {**task, "numbers": {"lstm": numbers, "mlp_feedback": numbers}}}


def synthetic_verdict(claim, rng):
    """A claim judged on numbers near its bounds, on either side of them; nothing drawn."""
    near = {each.quantity: each.bound for each in claim.predictions}
    measured = [
        {
            name: {
                task: near.get(name, 0.0) + 0.002 * float(rng.normal() + shift)
                for task, shift in zip(TASKS, (50.0, -20.0), strict=True)
            }
            for name in claim.quantities
        }
        for _ in range(3)
    ]
    return {**claim.verdict(dict(enumerate(measured))), "register": history(claim)}


@pytest.fixture(scope="session")
def found():
    """What the debate found, not to be changed."""
    rng = np.random.default_rng(0)
    run = {"name": "lstm-x-s0", "steps": 5000, "parameters": 9, "cpu_seconds": 1.5, "sha256": "ab"}
    run |= {"title": "lstm · a <bandit> · seed 0", "serves": ["emergence", "curves"]}
    return {
        "preset": {"name": "quick", "about": "a few & fast", "seeds": 3, "of_seeds": 3},
        "tasks": {"five_arms": "five arms, 100 pulls", "reversal": "hidden reversals"},
        "question": {"agent": "lstm", "options": "", "claims": ""},
        "not_asked": {},
        "not_run": {"objective": "14 objective"},
        "sides": SIDES,
        "headline": ["It is settled & done.", "It is not settled.", "It was not asked."],
        "verdicts": [synthetic_verdict(claim, rng) for claim in in_order(CLAIMS.values())],
        "shipped": None,
        "curves": synthetic_curves(rng),
        "development": synthetic_development(rng),
        "runs": [run],
        "source": {},
        "made": {
            **{"date": "2031-02-03", "version": "0.1", "commit": "abc123", "source": "feed"},
            "versions": {"metalocus": "0.1", "torch": "2.99"},
            "machine": {"host": "a<b", "processor": "x86", "instruction set": "AVX2"},
        },
    }


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are not drawn, which takes most of the time."""
    for name in ("main", "adaptation", "locus", "interval", "development"):
        monkeypatch.setattr(report, f"{name}_figure", lambda *measured: "<svg></svg>")
