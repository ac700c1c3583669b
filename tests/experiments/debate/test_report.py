"""The debate's report: one page with everything in it, made of what was measured."""

import copy
import dataclasses
import importlib
import math
import random
import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from markupsafe import escape
from matplotlib.figure import Figure

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.files import Corrupt, write_record
from metalocus.experiments.claims.base import CLAIMS, SIDES
from metalocus.experiments.claims.wording import (
    check,
    checks,
    findings,
    measured,
    outcome,
    p_value,
    region,
    short,
)
from metalocus.experiments.debate import figures, report
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.debate.headline import SMOKE_WARNING
from metalocus.experiments.debate.report import FIGURE, REPORT, render, write_report
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.runs.named import BANDIT, FIVE_ARMS, REVERSAL
from metalocus.experiments.shipped.read import VERDICTS
from metalocus.experiments.studies.presets import PRESETS

ROOT = Path(__file__).parents[3]


def written(folder, found):
    """The page's text."""
    write_record(folder / VERDICTS, found)
    return write_report(folder).read_text()


@pytest.fixture(scope="module")
def few(found):
    """The same debate with two of its claims and the apparatus, the first of them changed since."""
    changed = copy.deepcopy(found)
    names = ("emergence", "responsiveness", "apparatus")
    changed["verdicts"] = [each for each in changed["verdicts"] if each["claim"] in names]
    del changed["curves"]["reversal"]
    entry = {"date": "2031-01-01T10:00", "because": "the first", "digest": "a" * 64}
    old = {**entry, "before": [], "after": []}
    new = {**entry, "because": "a milder bound", "before": ["at 0.97"], "after": ["at 0.95"]}
    first, second, third = changed["verdicts"]
    first["register"] = {"equal": True, "entries": [old, new]}
    second["register"] = {"equal": False, "entries": [old]}
    third["register"] = {"equal": False, "entries": []}
    return changed


@pytest.fixture(scope="module")
def shown(few, tmp_path_factory):
    """The folder of a page with all of its figures."""
    folder = tmp_path_factory.mktemp("debate")
    written(folder, few)
    return folder


@pytest.fixture(scope="module")
def page(shown):
    return (shown / REPORT).read_text()


def test_every_claim_stands_in_it_with_both_sides_and_their_verdicts(undrawn, found, tmp_path):
    page = written(tmp_path, found)
    matrix, rest = page.split("<h2>The two sides</h2>")
    for verdict in found["verdicts"]:
        if findings(verdict):
            assert str(escape(verdict["statement"])) in rest
            assert f'<h3 id="{verdict["claim"]}">' in rest
        for name, quantity in verdict["quantities"].items():
            assert str(escape(quantity["about"])) in page
            assert f">{name}<" not in page or "_" not in name, "read without its code name"
        for prediction in findings(verdict):
            assert str(escape(f"{prediction['says']} ")) in matrix
            assert str(escape(prediction["why"])) in rest
            about = verdict["quantities"][prediction["quantity"]]["tasks"]
            for task, judged in prediction["tasks"].items():
                numbers = about[task]
                title = f"{found['tasks'][task]}: {measured(numbers)}, {outcome(judged)}"
                chip = f'<span class="chip {judged["verdict"]}" title="{escape(title)}">'
                assert chip in matrix
                assert measured(numbers) in rest
                assert all(f"{value:.3f}" in rest for value in numbers["values"])
                assert str(escape(p_value(judged))) in rest
    for side, says in SIDES.items():
        assert f"<b>{side}</b>: {escape(says)}." in page
    for sentence in found["headline"]:
        assert f"<p>{escape(sentence)}</p>" in matrix
    assert (
        "Made on 2031-02-03 on a&lt;b (x86, AVX2) by source feed with metalocus 0.1, torch 2.99."
        " The commit is <code>abc123</code>."
    ) in page, "what made it, not what shows it"
    assert "a few &amp; fast" in page
    assert "training took 2 CPU seconds in all" in page


