"""The debate's report: one page with everything in it, made of what was measured."""

import copy
import json
import os
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import escape

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.files import Corrupt
from metalocus.experiments.claims import parity_generic, study
from metalocus.experiments.claims.base import CLAIMS, SIDES
from metalocus.experiments.studies.presets import PRESETS, Preset
from metalocus.experiments.cli import tables as table
from metalocus.experiments.debate import curves, report
from metalocus.experiments.debate import main as debate
from metalocus.experiments.debate.figures import AGENTS
from metalocus.experiments.debate.report import FIGURE, REPORT, VERDICTS, write_report
from metalocus.experiments.runs.folder import MANIFEST, NotARun
from metalocus.experiments.scoring.settings import BANDIT
from metalocus.experiments.training import monitor
from metalocus.experiments.training.train import train

TASKS = {"bandit": "bayes_optimal", "reversal": "filter"}


def synthetic_curves(rng):
    def locus():
        shares = {store: rng.random(3).tolist() for store in ("state", "weights", "context")}
        return {"trials": [1, 5, 49], "shares": shares, "interactions": {}}

    return {
        task: {
            "title": f"the {task} task",
            "best": best,
            "adaptation": {name: rng.random(50).tolist() for name in (*AGENTS, best)},
            "locus": {name: locus() for name in ("lstm", "mlp_feedback", "delta_rule")},
        }
        for task, best in TASKS.items()
    }


def synthetic_debate():
    """A debate's verdicts on random measurements."""
    rng = np.random.default_rng(0)
    verdicts = []
    for claim in CLAIMS.values():
        measured = {
            seed: {name: {"bandit": rng.normal()} for name in claim.quantities} for seed in (0, 1)
        }
        verdicts.append(claim.verdict(measured))
    run = {"name": "lstm-x-s0", "steps": 50, "parameters": 9, "cpu_seconds": 1.5, "sha256": "abcd"}
    return {
        "preset": {"name": "quick", "about": "a few & fast", "seeds": 2},
        "sides": SIDES,
        "verdicts": verdicts,
        "curves": synthetic_curves(rng),
        "runs": [run],
    }


