"""The debate's report: one page with everything in it, made of what was measured."""

import copy
import dataclasses
import importlib
import json
import math
import random
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from markupsafe import escape

from metalocus.agents.agent import NonFinite
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.files import Corrupt, read_record, write_record
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import CLAIMS, SIDES
from metalocus.experiments.claims.wording import check, checks, findings, outcome, region
from metalocus.experiments.debate import figures, report
from metalocus.experiments.debate import main as debate
from metalocus.experiments.debate.figures import main_figure
from metalocus.experiments.debate.headline import SMOKE_WARNING
from metalocus.experiments.debate.report import FIGURE, REPORT, VERDICTS, write_report
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.runs.exchange import export_run, import_run
from metalocus.experiments.runs.folder import NotARun
from metalocus.experiments.runs.named import BANDIT, REVERSAL, setting_called
from metalocus.experiments.scoring.figures import AGENTS
from metalocus.experiments.studies import measure_all
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.presets import PRESETS, Preset
from metalocus.experiments.training import monitor

ROOT = Path(__file__).parents[3]
BEST = {"bandit": "bayes_optimal", "reversal": "filter"}


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


def synthetic_debate():
    """A debate's verdicts on random measurements."""
    rng = np.random.default_rng(0)
    verdicts = []
    for claim in CLAIMS.values():
        measured = {
            seed: {name: {"bandit": rng.normal()} for name in claim.quantities} for seed in (0, 1)
        }
        verdicts.append(claim.verdict(measured))
    run = {"name": "lstm-x-s0", "steps": 5000, "parameters": 9, "cpu_seconds": 1.5, "sha256": "ab"}
    run |= {"title": "lstm · a <bandit> · seed 0", "serves": ["emergence", "curves"]}
    return {
        "preset": {"name": "quick", "about": "a few & fast", "seeds": 2},
        "tasks": {"bandit": "two arms, 50 pulls"},
        "question": {"agent": "lstm", "options": ""},
        "not_asked": {},
        "sides": SIDES,
        "headline": ["It is settled & done.", "It is not settled.", "It was not asked."],
        "verdicts": verdicts,
        "curves": synthetic_curves(rng),
        "runs": [run],
        "source": {},
        "versions": {"metalocus": "0.1", "torch": "2.99"},
        "made": {"date": "2031-02-03", "version": "0.1", "commit": "abc123", "source": "feed"},
    }