def test_a_verdict_is_told_by_a_sign_beside_its_colour(page):
    chips = re.findall(r'<span class="chip (\w+)" title[^>]*>\s*[\w ]+ <b>(\S+) [^<]+</b>', page)
    assert set(chips) >= {("supported", "✓"), ("refuted", "✗")}
    assert set(chips) <= {("supported", "✓"), ("refuted", "✗"), ("undecided", "?")}


def test_what_is_true_by_construction_stands_in_the_appendix_alone(page, few):
    findings_part, appendix = page.split('<h2 id="apparatus">')
    for verdict in few["verdicts"]:
        for prediction in checks(verdict):
            assert str(escape(prediction["says"])) not in findings_part
            assert str(escape(prediction["says"])) in appendix
    assert "NOT as built" in appendix, "the measurements are random"
    assert "Store and rule are two things." in findings_part


def test_the_register_is_told_and_what_differs_from_it_in_red(page):
    emergence, responsiveness = page.split('<h3 id="responsiveness">')
    assert "2031-01-01T10:00: a milder bound" in emergence
    assert "<del>before: at 0.97</del>" in emergence
    assert "<ins>now: at 0.95</ins>" in emergence
    assert 'class="amiss">This claim' not in emergence
    assert '<p class="amiss">This claim: differs from its registered entry.</p>' in responsiveness
    heading = '<a href="#responsiveness">7 responsiveness</a> <span class="amiss">differs'
    assert heading in emergence, "above, beside its predictions too"


def test_every_claim_says_how_many_seeds_judge_it(undrawn, few, tmp_path):
    first, second, *_ = (copy.deepcopy(each) for each in few["verdicts"])
    first["seeds"], second["seeds"] = {"run": 3, "most": None}, {"run": 2, "most": 2}
    of = {**few["preset"], "seeds": 3, "of_seeds": 10}
    page = render({**few, "preset": of, "verdicts": [first, second]}, tmp_path)
    dear = "2 training seeds, as one takes over ten CPU minutes."
    for verdict, said in ((first, "3 of 10 training seeds."), (second, dear)):
        statement = f"<p><b>{verdict['statement']}</b></p>"
        assert f'{statement}\n<p class="note">{said}</p>' in page
    of["name"] = "full"
    page = render({**few, "preset": of, "verdicts": [first, second]}, tmp_path)
    assert f"Not all were run so far of claim {first['number']}; how many are run" in page
    first["seeds"]["run"] = 10
    page = render({**few, "preset": of, "verdicts": [first, second]}, tmp_path)
    assert "Not all were run so far" not in page


def test_what_is_not_run_is_shown_from_what_is_shipped_and_marked(undrawn, few, tmp_path):
    of = {"preset": {"name": "full", "seeds": 10, "of_seeds": 10}, "tasks": few["tasks"]}
    of |= {"made": {**few["made"], "date": "2030-12-24"}}
    changed = {**few, "verdicts": few["verdicts"][:1]}
    page = written(tmp_path, {**changed, "shipped": {**of, "verdicts": few["verdicts"][1:2]}})
    above, below = page.split("Not run by preset quick: from the full run that comes with")
    assert "#responsiveness" not in above
    assert '<a href="#responsiveness">7 responsiveness</a>' in below
    assert "Preset full, 10 training seeds, whose numbers were made elsewhere." in below
    assert "Made on 2030-12-24 on a&lt;b" in below
    assert "(from the shipped full run of 2030-12-24)" in below
    assert "metalocus claim responsiveness --preset full" in below
    assert "that comes with" not in written(tmp_path, changed)


def test_runs_stand_under_their_title_with_what_they_serve(page):
    run = page.split("<h2>Appendix: training runs</h2>")[1]
    assert "<td>lstm · a &lt;bandit&gt; · seed 0<br><code>lstm-x-s0</code></td>" in run
    assert '<td data-is="for">emergence, curves</td>' in run
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


