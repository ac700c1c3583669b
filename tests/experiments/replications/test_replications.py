"""Every replication is whole and runs; checks, files and the page, on planted totals and runs."""

import dataclasses
import json
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.cli.main import run
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.probes import simulate
from metalocus.experiments.replications import replicate as replicate_module
from metalocus.experiments.replications import rl2_bandits, rl2_mdps, wang2016
from metalocus.experiments.replications.base import (
    RELATIONS,
    REPLICATIONS,
    SIZES,
    Check,
    Outcome,
    Replication,
    Training,
)
from metalocus.experiments.replications.found import judged, read_found
from metalocus.experiments.replications.later import later
from metalocus.experiments.replications.output import draw, write_output
from metalocus.experiments.replications.page import replications_page
from metalocus.experiments.replications.replicate import replicate
from metalocus.experiments.replications.rl2_bandits import References
from metalocus.experiments.runs.build import build_model
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.runs.provenance import made_by
from metalocus.experiments.studies.job import RUNS
from metalocus.experiments.studies.study import all_runs, require_measured
from metalocus.experiments.training.train import train

DOCS = Path(__file__).parents[3] / "docs"
TABLE = REPLICATIONS["rl2_bandits"]
MADE = {
    **{"date": "2031-02-03", "source": "feed", "versions": {"torch": "2.99"}},
    "machine": {"host": "here", "processor": "x86", "instruction set": "AVX2"},
}
LINE = "Made on 2031-02-03 on here (x86, AVX2) by source feed with torch 2.99."


def test_every_replication_makes_its_runs_and_speaks_of_parts_that_it_has(tmp_path):
    names = [part.name for each in REPLICATIONS.values() for part in each.parts]
    assert len(names) == len(set(names))
    for name, each in REPLICATIONS.items():
        assert name == each.name
        own = {part.name for part in each.parts}
        assert all((each.title, each.source, each.did, each.otherwise, each.checks)), name
        for about in (*each.checks, *each.published):
            assert about.part in own, (name, about)
        assert all(c.relation in RELATIONS and c.why and c.tolerance >= 0 for c in each.checks)
        for part in each.parts:
            assert part.minutes > 0
            runs = part.runs(SIZES["full"], 1)
            for config in runs.values():
                require_possible(config)
            found = dict(runs)
            for stage in part.later_runs(SIZES["full"], 1, tmp_path):
                before = {tmp_path / config.name for config in found.values()}
                assert {Path(config.train_kwargs["start"]) for config in stage.values()} <= before
                assert not found.keys() & stage.keys()
                found |= stage
            assert found.keys() == part.training(1).keys()
            assert all(config.seed == 1 for config in found.values())
            there = all_runs(part, replace(SIZES["full"], device="cuda"), 1, tmp_path)
            assert all(config.device == "cuda" for config in there.values())
            small = part.runs(SIZES["smoke"], 0).values()
            assert all(config.steps <= SIZES["smoke"].most_steps for config in small)


def test_the_papers_table_has_all_its_figures_and_what_is_measured_here():
    tables = {name: each for name, each in REPLICATIONS.items() if each.table}
    assert tables.keys() == {"rl2_bandits", "rl2_mdps"}
    for name, each in tables.items():
        cells = {cell for row in each.table.values() for cell in row.values()}
        theirs = {(figure.part, figure.quantity) for figure in each.published}
        assert theirs <= cells
        parts = json.loads((DOCS / "replications" / f"{name}.json").read_text())["parts"]
        for part, quantity in cells - theirs:
            assert all(quantity in values for values in parts[part]["seeds"].values())


def test_what_begins_with_another_run_has_its_own_environments_as_far_as_its_steps_reach(tmp_path):
    part = TABLE.part_called("alike-arms-n500-k5")
    for size, n_envs in (("full", 400), ("smoke", 2)):  # 1,000 steps are two episodes
        *_, last = all_runs(part, SIZES[size], 0, tmp_path).values()
        assert (last.n_envs, last.setting.family.horizon) == (n_envs, 500)