def written(folder, found):
    """The page's text."""
    write_record(folder / VERDICTS, found)
    return write_report(folder).read_text()


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are not drawn, which takes most of the time."""
    for name in ("main_figure", "adaptation_figure", "locus_figure"):
        monkeypatch.setattr(report, name, lambda measured: "<svg></svg>")
    monkeypatch.setattr(report, "interval_figure", lambda quantity, bounds: "<svg></svg>")


@pytest.fixture(scope="module")
def found():
    return synthetic_debate()


@pytest.fixture(scope="module")
def shown(found, tmp_path_factory):
    """The folder of a page with all of its figures."""
    folder = tmp_path_factory.mktemp("debate")
    written(folder, found)
    return folder


@pytest.fixture(scope="module")
def page(shown):
    return (shown / REPORT).read_text()


def test_every_claim_stands_in_it_with_both_sides_and_their_verdicts(page, found):
    for verdict in found["verdicts"]:
        assert str(escape(verdict["statement"])) in page
        assert f'<h3 id="{verdict["claim"]}">{escape(verdict["statement"])}</h3>' in page
        for name, quantity in verdict["quantities"].items():
            assert str(escape(quantity["about"])) in page
            assert f">{name}<" not in page, "read without its code name"
            assert f"{quantity['estimate']:.3f} [{quantity['low']:.3f}," in page
            assert all(f"{value:.3f}" in page for value in quantity["values"]["bandit"])
        for prediction in verdict["predictions"]:
            assert str(escape(prediction["says"])) in page
            assert f'class="{prediction["verdict"]}">' in page
    for side, says in SIDES.items():
        assert f"<b>{side}</b>: {escape(says)}." in page
    assert "a few &amp; fast" in page
    assert "lstm-x-s0" in page
    made = "Made on 2031-02-03 with metalocus 0.1, torch 2.99; commit <code>abc123</code>, source"
    assert f"{made} <code>feed</code>." in page, "what made it, not what shows it"
    for sentence in found["headline"]:
        assert f"<p>{escape(sentence)}</p>" in page
    assert "training took 2 CPU seconds in all" in page


def test_what_is_true_by_construction_stands_in_the_appendix_alone(page, found):
    verdicts, rest = page.split("<h2>Read with care</h2>")
    appendix = rest.split('<h2 id="apparatus">')[1]
    for verdict in found["verdicts"]:
        for prediction in verdict["predictions"]:
            row = f'<td data-is="{{}}">{escape(prediction["says"])} <span'
            built = prediction["by_construction"]
            assert (row.format("predicts") in verdicts) == (not built)
            assert (row.format("expects") in appendix) == built
    assert "NOT as built" in appendix, "the measurements are random"
    assert "Store and rule are two things." in rest


def test_runs_stand_under_their_title_with_what_they_serve(page):
    run = page.split("<h2>Appendix: training runs</h2>")[1]
    assert "<td>lstm · a &lt;bandit&gt; · seed 0<br><code>lstm-x-s0</code></td>" in run
    assert '<td data-is="for"><a href="#emergence">emergence</a>, curves</td>' in run
    assert 'class="number">5,000</td>' in run


def test_the_page_has_a_dark_scheme_and_one_for_phones(page):
    style = page[page.index("<style>") : page.index("</style>")]
    assert "@media (prefers-color-scheme: dark)" in style
    assert "@media (max-width: 640px)" in style
    light, dark = (set(re.findall(r"--\w+", part)) for part in style.split(":root {")[1:3])
    assert set(re.findall(r"var\((--\w+)\)", style)) <= light & dark
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert "viewBox" in picture, "it scales"
        assert not re.search("#000000|fill: #ffffff", picture), "and is seen on a dark page"
        assert 'role="img" aria-label="' in picture
    cells = re.findall(r"<td[^>]*>", page)
    assert sum("data-is" in cell for cell in cells) > len(cells) / 2, "cards name their lines"


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


def test_figures_are_in_the_page_and_beside_it(page, found, shown):
    quantities = sum(len(verdict["quantities"]) for verdict in found["verdicts"])
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == len(BEST) * (1 + 3) + quantities, "adaptation, three loci"
    for picture in pictures:
        ElementTree.fromstring(picture)
    for setting in BEST:
        assert f"<b>the {setting} setting</b>" in page
        assert f"<h3>the {setting} setting</h3>" in page
    main = (shown / FIGURE).read_text()
    assert all(f"the {setting} setting" in main for setting in BEST)


def test_text_is_escaped(undrawn, found, tmp_path):
    changed = copy.deepcopy(found)
    changed["verdicts"][0]["statement"] = "a <script>alert(1)</script> & b"
    changed["verdicts"][0]["predictions"][0]["says"] = "<img src=x>"
    changed["headline"][0] = changed["tasks"]["bandit"] = "<link href=x>"
    page = written(tmp_path, changed)
    assert "<script" not in page
    assert not re.search("<img|<link", page)
    assert "a &lt;script&gt;alert(1)&lt;/script&gt; &amp; b" in page


def test_a_smoke_test_says_that_it_is_one(undrawn, found, page, tmp_path):
    assert SMOKE_WARNING not in page
    smoke = {**found, "preset": {**found["preset"], "name": "smoke"}}
    shown = written(tmp_path, smoke)
    assert shown.count(SMOKE_WARNING) == 1
    assert str(escape(found["headline"][0])) not in shown, "nothing is settled by it"


def test_an_undecided_prediction_says_how_many_seeds_would_decide(undrawn, found, tmp_path):
    changed = copy.deepcopy(found)
    first, second, third = changed["verdicts"][0]["predictions"][:3]
    assert not any(each["by_construction"] for each in (first, second, third))
    first |= {"verdict": "undecided", "more_seeds": 17}
    second |= {"verdict": "undecided", "more_seeds": None}
    third |= {"verdict": "supported", "more_seeds": 0}
    page = written(tmp_path, changed)
    assert ">undecided, 17 more seeds would decide</td>" in page
    assert ">undecided, over 1000 more seeds would decide</td>" in page


def test_a_folder_without_a_debate_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotARun, match="holds no finished debate; run `metalocus debate") as no:
            write_report(folder)
        assert len(str(no.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def damaged(data):
    """Copies of a file that differ from it in a bit, in length or in a digit."""
    rng = random.Random(0)
    for _ in range(200):
        copied = bytearray(data)
        copied[rng.randrange(len(copied))] ^= 1 << rng.randrange(8)
        yield bytes(copied)
    yield from (data[: rng.randrange(len(data))] for _ in range(50))
    digits = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
    for place in rng.sample(digits, 200):
        yield data[:place] + str((data[place] - 47) % 10).encode() + data[place + 1 :]
    yield from (b"", b"[]", b"null", b"3", b"[" * 100_000, data + data)


def test_damaged_verdicts_are_refused_and_the_old_page_stays(undrawn, found, tmp_path):
    curve = {"bandit": found["curves"]["bandit"]}
    page = written(tmp_path, {**found, "verdicts": found["verdicts"][:2], "curves": curve})
    data, refused = (tmp_path / VERDICTS).read_bytes(), []
    for changed in damaged(data):
        (tmp_path / VERDICTS).write_bytes(changed)
        try:
            write_report(tmp_path)
        except Corrupt as error:
            refused.append(str(error))
        assert (tmp_path / REPORT).read_text() == page
    assert len(refused) > 400, "a flipped bit in a space may change nothing"
    for message in refused:
        assert "is missing or damaged; repeat the `metalocus debate` command" in message
        assert len(message.splitlines()) == 1
    folder = tmp_path / "folder"
    (folder / VERDICTS).mkdir(parents=True)
    with pytest.raises(Corrupt, match="is missing or damaged"):
        write_report(folder)


def test_verdicts_of_another_version_are_refused(undrawn, found, tmp_path):
    for key in set(found) - {"source", "curves"}:  # these are not drawn here
        for value in (None, 3):
            write_record(tmp_path / VERDICTS, {**found, key: value})
            with pytest.raises(Corrupt, match="was written by another version; repeat"):
                write_report(tmp_path)
        rest = {name: value for name, value in found.items() if name != key}
        write_record(tmp_path / VERDICTS, rest)
        with pytest.raises(Corrupt, match="was written by another version; repeat"):
            write_report(tmp_path)
    for drop in ("claim", "quantities", "predictions", "statement"):
        changed = copy.deepcopy(found)
        changed["verdicts"][1].pop(drop)
        write_record(tmp_path / VERDICTS, changed)
        with pytest.raises(Corrupt, match="was written by another version; repeat"):
            write_report(tmp_path)
    assert not (tmp_path / REPORT).exists()


def test_curves_of_another_version_are_refused(found, tmp_path):
    for curves_then in (None, {"bandit": {"title": "x", "best": "wsls"}}):
        write_record(tmp_path / VERDICTS, {**found, "curves": curves_then})
        with pytest.raises(Corrupt, match="was written by another version; repeat"):
            write_report(tmp_path)


def test_imported_runs_may_lack_seconds(undrawn, found, tmp_path):
    (run,) = found["runs"]
    imported = {name: value for name, value in run.items() if name != "cpu_seconds"}
    page = written(tmp_path, {**found, "runs": [imported | {"imported": "a.zip"}]})
    assert 'class="number">?</td>' in page
    assert "seed 0 (imported)<br><code>lstm-x-s0</code></td>" in page
    assert "training took 0 CPU seconds in all" in page


def test_commands_on_the_page_can_be_pasted(undrawn, found, tmp_path):
    folder = tmp_path / "my debate"
    folder.mkdir()
    page = written(folder, found)
    assert f"--out {escape(repr(str(folder)))}</code>" in page
    assert report.render(found, Path("x\udcff")).encode(errors="backslashreplace")


def test_the_same_verdicts_give_the_same_page_however_the_user_has_set_matplotlib(
    page, found, shown, tmp_path
):
    """And that stays as it is."""
    with mpl.rc_context({"font.size": 33, "svg.hashsalt": "mine", "axes.spines.top": True}):
        before = dict(dict.items(mpl.rcParams))  # to ask for the backend would choose one
        importlib.reload(figures)
        assert written(tmp_path, found) == page.replace(str(shown), str(tmp_path))
        assert dict(dict.items(mpl.rcParams)) == before
    assert (tmp_path / FIGURE).read_text() == (shown / FIGURE).read_text()


# The debate itself, with agents that were never trained.


@pytest.fixture
def small(monkeypatch, brief, undrawn, in_this_process):
    """A debate over one claim and setting, in this process; the names of the runs it makes."""
    steps = dict.fromkeys(TRAINABLES, 0)
    fields = {"name": "tiny", "about": "nothing is trained", "seeds": 2, "episodes": 12}
    monkeypatch.setitem(PRESETS, "tiny", Preset(steps=steps, settings=(BANDIT,), **fields))
    claim = CLAIMS.find("parity_generic")
    monkeypatch.setattr(CLAIMS, "entered", {claim.name: claim})
    monkeypatch.setattr(monitor, "_best_curve", lambda setting, episodes: [0.0, 1.0])
    return in_this_process


@pytest.fixture(scope="module")
def kept():
    """What is found and made by the first test that asks for the debate."""
    return {}


@pytest.fixture
def debated(small, kept, tmp_path_factory, tmp_path):
    """That debate, held once: what was found, the runs it made, its page; a copy in tmp_path."""
    if not kept:
        folder = tmp_path_factory.mktemp("debated")
        kept.update(found=debate.run_debate("tiny", folder), made=list(small), folder=folder)
        small.clear()
    shutil.copytree(kept["folder"], tmp_path, dirs_exist_ok=True)
    page = (tmp_path / REPORT).read_text().replace(str(kept["folder"]), str(tmp_path))
    return kept["found"], kept["made"], page


def forbid_measuring(monkeypatch):
    """Whatever is measured from now on fails."""
    monkeypatch.setattr(type(CLAIMS.find("parity_generic")), "measure", None)
    monkeypatch.setattr(type(debate.CURVES), "measure", None)


def test_a_debate_writes_verdicts_and_report_and_repeats_nothing(
    debated, small, monkeypatch, tmp_path
):
    found, made, page = debated
    assert read_record(tmp_path / VERDICTS, "") == json.loads(json.dumps(found))
    assert [verdict["claim"] for verdict in found["verdicts"]] == ["parity_generic"]
    assert sorted(made) == [run["name"] for run in found["runs"]], "every run is accounted for"
    assert all(name in page for name in made)
    assert found["preset"] == {"name": "tiny", "about": "nothing is trained", "seeds": 2}
    assert set(found["source"]) == {"parity_generic", "curves"}
    forbid_measuring(monkeypatch)
    assert debate.run_debate("tiny", tmp_path) == found
    assert debate.run_claim("parity_generic", "tiny", tmp_path) == found["verdicts"][0]
    (tmp_path / VERDICTS).write_text("{}")
    with pytest.raises(Corrupt, match="repeat the `metalocus debate` command that made it"):
        write_report(tmp_path)
    (tmp_path / FIGURE).unlink()
    debate.run_debate("tiny", tmp_path)
    assert write_report(tmp_path).read_text() == page, "the advice works"
    assert (tmp_path / FIGURE).exists()
    assert small == [], "nothing is made again"


def test_a_run_that_was_imported_is_as_good_as_one_that_was_trained(
    debated, small, monkeypatch, tmp_path
):
    found, made, _ = debated
    forbid_measuring(monkeypatch)
    run = tmp_path / RUNS / made[0]
    export_run(run, tmp_path / "run.zip")
    shutil.rmtree(run)
    import_run(tmp_path / "run.zip", tmp_path / RUNS)
    again = debate.run_debate("tiny", tmp_path)
    assert again["verdicts"] == found["verdicts"]
    assert f"(imported)<br><code>{made[0]}</code></td>" in write_report(tmp_path).read_text()
    assert small == [], "it was not trained again"


def test_runs_in_each_others_folders_are_refused(debated, tmp_path):
    names = [run["name"] for run in debated[0]["runs"] if "parity_generic" in run["serves"]]
    first, second = (tmp_path / RUNS / name for name in names)
    first.rename(tmp_path / "kept")
    second.rename(first)
    (tmp_path / "kept").rename(second)
    with pytest.raises(Corrupt) as raised:
        debate.run_claim("parity_generic", "tiny", tmp_path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_debate_into_a_file_is_refused_before_work_begins(small, monkeypatch, tmp_path):
    monkeypatch.setattr(measure_all, "sweep", None)
    (tmp_path / "file").write_text("of the user")
    for begin in (
        lambda: debate.run_debate("tiny", tmp_path / "file"),
        lambda: debate.run_claim("parity_generic", "tiny", tmp_path / "file"),
    ):
        with pytest.raises(WrongUse, match="it is a file"):
            begin()
    assert (tmp_path / "file").read_text() == "of the user"
    assert small == []


def test_curves_are_averaged_over_seeds_and_what_is_not_finite_is_not():
    seeds = {seed: synthetic_curves(np.random.default_rng(seed)) for seed in (0, 1)}
    average = debate.CURVES.average(seeds)
    for setting in (BANDIT, REVERSAL):
        found, own = average[setting.name], [seeds[seed][setting.name] for seed in (0, 1)]
        assert found["title"] == f"the {setting.name} setting"
        assert found["best"] == BEST[setting.name]
        lstm = np.mean([values["adaptation"]["lstm"] for values in own], axis=0)
        assert found["adaptation"]["lstm"] == pytest.approx(lstm)
        state = np.mean([values["locus"]["lstm"]["shares"]["state"] for values in own], axis=0)
        assert found["locus"]["lstm"]["shares"]["state"] == pytest.approx(state)
        assert found["locus"]["lstm"]["trials"] == own[0]["locus"]["lstm"]["trials"]
    for bad in (math.nan, None):
        changed = copy.deepcopy(seeds)
        changed[1]["bandit"]["adaptation"]["lstm"][3] = bad
        where = "curves: bandit / adaptation / lstm / 3 at training seed 1"
        with pytest.raises(NonFinite, match=where):
            debate.CURVES.average(changed)


def test_verdicts_in_words():
    verdict = {"verdict": "refuted", "by_construction": True, "more_seeds": 0}
    assert outcome(verdict) == "refuted"
    assert check(verdict) == "NOT as built"
    assert check(verdict | {"verdict": "supported"}) == "as built"
    assert region({"relation": ">=", "bound": 0.05}) == "at least 0.05"
    assert region({"relation": "<=", "bound": 1e-6}) == "at most 1e-06"
    for more, words in ((17, "17 more seeds"), (1, "1 more seed"), (None, "over 1000 more seeds")):
        expected = f"undecided, {words} would decide"
        assert outcome({"verdict": "undecided", "more_seeds": more}) == expected
    for name in ("parity_constructive", "emergence"):
        verdict = next(each for each in synthetic_debate()["verdicts"] if each["claim"] == name)
        by_construction = name == "parity_constructive"
        assert len(checks(verdict)) == 5 * by_construction
        assert len(findings(verdict)) == 5 * (not by_construction)


def test_a_debate_about_another_agent_and_setting_says_so(
    in_this_process, brief, undrawn, monkeypatch, tmp_path, caplog
):
    """What cannot be asked of them is left out, with a line on why; the report has all of it."""
    steps = {"lstm": 16, "mlp": 16, "mlp_feedback": 16}
    few = dataclasses.replace(PRESETS["smoke"], name="few", steps=steps, episodes=40)
    monkeypatch.setitem(PRESETS, "few", few)
    env, kwargs = "metalocus/BernoulliBandit-v0", {"n_arms": 3, "horizon": 8}
    setting = setting_called(env, **kwargs)
    found = debate.run_debate("few", tmp_path, "gru", setting, {"hidden_size": 8})
    asked = {verdict["claim"] for verdict in found["verdicts"]}
    assert found["not_asked"].keys() == {"responsiveness"} == set(CLAIMS) - asked
    assert "no argument 'cued'" in caplog.text
    assert found["question"] == {
        "agent": "gru",
        "options": f"--agent gru --agent-kwargs hidden_size=8 --setting {env} n_arms=3 horizon=8",
    }
    assert found["tasks"][setting.name] == "BernoulliBandit-v0, n_arms 3, horizon 8"
    assert list(found["curves"]) == [setting.name]
    titles = [run["title"] for run in found["runs"]]
    assert any(title.startswith("gru,") for title in titles)
    assert not any(title.startswith("lstm") for title in titles)
    page = (tmp_path / REPORT).read_text()
    assert "cannot be asked of gru here" in page
    assert found["question"]["options"] + " --out" in page
    assert all(("gru, hidden_size 8 ·" in title) == ("gru" in title) for title in titles)
    assert found["headline"][0].startswith("Settled for the gru, hidden_size 8, over 2 training")
    assert "gru" in main_figure(found["curves"])
    with pytest.raises(InvalidTask, match="claim responsiveness cannot be asked of gru here"):
        debate.run_claim("responsiveness", "few", tmp_path, "gru", setting)
    again = debate.run_claim("locus", "few", tmp_path, "gru", setting, {"hidden_size": 8})
    assert again == next(each for each in found["verdicts"] if each["claim"] == "locus")


def test_the_main_figure_can_be_read_on_a_dark_page(found):
    """White and black, and whatever has no colour, change there; the README's figure too."""
    for svg in (main_figure(found["curves"]), (ROOT / "figure.svg").read_text()):
        ElementTree.fromstring(svg)
        _, dark = svg.split("@media (prefers-color-scheme: dark) {", 1)
        dark, rest = dark.split("}</style>", 1)
        for part in ('[style*="fill: #ffffff"]', '[style*="stroke: #000000"]', "text"):
            assert f" {part} {{" in dark, part
        assert "fill: #ffffff" in rest, "a background of its own, whatever the page's"
        assert "fill: #000000" not in rest
        assert "stroke: #ffffff" not in rest