def written(folder, found):
    """The page's text."""
    (folder / VERDICTS).write_text(json.dumps(found))
    return write_report(folder).read_text()


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are made, but not drawn, which takes most of the time."""
    monkeypatch.setattr(report, "to_svg", lambda figure: "<svg></svg>")


@pytest.fixture(scope="module")
def found():
    return synthetic_debate()


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    return written(tmp_path_factory.mktemp("debate"), found)


def test_every_claim_stands_in_it_with_both_sides_and_their_verdicts(page, found):
    for verdict in found["verdicts"]:
        assert str(escape(verdict["statement"])) in page
        assert f'<h3 id="{verdict["claim"]}">' in page
        for name, quantity in verdict["quantities"].items():
            assert f"<b>{name}</b>" in page
            assert f"{quantity['estimate']:.3f} [{quantity['low']:.3f}," in page
            assert all(f"{value:.3f}" in page for value in quantity["values"]["bandit"])
        for prediction in verdict["predictions"]:
            assert str(escape(prediction["says"])) in page
            assert f'<td class="{prediction["verdict"]}">' in page
    for side, says in SIDES.items():
        assert f"<b>{side}</b>: {says}." in page
    assert "a few &amp; fast" in page
    assert "lstm-x-s0" in page


def test_the_page_loads_nothing(page):
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b", page)
    assert not re.search(r"@import|javascript:", page)
    for target in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page):
        assert target.startswith("#"), target
    for target in re.findall(r"url\(([^)]*)\)", page):
        assert target.startswith("#"), target


def test_links_inside_the_page_lead_somewhere(page):
    names = set(re.findall(r'\bid="([^"]*)"', page))
    assert set(re.findall(r'<a href="#([^"]*)"', page)) <= names


def test_figures_are_in_the_page_and_beside_it(page, found, tmp_path):
    quantities = sum(len(verdict["quantities"]) for verdict in found["verdicts"])
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 1 + quantities
    for picture in pictures:
        ElementTree.fromstring(picture)
    assert all(f"the {task} task" in pictures[0] for task in TASKS)
    assert written(tmp_path, found).count("<svg") == len(pictures)
    assert (tmp_path / FIGURE).read_text() in page, "the same verdicts give the same picture"


def test_text_is_escaped(undrawn, found, tmp_path):
    changed = copy.deepcopy(found)
    changed["verdicts"][0]["statement"] = "a <script>alert(1)</script> & b"
    changed["verdicts"][0]["predictions"][0]["says"] = "<img src=x>"
    page = written(tmp_path, changed)
    assert "<script" not in page
    assert "<img" not in page
    assert "a &lt;script&gt;alert(1)&lt;/script&gt; &amp; b" in page


def test_a_smoke_test_says_that_it_is_one(undrawn, found, page, tmp_path):
    assert "verdicts below mean nothing" not in page
    smoke = {**found, "preset": {**found["preset"], "name": "smoke"}}
    assert "verdicts below mean nothing" in written(tmp_path, smoke)


def test_an_undecided_prediction_says_how_many_seeds_would_decide(undrawn, found, tmp_path):
    changed = copy.deepcopy(found)
    first, second, third = changed["verdicts"][0]["predictions"][:3]
    first |= {"verdict": "undecided", "more_seeds": 17}
    second |= {"verdict": "undecided", "more_seeds": None}
    third |= {"verdict": "supported", "more_seeds": 0}
    page = written(tmp_path, changed)
    assert "<td>17 more</td>" in page
    assert "<td>over 1000 more</td>" in page


def test_a_folder_without_a_debate_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotARun, match="holds no finished debate; run `metalocus debate") as no:
            write_report(folder)
        assert len(str(no.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def damaged(found):
    """Texts that are no verdicts."""
    text = json.dumps(found)
    yield from ("", "[]", "null", "3", text[: len(text) // 2], text[:-1])
    for key in found:
        for value in (None, "x", [1]):
            yield json.dumps({**found, key: value})
        yield json.dumps({name: value for name, value in found.items() if name != key})
    for drop in ("claim", "quantities", "predictions", "statement"):
        verdicts = copy.deepcopy(found["verdicts"])
        verdicts[1].pop(drop)
        yield json.dumps({**found, "verdicts": verdicts})


def test_damaged_verdicts_are_refused_and_the_old_page_stays(undrawn, found, tmp_path):
    curve = {"bandit": found["curves"]["bandit"]}
    small = {**found, "verdicts": found["verdicts"][:2], "curves": curve}
    page = written(tmp_path, small)
    for text in damaged(small):
        (tmp_path / VERDICTS).write_text(text)
        with pytest.raises(Corrupt, match="is damaged; repeat `metalocus debate`") as raised:
            write_report(tmp_path)
        assert len(str(raised.value).splitlines()) == 1
        assert (tmp_path / REPORT).read_text() == page


# The debate itself, with agents that were never trained.


@pytest.fixture
def small(monkeypatch, brief, undrawn):
    """A debate over one claim and task, in this process; gives the names of the runs it makes."""
    steps = dict.fromkeys(TRAINABLES, 0)
    fields = {"name": "tiny", "about": "nothing is trained", "seeds": 2, "episodes": 12}
    monkeypatch.setitem(PRESETS, "tiny", Preset(steps=steps, **fields))
    for module in (parity_generic, curves):
        monkeypatch.setattr(module, "TASKS", (BANDIT,))
    claim = CLAIMS.find("parity_generic")
    monkeypatch.setattr(debate, "CLAIMS", {claim.name: claim})
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(monitor, "curves", lambda model, config: {config.agent: [0.0, 1.0]})
    made = []

    def sweep(configs, out):
        for config in {config.name: config for config in configs}.values():
            if not (out / config.name / MANIFEST).is_file():
                made.append(config.name)
                train(config, out)

    monkeypatch.setattr(study, "sweep", sweep)
    return made


def test_a_debate_writes_verdicts_and_report_and_repeats_nothing(small, monkeypatch, tmp_path):
    found = debate.run_debate("tiny", tmp_path)
    assert json.loads((tmp_path / VERDICTS).read_text()) == json.loads(json.dumps(found))
    assert [verdict["claim"] for verdict in found["verdicts"]] == ["parity_generic"]
    page = (tmp_path / REPORT).read_text()
    assert sorted(small) == [run["name"] for run in found["runs"]], "every run is accounted for"
    assert all(name in page for name in small)
    assert found["preset"] == {"name": "tiny", "about": "nothing is trained", "seeds": 2}
    before = list(small)
    monkeypatch.setattr(type(CLAIMS.find("parity_generic")), "measure", None)
    monkeypatch.setattr(type(debate.CURVES), "measure", None)
    assert debate.run_debate("tiny", tmp_path) == found
    assert debate.run_claim("parity_generic", "tiny", tmp_path) == found["verdicts"][0]
    assert small == before


def test_what_could_not_come_out_otherwise_is_said_so():
    verdict = {"verdict": "refuted", "by_construction": True}
    assert table.outcome(verdict) == "refuted, by construction"
    assert table.outcome(verdict | {"by_construction": False}) == "refuted"
    for name in ("parity_constructive", "emergence"):
        expected = name == "parity_constructive"
        assert all(p.by_construction == expected for p in CLAIMS.find(name).predictions)