def test_the_agent_that_treats_arms_alike_learns_ten_then_longer_lives_then_other_numbers():
    def stages(n, k):
        trained = TABLE.part_called(f"alike-arms-n{n}-k{k}").training(0).values()
        return [(each.setting.family.horizon, each.setting.family.n_arms) for each in trained]

    assert stages(10, 50) == [(10, 50)]
    assert stages(100, 10) == [(100, 10), (100, 10)]
    assert stages(100, 50) == [(100, 10), (100, 10), (100, 50)]
    assert stages(500, 10) == [(100, 10), (100, 10), (250, 10), (500, 10)]
    assert stages(500, 5) == [(100, 10), (100, 10), (250, 10), (500, 10), (500, 5)]
    at_250, at_500 = list(TABLE.part_called("alike-arms-n500-k10").training(0).values())[2:]
    assert at_250.train_kwargs["ent_coef"] == "lin_5e-3"
    assert (at_500.train_kwargs["gae_lambda"], at_500.train_kwargs["all_action_coef"]) == (1.0, 0.0)
    assert at_500.train_kwargs["gamma"] == at_250.train_kwargs["gamma"] == 1.0


def test_a_training_that_begins_with_one_that_there_is_not_is_an_error(tmp_path):
    class Lost(References):
        def training(self, seed):
            *_, last = TABLE.part_called("alike-arms-n100-k5").training(0).values()
            return {"last": last}

    with pytest.raises(ValueError, match="lost: a training begins with one that there is not"):
        list(Lost("lost", "lost", 1.0).later_runs(SIZES["full"], 0, tmp_path))


def test_the_full_size_is_three_seeds_of_ten_thousand_episodes():
    full = SIZES["full"]
    assert (full.seeds, full.part, full.most_steps, full.episodes) == (3, 1.0, None, 10_000)


@pytest.mark.parametrize(
    ("relation", "bound", "tolerance", "values", "outcome"),
    [
        (">=", 85.2, 0.0, [85.2, 85.3, 86.0], Outcome.PASSED),
        (">=", 85.2, 0.0, [85.19, 85.3, 86.0], Outcome.MISSED),
        (">=", 85.2, 0.1, [85.11, 85.3, 86.0], Outcome.PASSED),
        ("<=", 0.03, 0.0, [0.01, 0.03], Outcome.PASSED),
        ("<=", 0.03, 0.0, [0.01, 0.031], Outcome.MISSED),
        ("near", 138.1, 2.4, [135.8, 140.4], Outcome.PASSED),
        ("near", 138.1, 2.4, [135.6], Outcome.MISSED),
        ("near", 138.1, 2.4, [140.6], Outcome.MISSED),
        (">=", 0.0, 0.0, [1.0, None], Outcome.MISSED),
        (">=", 0.0, 0.0, [], Outcome.NOT_RUN),
    ],
)
def test_a_check_passes_if_every_seed_is_in_its_region(relation, bound, tolerance, values, outcome):
    check = Check("part", "total", relation, bound, "why", tolerance)
    assert check.outcome(values) is outcome


def done(seeds, minutes=None):
    """A part as it is kept; each seed was trained for so many minutes, by default not at all."""
    one = {"begun": {"cpu_minutes": minutes, "curve": [[0, 0.0], [2000, 0.5]]}}
    trained = {} if minutes is None else dict.fromkeys(seeds, one)
    return {"seeds": seeds, "trained": trained, "made": MADE}


def planted(total=85.3):
    """The table with planted totals of one cell at three seeds."""
    values = {"alike arms": total, "alike arms_se": 0.1, "alike arms regret": 0.03}
    seeds = {"0": values, "1": values, "2": {**values, "alike arms": total and total + 0.2}}
    return judged(TABLE, "full", {"alike-arms-n100-k50": done(seeds, 12.0)})


def outcome_of(found, quantity, part="alike-arms-n100-k50"):
    return next(
        each["outcome"]
        for each in found["checks"]
        if (each["part"], each["quantity"]) == (part, quantity)
    )


def test_planted_totals_are_judged():
    assert outcome_of(planted(), "alike arms") == "passed"
    assert outcome_of(planted(85.1), "alike arms") == "missed"  # one seed of three is below
    assert outcome_of(planted(), "alike arms", "alike-arms-n100-k5") == "not run yet"
    assert outcome_of(planted(None), "alike arms") == "missed"  # it was run, without a number


def written(tmp_path, **changed):
    """The planted totals as files; a figure of all cells would take seconds."""
    found = {**planted(), **changed}
    two = ("alike-arms-n100-k50", "recurrent-n100-k50", "references-n10-k5")
    parts = {name: part for name, part in found["parts"].items() if name in two}
    published = [each for each in found["published"] if each["part"] in two]
    return write_output(tmp_path, {**found, "parts": parts, "published": published})