def test_the_page_loads_nothing_and_its_links_lead_somewhere(page):
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b", page)
    assert not re.search(r"@import|javascript:", page)
    names = set(re.findall(r'\bid="([^"]*)"', page))
    for target in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page):
        assert target.startswith("#"), target
    for target in re.findall(r"url\(([^)]*)\)", page):
        assert target.startswith("#"), target
    assert set(re.findall(r'<a href="#([^"]*)"', page)) <= names
    assert page.startswith("<!doctype html>")


def test_figures_are_in_the_page_and_beside_it(page, few, shown):
    quantities = sum(len(each["quantities"]) for each in few["verdicts"] if findings(each))
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    beside = len(few["curves"]) * (1 + 3) + 2  # adaptation, three loci; development of two agents
    assert len(pictures) == beside + quantities
    for picture in pictures:
        ElementTree.fromstring(picture)
    assert "means over 7 training seeds" in page, "of the development"
    main = (shown / FIGURE).read_text()
    for curves in few["curves"].values():
        assert f"<b>{curves['title']}</b>" in page
        assert curves["title"] in main


def test_a_claim_draws_its_own_answer_of_what_it_kept(undrawn, few, tmp_path, monkeypatch):
    def drawn(self, shown):
        """How it went."""
        assert shown == [{"x": 1.0}] * 2
        figure = Figure(figsize=(1, 1))
        figure.subplots().set_title("an own figure")
        return figure

    changed = copy.deepcopy(few)
    changed["verdicts"][0]["shown"] = [{"x": 1.0}] * 2
    monkeypatch.setattr(type(CLAIMS["emergence"]), "drawn", drawn)
    page = written(tmp_path, changed)
    own = page.split('<h3 id="emergence">')[1].split("<h3 id=")[0]
    assert own.count("<svg") == 1
    assert "<figcaption>How it went.</figcaption>" in own
    assert "an own figure" in own
    assert page.count("an own figure") == 1


def test_text_is_escaped(undrawn, few, tmp_path):
    changed = copy.deepcopy(few)
    changed["verdicts"][0]["statement"] = "a <script>alert(1)</script> & b"
    changed["verdicts"][0]["predictions"][0]["says"] = "<img src=x>"
    changed["headline"][0] = changed["tasks"]["reversal"] = '<link href="x">'
    changed["verdicts"][0]["register"]["entries"][1]["before"] = ["<iframe>"]
    page = written(tmp_path, changed)
    assert "<script" not in page
    assert not re.search("<img|<link|<iframe", page)
    assert "a &lt;script&gt;alert(1)&lt;/script&gt; &amp; b" in page


def test_a_smoke_test_says_that_it_is_one(undrawn, few, page, tmp_path):
    assert SMOKE_WARNING not in page
    smoke = {**few, "preset": {**few["preset"], "name": "smoke"}}
    shown = written(tmp_path, smoke)
    assert shown.count(SMOKE_WARNING) == 1
    assert str(escape(few["headline"][0])) not in shown, "nothing is settled by it"


def test_a_seed_without_a_number_is_shown_as_none(undrawn, few, tmp_path):
    changed = copy.deepcopy(few)
    first = changed["verdicts"][0]["predictions"][0]
    first["tasks"]["reversal"] = {"verdict": "undecided", "p": None, "more_seeds": None}
    quantity = changed["verdicts"][0]["quantities"][first["quantity"]]["tasks"]["reversal"]
    quantity |= {"values": [0.5, None, 0.5], "estimate": None, "low": None, "high": None}
    page = written(tmp_path, changed)
    assert "reversal <b>? –</b>" in page
    assert "0.500 – 0.500" in page
    assert "no number, undecided, there is no number" in page
    figures.interval_figure({"a": quantity}, [0.5])


