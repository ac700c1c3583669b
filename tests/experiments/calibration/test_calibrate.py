"""How often intervals hold: counted rightly, and true of a few probes."""

import numpy as np
import pytest
from scipy import stats

from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.calibration import calibrate as calibration
from metalocus.experiments.calibration import planted as effects
from metalocus.experiments.calibration.calibrate import Calibrated, calibrate
from metalocus.experiments.calibration.histories import Histories
from metalocus.experiments.calibration.page import WHY_NOT, calibration_page
from metalocus.experiments.calibration.planted import NOISE, Planted, planted
from metalocus.experiments.probes.base import PROBES, Probe
from metalocus.experiments.runs.provenance import made_by

ARMS = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=2)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    def one_by_one(tasks):
        yield from ((number, task()) for number, task in enumerate(tasks))

    monkeypatch.setattr(calibration, "in_processes", one_by_one)


def normal(width, known=1.0, r=20_000):
    """Replications with errors of a known part of the spread."""
    rng = np.random.default_rng(0)
    effect = Planted("made", "random", ARMS, "x", "", known, "made up")
    return Calibrated(effect, 1.0 + 0.1 * rng.normal(size=r), np.full(r, 0.1 * width))


def test_coverage_is_that_of_the_normal_distribution():
    for width in (0.5, 0.8, 1.0, 1.5):
        found = normal(width)
        assert found.coverage == pytest.approx(2 * stats.norm.cdf(1.96 * width) - 1, abs=0.005)
        assert found.width == pytest.approx(width, rel=0.02)
        low, high = found.interval
        assert low < found.coverage < high < low + 0.02


def test_what_is_too_narrow_too_wide_or_beside_the_truth_is_caught():
    for r in (200, 1000):
        assert normal(1.0, r=r).holds
        assert not normal(0.75, r=r).holds
        assert not normal(1.0, known=1.1, r=r).holds  # a bias of one standard error
    assert not normal(2.0, r=1000).holds


def test_a_constant_must_be_what_is_known():
    for known, holds in ((0.25, True), (0.2501, False)):
        effect = Planted("made", "random", ARMS, "x", "", known, "made up")
        found = Calibrated(effect, [0.25] * 5, [0.0] * 5)
        assert (found.constant, found.holds) == (True, holds)
    missing = Calibrated(effect, [np.nan, 0.2501], [np.nan, 0.1])
    assert (missing.missing, missing.mean) == (1, 0.2501)
    assert missing.covered == 1, "a replication without a number covers nothing"


class Made(Probe):
    """Finds the mean of normal numbers, with its error or half of that."""

    name = "made"
    question = "how large?"
    quantities = {"honest": "a mean", "narrow": "a mean said to be known too well"}

    def measure(self, agent, chunks):
        values = np.random.default_rng(chunks.seed).normal(size=chunks.n)
        mean, error = float(values.mean()), float(values.std() / np.sqrt(chunks.n))
        return {"honest": mean, "honest_se": error, "narrow": mean, "narrow_se": error / 2}


def made(quantity, known=0.0):
    return Planted("made", "random", ARMS, quantity, "", known, "made up", episodes=100)


def test_every_replication_is_one_run_at_its_seed(monkeypatch):
    monkeypatch.setattr(calibration, "PROBES", {"made": Made})
    (honest, narrow), seconds = calibrate([made("honest"), made("narrow")], 130)
    expected = [np.random.default_rng(seed).normal(size=100).mean() for seed in range(130)]
    np.testing.assert_allclose(honest.values, expected)
    assert honest.values == narrow.values
    assert honest.holds
    assert not narrow.holds
    assert set(seconds) == {"made"}
    with pytest.raises(InvalidTask, match="replications must be a whole number of at least 2"):
        calibrate([made("honest")], 1)


def test_planted_effects_are_covered():
    """Twenty replications of some; to cover 13 or fewer has a chance of 3e-5 for each."""
    probes = ("locus", "influence", "optimality", "latency", "switch")
    agents = ("counts_in_state", "counts_quarter", "counts_split", "wsls", "lapses_one", "sluggish")
    chosen = [
        each
        for each in planted()
        if each.probe in probes
        and each.agent in (*agents, "kernel_geometric")
        and not each.label.startswith("mean")
    ]
    found, _ = calibrate(chosen, 20)
    assert len(found) > 30
    for each in found:
        assert each.covered > 13, each.effect
        assert not each.constant or each.covered == 20, each.effect