def test_files_and_page_hold_ours_beside_theirs(tmp_path):
    files = written(tmp_path)
    assert [path.suffix for path in files] == [".json", ".parquet", ".png", ".svg"]
    assert all(path.stat().st_size > 1000 for path in files)
    rows = pq.read_table(tmp_path / "rl2_bandits.parquet").to_pylist()
    cell = [row for row in rows if row["part"].endswith("n100-k50")]
    own = {row["seed"]: row for row in cell if row["quantity"] == "alike arms"}
    assert {seed: row["value"] for seed, row in own.items()} == {0: 85.3, 1: 85.3, 2: 85.5}
    assert (own[0]["se"], own[0]["made"]) == (0.1, LINE)
    theirs = next(row for row in cell if row["quantity"] == "recurrent")
    assert (theirs["seed"], theirs["value"], theirs["made"]) == (None, None, None)
    assert (theirs["published"], theirs["published_se"]) == (84.9, 0.6)
    page = replications_page(tmp_path)
    line = "| alike arms, 100 pulls, 50 arms | alike arms | 85.37 (85.30 to 85.50) ± 0.058 | 3 |  |"
    assert line in page
    assert "\n| 100 pulls, 50 arms | – (49.8) | – (85.2) | – (64.5) | – (67.7) | – (84.3) |" in page
    assert " | – (78) | – | – (84.9) | – (85.1) | 85.37 |\n" in page
    assert "CPU minutes of training: alike arms, 100 pulls, 50 arms 12.0." in page
    assert "84.9 ± 0.6 (Duan 2016)" in page
    for name in REPLICATIONS:
        assert f"## {name}" in page
    assert "metalocus replicate harlow --size full --parts harlow-objects" in page
    assert "About 6 CPU minutes a seed" in page


def test_the_page_tells_how_the_scores_rose_where_a_check_was_missed_alone(tmp_path):
    row = "| alike arms, 100 pulls, 50 arms | begun | 0: 0.000, 2,000: 0.500 |"
    for total, missed in ((85.3, False), (85.1, True)):
        (tmp_path / "rl2_bandits.json").write_text(json.dumps(planted(total)))
        assert (row in replications_page(tmp_path)) == missed


def test_curves_are_averaged_over_seeds_whose_trainings_have_names_of_their_own(tmp_path):
    """As Raventós' agents, which are trained on other tasks at every seed."""
    one = {"seeds": {"0": {}, "1": {}}, "made": MADE}
    trained = {
        seed: {f"4/{2 * seed}": {"cpu_minutes": 1.0, "curve": [[0, 0.0], [50, 0.5 + 0.25 * seed]]}}
        for seed in (0, 1)
    }
    found = judged(REPLICATIONS["raventos"], "full", {"raventos": {**one, "trained": trained}})
    (tmp_path / "raventos.json").write_text(json.dumps(found))
    row = "| five arms, 4 to 256 tasks | 4/0, 4/2 | 0: 0.000, 50: 0.625 |"
    assert row in replications_page(tmp_path)


def test_a_replication_without_results_is_drawn_too(tmp_path):
    for name in ("harlow", "wang2018_two_step"):  # without and with figures of the paper
        assert len(write_output(tmp_path, judged(REPLICATIONS[name], "full", {}))) == 4


def test_parts_run_before_are_kept_at_the_same_size_alone(tmp_path, monkeypatch):
    """With measurements in place of what takes processes; without training there is one seed."""
    asked = []

    def measured(parts, preset, out):
        asked.append((parts[0].name, preset.seeds))
        return {parts[0].name: {seed: {"random": 5.0} for seed in range(preset.seeds)}}

    monkeypatch.setattr(replicate_module, "measure_all", measured)
    monkeypatch.setattr(replicate_module, "trained", lambda part, size, seed, out: {"at": seed})
    written(tmp_path)
    found = replicate("rl2_bandits", "full", tmp_path, ["references-n10-k5"])
    kept, fresh = found["parts"]["alike-arms-n100-k50"], found["parts"]["references-n10-k5"]
    assert (kept["seeds"]["0"]["alike arms"], kept["made"]) == (85.3, MADE)
    assert fresh["made"] == made_by(rl2_bandits.__name__)
    assert fresh["seeds"] == {"0": {"random": 5.0}}
    assert kept["trained"]["0"]["begun"]["cpu_minutes"] == 12.0
    assert fresh["trained"] == {"0": {"at": 0}}
    assert outcome_of(found, "random", "references-n10-k5") == "passed"
    found = replicate("rl2_bandits", "quick", tmp_path, ["attention-n10-k5"])
    assert not found["parts"]["alike-arms-n100-k50"]["seeds"]
    replicate("rl2_bandits", "full", tmp_path, ["attention-n10-k5", "attention-n10-k5"])
    assert asked == [("references-n10-k5", 1), ("attention-n10-k5", 1), ("attention-n10-k5", 3)]


