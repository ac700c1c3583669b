"""Every page of numbers that the package writes names how they were made."""

import platform

import pytest

from metalocus.envs import Setting
from metalocus.experiments.calibration.calibrate import Calibrated
from metalocus.experiments.calibration.page import calibration_page
from metalocus.experiments.calibration.planted import Planted
from metalocus.experiments.cli.tables import return_page
from metalocus.experiments.comparison.page import comparison_page
from metalocus.experiments.debate.made import made
from metalocus.experiments.runs.provenance import made_by, made_line
from metalocus.experiments.runs.records import versions
from metalocus.experiments.scoring.returns import mean_returns
from metalocus.experiments.survey.kept import Task
from metalocus.experiments.survey.page import survey_page

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=3)
EFFECT = Planted("locus", "random", BANDIT, "final", "", 0.0, "by symmetry", 10)
NONE = {"probe": "locus", "episodes": 1, "agent": "random", "others": [], "none": "no answer"}
PAGES = {
    "survey": lambda: survey_page([Task(BANDIT, {"agents": [], "rules": []}, [NONE])]),
    "calibration": lambda: calibration_page(
        [Calibrated(EFFECT, [0.0, 0.1], [0.1, 0.1])], {"locus": 1.0}
    ),
    "comparison": lambda: comparison_page(
        {
            "preset": {"name": "smoke", "seeds": 1, "episodes": 1},
            "made": made_by("metalocus.experiments.comparison.compare"),
            "tasks": {},
            "entries": [],
        }
    ),
    "returns": lambda: return_page(mean_returns(BANDIT, "random", 8, 0), "made so"),
}


def test_numbers_name_code_packages_machine_and_day():
    made = made_by("metalocus.experiments.scoring.returns")
    line = made_line(made)
    assert made["source"] != made_by("metalocus.experiments.probes.locus")["source"]
    assert made["versions"] == versions()
    for each in (made["date"], made["source"], platform.node(), made["machine"]["processor"]):
        assert each in line
    for name, number in versions().items():
        assert f"{name} {number}" in line
    of_an_old_run = {"source": "s", "versions": {"torch": "2"}, "machine": {}}
    assert made_line(of_an_old_run) == "Made on some machine by source s with torch 2."


def test_what_is_found_by_name_counts():
    """A changed probe, or claim, changes the source of pages on which its numbers stand."""
    survey = made_by("metalocus.experiments.survey.survey")
    assert survey["source"] not in PAGES["survey"]()
    assert made_by("metalocus.experiments.debate.main")["source"] != made()["source"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_so_in_one_line(page):
    told = made_line(made_by("metalocus.experiments.scoring.returns"))
    source = told.partition("source ")[2].partition(" ")[0]
    lines = [line for line in PAGES[page]().splitlines() if line.startswith("Made on ")]
    assert len(lines) == 1
    assert lines[0].replace(lines[0].partition("source ")[2].partition(" ")[0], source) == told