def test_a_folder_without_a_debate_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotARun, match="holds no finished debate; run `metalocus debate") as no:
            write_report(folder)
        assert len(str(no.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def damaged(data):
    """Copies of a file that differ from it in a bit, in length or in a digit."""
    rng = random.Random(0)
    for _ in range(20):
        copied = bytearray(data)
        copied[rng.randrange(len(copied))] ^= 1 << rng.randrange(8)
        yield bytes(copied)
    yield from (data[: rng.randrange(len(data))] for _ in range(10))
    digits = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
    for place in rng.sample(digits, 20):
        yield data[:place] + str((data[place] - 47) % 10).encode() + data[place + 1 :]
    yield from (b"", b"[]", b"null", b"3", b"[" * 100_000, data + data)


def test_damaged_verdicts_are_refused_and_the_old_page_stays(undrawn, few, tmp_path, monkeypatch):
    page, drawn = written(tmp_path, few), []
    data, refused = (tmp_path / VERDICTS).read_bytes(), []
    monkeypatch.setattr(report, "render", lambda *_: drawn.append(1) or page)
    for changed in damaged(data):
        (tmp_path / VERDICTS).write_bytes(changed)
        try:
            write_report(tmp_path)
        except Corrupt as error:
            refused.append(str(error))
        assert (tmp_path / REPORT).read_text() == page
    assert len(refused) > 45, "a flipped bit in a space may change nothing"
    for message in refused:
        assert "is missing or damaged; repeat the `metalocus debate` command" in message
        assert len(message.splitlines()) == 1


def test_verdicts_of_another_version_are_refused(undrawn, few, tmp_path):
    one = {**few, "verdicts": few["verdicts"][1:2]}
    changes = [{**one, key: 3} for key in set(one) - {"source", "not_run"}]
    for drop in ("claim", "quantities", "predictions", "statement", "register"):
        (verdict,) = one["verdicts"]
        rest = {name: value for name, value in verdict.items() if name != drop}
        changes.append({**one, "verdicts": [rest]})
    for changed in changes:
        write_record(tmp_path / VERDICTS, changed)
        with pytest.raises(Corrupt, match="was written by another version; repeat"):
            write_report(tmp_path)
    assert not (tmp_path / REPORT).exists()


def test_imported_runs_may_lack_seconds(undrawn, few, tmp_path):
    (run,) = few["runs"]
    imported = {name: value for name, value in run.items() if name != "cpu_seconds"}
    page = written(tmp_path, {**few, "runs": [imported | {"imported": "a.zip"}]})
    assert 'class="number">?</td>' in page
    assert "seed 0 (imported)<br><code>lstm-x-s0</code></td>" in page
    assert "training took 0 CPU seconds in all" in page


def test_commands_on_the_page_can_be_pasted(undrawn, few, tmp_path):
    folder = tmp_path / "my debate"
    folder.mkdir()
    page = written(folder, few)
    assert f"--out {escape(repr(str(folder)))}</code>" in page
    assert report.render(few, Path("x\udcff")).encode(errors="backslashreplace")


def test_the_same_numbers_give_the_same_figures_however_the_user_has_set_matplotlib(few):
    """And that stays as it is."""
    quantity = few["verdicts"][1]["quantities"]["cue_shown"]["tasks"]

    def drawn():
        measured = few["curves"]["bandit"]
        locus = figures.locus_figure(measured["locus"]["lstm"])
        return figures.interval_figure(quantity, [0.5]), locus, figures.adaptation_figure(measured)

    first = drawn()
    with mpl.rc_context({"font.size": 33, "svg.hashsalt": "mine", "axes.spines.top": True}):
        before = dict(dict.items(mpl.rcParams))  # to ask for the backend would choose one
        importlib.reload(figures)
        assert drawn() == first
        assert dict(dict.items(mpl.rcParams)) == before


def test_curves_are_asked_of_five_arms_and_reversals_or_the_setting_asked_about():
    preset = PRESETS["full"]
    assert CURVES.asked_on(preset) == (FIVE_ARMS, REVERSAL)
    assert CURVES.asked_on(PRESETS["smoke"]) == (FIVE_ARMS,), "of as many as claims"
    assert CURVES.asked_on(dataclasses.replace(preset, setting=BANDIT)) == (BANDIT,)


def test_curves_are_averaged_over_seeds_and_what_is_not_finite_is_not(found):
    other = copy.deepcopy(found["curves"])
    curve = other["bandit"]["adaptation"]["lstm"]
    other["bandit"]["adaptation"]["lstm"] = [value + 1.0 for value in curve]
    average = CURVES.average({0: found["curves"], 1: other})
    assert average["bandit"]["adaptation"]["lstm"] == pytest.approx(np.array(curve) + 0.5)
    assert average["bandit"]["title"] == "the bandit setting"
    assert average["reversal"]["locus"]["lstm"]["trials"] == [1, 5, 49]
    for bad, where in (
        (math.nan, "curves: bandit / adaptation / lstm / 3 at training seed 1"),
        (None, "a number of the curves"),
    ):
        other["bandit"]["adaptation"]["lstm"][3] = bad
        with pytest.raises(NonFinite, match=where):
            CURVES.average({0: found["curves"], 1: other})


def test_verdicts_in_words():
    judged = {"verdict": "refuted", "p": 0.0123, "more_seeds": 0}
    assert outcome(judged) == "refuted"
    assert p_value(judged) == "p = .012"
    assert p_value(judged | {"p": 0.0001}) == "p < .001"
    assert check(judged) == "NOT as built"
    assert check(judged | {"verdict": "supported"}) == "as built"
    assert check(judged | {"verdict": "undecided"}) == "not shown by these seeds"
    assert region({"relation": ">=", "bound": 0.05}) == "at least 0.05"
    assert region({"relation": "<=", "bound": 1e-6}) == "at most 1e-06"
    assert region({"relation": "within", "bound": 0.02}) == "between -0.02 and 0.02"
    for more, words in ((17, "17 more seeds"), (1, "1 more seed"), (None, "over 1000 more seeds")):
        expected = f"undecided, {words} would decide"
        assert outcome({"verdict": "undecided", "p": 0.4, "more_seeds": more}) == expected
    numbers = {0.974: ".97", -0.021: "-.02", 1.0: "1.00", -0.001: ".00", 10.5: "10.50", None: "–"}
    assert {number: short(number) for number in numbers} == numbers


def test_the_main_figure_can_be_read_on_a_dark_page(shown):
    """White and black, and whatever has no colour, change there; the README's figure too."""
    for svg in ((shown / FIGURE).read_text(), (ROOT / "figure.svg").read_text()):
        ElementTree.fromstring(svg)
        _, dark = svg.split("@media (prefers-color-scheme: dark) {", 1)
        dark, rest = dark.split("}</style>", 1)
        for part in ('[style*="fill: #ffffff"]', '[style*="stroke: #000000"]', "text"):
            assert f" {part} {{" in dark, part
        assert "fill: #ffffff" in rest, "a background of its own, whatever the page's"
        assert "fill: #000000" not in rest
        assert "stroke: #ffffff" not in rest


def test_a_task_that_the_agent_has_not_learned_is_said(undrawn, few, tmp_path):
    changed = copy.deepcopy(few)
    emergence = next(each for each in changed["verdicts"] if each["claim"] == "emergence")
    for task, reached in (("five_arms", 0.95), ("reversal", 0.56)):
        emergence["quantities"]["score"]["tasks"][task]["estimate"] = reached
    page = render(changed, tmp_path)
    assert "On hidden reversals the agent reaches .56 of the best reference" in page
    assert "On five arms, 100 pulls the agent reaches" not in page


@pytest.mark.parametrize(
    ("line", "opened"),
    [("training lstm/five_arms: {}", False), ("at 0.97", True)],
)
def test_the_register_is_open_where_what_is_said_has_changed(undrawn, few, tmp_path, line, opened):
    changed = copy.deepcopy(few)
    for verdict in changed["verdicts"]:
        for entry in verdict["register"]["entries"]:
            entry["before"] = [line] if entry["before"] else []
    page = render(changed, tmp_path)
    assert ("<details open><summary>Register" in page) == opened