def test_of_every_training_its_minutes_and_its_curve_are_kept(tmp_path):
    """Of a first one and one that begins with it, run for real."""
    task = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=5)
    first = Training(task, "alike_arms", 40)
    both = {"first": first, "second": later(first, "first", task, 20)}

    class Tiny(References):
        def training(self, seed):
            return both

    part, size, runs = Tiny("tiny", "tiny", 1.0), SIZES["smoke"], tmp_path / RUNS
    train(part.runs(size, 3)["first"], runs)
    (stage,) = part.later_runs(size, 3, runs)
    train(stage["second"], runs)
    found = replicate_module.trained(part, size, 3, tmp_path)
    assert found.keys() == both.keys()
    for each, steps in zip(found.values(), (40, 20), strict=True):
        assert each["cpu_minutes"] >= 0.0
        assert [each["curve"][i][0] for i in (0, -1)] == [0, steps]


def trained(config):
    """The agent of a run after one rollout of two episodes; nothing is written or measured."""
    model = build_model(replace(config, n_envs=2))
    model.learn(1)
    return TrainedAgent(model.policy, config.setting.layout)


def short(setting):
    """The setting with at most eight trials an episode."""
    kwargs = {**setting.kwargs, "horizon": min(setting.family.horizon, 8)}
    if isinstance(setting, NamedSetting):
        return NamedSetting(setting.name, setting.title, setting.env, **kwargs)
    return Setting(setting.env, **kwargs)


@pytest.fixture
def tiny_tasks(monkeypatch):
    """Replications are of short episodes, and measured on eight of them."""
    for each in REPLICATIONS.values():
        module = sys.modules[type(each.parts[0]).__module__]
        for name, value in list(vars(module).items()):
            if isinstance(value, Setting):
                monkeypatch.setattr(module, name, short(value))
    monkeypatch.setattr(wang2016, "TRIALS", 8)
    monkeypatch.setattr(rl2_mdps, "CELLS", (10,))
    monkeypatch.setattr(simulate, "FIT_EPISODES", 50)
    monkeypatch.setitem(SIZES, "smoke", replace(SIZES["smoke"], episodes=8))


def test_every_kind_of_part_runs_from_training_to_the_page(tmp_path, monkeypatch, tiny_tasks):
    """Parts of one kind differ in their sizes alone; every check's quantity is measured."""

    def measured(parts, preset, out):
        [part] = parts
        runs = all_runs(part, preset, 0, tmp_path)
        agents = {name: trained(config) for name, config in runs.items()}
        values = part.measure(agents, preset, 5)
        require_measured(part.name, {0: values})
        return {part.name: {0: values}}

    monkeypatch.setattr(replicate_module, "measure_all", measured)
    monkeypatch.setattr(replicate_module, "trained", lambda part, size, seed, out: {})
    for name, each in REPLICATIONS.items():
        first = {type(part): part.name for part in reversed(each.parts)}
        found = replicate(name, "smoke", tmp_path, list(first.values()))
        for part in first.values():
            values = found["parts"][part]["seeds"]["0"]
            asked = {c.quantity for c in each.checks if c.part == part}
            short = {quantity for quantity in asked if quantity.partition("@")[2] in ("", "100")}
            assert short, (name, part)
            assert short <= values.keys(), (name, part, short - values.keys())
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    page = replications_page(tmp_path)
    assert page.count("Size smoke: does everything run?") == len(REPLICATIONS)