def test_effects_are_of_what_there_is_and_each_is_one():
    every = planted()
    assert len({(e.probe, e.agent, e.quantity, e.label) for e in every}) == len(every)
    for each in every:
        assert each.quantity in PROBES[each.probe].quantities
    for kind in ("resample", "reset", "mean", "forced"):
        of_kind = [e for e in every if e.label.startswith(f"{kind} before")]
        (total,) = (e.known for e in of_kind if e.quantity == "total")
        shares = {e.known / total for e in of_kind if e.quantity == "shares"}
        assert sorted(shares) == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_every_probe_has_an_effect_or_a_reason_for_none():
    among = {each.probe for each in planted()}
    assert set(PROBES) - among == set(WHY_NOT)


# What is known.


def test_histories_by_hand():
    """After one pull the better guess is the arm that won (2/3), or the other one (1/2)."""
    greedy = Histories("counts_in_state", ARMS)
    assert greedy.weight.sum() == pytest.approx(1.0)
    earned = [1 / 2, (2 / 3 + 1 / 2) / 2]
    assert greedy.expected_return == pytest.approx(sum(earned))
    np.testing.assert_allclose(greedy.choice_values(), [0.0, (earned[1] - 1 / 2) * 6], atol=1e-12)
    assert greedy.forced_total() == pytest.approx(0.0), "a matched donor knows all that it knows"
    # either mean is 1/2 or, if its arm was pulled, 2/3 or 1/3: a variance of 1/72, uncorrelated
    assert greedy.read_through_noise(NOISE) == pytest.approx((1 / 72) / (1 / 72 + NOISE**2))
    # a donor's means moved all the way or not at all; one example teaches 1/12 of reward
    linear = Histories("means_in_state", ARMS)
    assert (linear.moved(0.0), linear.moved(1.0)) == pytest.approx((0.0, 1.0))
    # own and donor's win or loss: half way to a contrary one is a tie, half of the way
    assert linear.moved(0.5) == pytest.approx(0.5)
    assert Histories("random", ARMS).regret() == pytest.approx(2 / 3 - (2 / 3 + 1 / 2) / 2)
    lapsing = Histories("lapses_one", ARMS)
    assert lapsing.error_correlation("lapses_one", "bayes_optimal") == pytest.approx(1.0)
    habit = Histories("wsls", ARMS)
    assert habit.influence(1) == pytest.approx((1.0, 1.0))
    # it stays after a win, as is best; after a loss it goes, as is best
    assert habit.agreement("bayes_optimal") == pytest.approx(1.0)


def test_histories_earn_what_the_plan_of_the_optimum_says():
    for horizon in (3, 6):
        optimum = Histories("bayes_optimal", Setting(ARMS.env, n_arms=2, horizon=horizon))
        assert optimum.expected_return == pytest.approx(optimum.agent.optimal_return)


# The page and the command.


def test_the_page_has_every_effect_and_marks_those_that_fail(monkeypatch):
    monkeypatch.setattr(calibration, "PROBES", {"made": Made})
    page = calibration_page(*calibrate([made("honest"), made("narrow")], 100))
    (line,) = [line for line in page.splitlines() if line.startswith("Surely outside")]
    assert "`narrow`" in line
    assert "`honest`" not in line
    rows = [line for line in page.splitlines() if line.startswith("| `random`")]
    assert ["**" in row for row in rows] == [False, True]
    assert "metalocus calibrate --replications 100" in page


def test_the_command_writes_the_page_once(monkeypatch, call, document, elsewhere):
    monkeypatch.setattr(calibration, "PROBES", {"made": Made})
    monkeypatch.setattr(effects, "planted", lambda: (made("honest"), made("narrow", 9.0)))
    code, out, _ = call("calibrate --replications 3 --out PAGE.md --quiet")
    assert (code, out) == (0, "PAGE.md\n")
    assert "| `random` |" in (elsewhere / "PAGE.md").read_text()
    code, out, err = call("calibrate --replications 3 --out PAGE.md")
    assert (code, out) == (2, "")
    assert "PAGE.md exists" in err
    honest, narrow = document("calibrate --replications 3 --json")
    assert (honest["known"], honest["replications"]) == (0.0, 3)
    assert narrow["covered"] == 0
    assert honest["made"] == made_by(calibration.__name__, *PROBES.sources())