def test_the_page_begins_with_what_is_run_at_full_size_and_what_the_rest_takes(tmp_path):
    """Two references of one seed are run; in hours the rest is minutes by parts and seeds."""
    two = {name: {"0": {"random": 5.0}} for name in ("references-n10-k5", "references-n10-k10")}
    found = judged(TABLE, "full", {name: done(seeds) for name, seeds in two.items()})
    (tmp_path / "rl2_bandits.json").write_text(json.dumps(found))
    parts = [part for each in REPLICATIONS.values() for part in each.parts]
    left = [part for part in parts if part.name not in two]
    hours = sum(part.minutes * (3 if part.training(0) else 1) for part in left) / 60
    head = replications_page(tmp_path).partition("| replication |")[0]
    assert f"2 of {len(parts)} parts (references-n10-k5, references-n10-k10)" in head
    assert f"\n{LINE}\n" in replications_page(tmp_path)
    assert f"the other {len(left)}, about {hours:,.0f} CPU hours" in head
    (tmp_path / "rl2_bandits.json").write_text(json.dumps({**found, "size": "quick"}))
    assert f"0 of {len(parts)} parts (none)" in replications_page(tmp_path)


def test_the_page_in_docs_is_that_of_the_results_kept_beside_it():
    assert (DOCS / "replications.md").read_text() == replications_page(DOCS / "replications")


def overlapping(texts, renderer):
    """Pairs of texts that lie over each other."""
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    boxes = [(text, box) for text, box in boxes if text]
    return [
        (boxes[i][0], boxes[j][0])
        for i in range(len(boxes))
        for j in range(i)
        if boxes[i][1].overlaps(boxes[j][1])
    ]


def test_every_figure_is_readable_whatever_was_measured():
    """Every quantity of a check has a number; of the large tables the first parts are drawn."""
    for name, each in REPLICATIONS.items():
        values = {c.part: {} for c in each.checks}
        for number, check in enumerate(each.checks):
            values[check.part][check.quantity] = -0.125 * number
        own = {part: {"0": quantities} for part, quantities in values.items()}
        found = judged(each, "full", {name: done(seeds) for name, seeds in own.items()})
        found["parts"] = dict(list(found["parts"].items())[:4])
        figure = draw(found)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()
        titles = [figure._suptitle, *(ax._right_title for ax in figure.axes)]
        told = figure._suptitle.get_text().replace("\n", " ")
        assert ("published (orange)" in told) == bool(each.published), name
        assert not overlapping(titles, renderer), name
        for text in titles:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, (name, text.get_text())
            assert box.x1 <= figure.bbox.width, (name, text.get_text())
        for ax in figure.axes:
            for axis in (ax.xaxis, ax.yaxis):
                assert not overlapping(axis.get_ticklabels(), renderer), name


def test_titles_of_what_was_found_are_whole():
    """Results have more and longer names than checks, which leave less room to the axes."""
    kept = sorted((DOCS / "replications").glob("*.json"))
    assert kept
    for path in kept:
        figure = draw(json.loads(path.read_text(encoding="utf-8")))
        FigureCanvasAgg(figure).draw()
        for ax in figure.axes:
            box = ax._right_title.get_window_extent()
            assert box.x0 >= 0, path.stem
            assert box.x1 <= figure.bbox.width, path.stem


def test_the_smallest_run_goes_from_end_to_end(tmp_path, capfd):
    """Trains, measures and judges; called again it trains nothing and finds the same."""
    out, page = tmp_path / "out", tmp_path / "page.md"
    command = ["replicate", "harlow", "--size", "smoke", "--out", str(out), "--quiet"]
    assert run([*command, "--page", str(page)]) == 0
    shown = capfd.readouterr().out
    assert "trial 2, late, two new objects, six trials" in shown
    assert "Size smoke: does everything run? (its numbers mean nothing)" in page.read_text()
    first = read_found("harlow", out)
    made = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("weights.*")}
    assert len(made) == 2  # smallest early and late trainings are one
    assert run([*command, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == first
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_bad_use_is_told_in_one_line(tmp_path, capfd):
    with pytest.raises(InvalidTask, match="harlow"):
        replicate("harlov", "smoke", tmp_path)
    with pytest.raises(InvalidTask, match="smoke"):
        replicate("harlow", "smok", tmp_path)
    with pytest.raises(WrongUse, match="harlow-objects"):
        replicate("harlow", "smoke", tmp_path, ["harlow-object"])
    assert run(["replicate"]) == 2
    assert "give --page alone" in capfd.readouterr().err
    assert run(["replicate", "harlow", "--page", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


def test_a_replication_is_found_by_its_name_and_shown(capfd):
    assert run(["show", "rl2_mdps"]) == 0
    shown = capfd.readouterr().out
    assert "references-mdp: references, 10 to 100 inner episodes" in shown
    assert isinstance(REPLICATIONS["rl2_mdps"], Replication)
    assert dataclasses.is_dataclass(REPLICATIONS["rl2_mdps"])
