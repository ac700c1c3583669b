"""What probes say: a sentence, tidy rows, a figure; and the files that hold them."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image
from sb3_contrib import RecurrentPPO
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.cli.probe_tables import probe_tables
from metalocus.experiments.probes import figures, output
from metalocus.experiments.probes.base import PROBES, Probe
from metalocus.experiments.probes.measure import measure
from metalocus.experiments.probes.output import output_files, write_output, write_tensorboard
from metalocus.experiments.probes.rows import Row, tidy, wrapped
from metalocus.experiments.runs.provenance import made_by
from metalocus.experiments.runs.subject import find_subject

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=6)
EQUAL_ARMS = Setting("metalocus/ReversalBandit-v0", p=0.5, horizon=4)
PAGES = Path(__file__).parents[3] / "docs" / "probes"


@cache
def on_example(probe):
    """What a probe finds on its example."""
    kind, agent, setting = PROBES[probe].on_example()
    result = kind.run(agent, setting, 40)
    return {"agent": PROBES[probe].example[0], "title": "an example", **result}


def found(probe, name, episodes=40):
    """What a probe finds of a named agent on a bandit."""
    return measure(find_subject(name, BANDIT), probe, episodes)


@pytest.fixture(autouse=True)
def small(small_strategy):
    """The strategy probe fits little."""


def numbers(result, path=()):
    """Every number of a result that was measured, with the keys before it."""
    for key, value in result.items() if isinstance(result, dict) else enumerate(result):
        here = (*path, key)
        if key in ("env_kwargs", "episodes", "seed", "trials") and not path:
            continue
        if isinstance(value, dict | list):
            yield from numbers(value, here)
        elif isinstance(value, int | float):
            yield here, value


@pytest.mark.parametrize("probe", PROBES)
def test_every_number_of_the_result_is_in_the_rows_once(probe):
    """Each as a value, or as a standard error; and no others."""
    result = on_example(probe)
    rows = PROBES[probe]().rows(result)
    errors, values = [], []
    for path, value in numbers(result):
        (errors if any(str(key).endswith("_se") for key in path) else values).append(value)
    assert sorted(row.value for row in rows if row.value is not None) == sorted(map(float, values))
    assert sorted(row.se for row in rows if row.se is not None) == sorted(errors)
    places = [(row.quantity, row.label, row.trial) for row in rows]
    assert len(set(places)) == len(places)
    assert {row.quantity for row in rows} <= set(PROBES[probe].quantities)


@pytest.mark.parametrize("probe", PROBES)
def test_sentence_and_figure_hold_what_the_rows_hold(probe):
    """The sentence is one, and its numbers are those of rows, with their intervals."""
    result, spoken = on_example(probe), PROBES[probe]()
    sentence, rows = spoken.sentence(result), spoken.rows(result)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert ". " not in sentence
    quoted = {str(row) for row in rows if str(row) in sentence and row.se is not None}
    assert quoted, sentence
    figure = spoken.draw(result)
    assert isinstance(figure, Figure)
    assert figure.axes
    title = figure.get_suptitle().replace("\n", " ")
    assert sentence in title
    assert result["title"] in title


def test_the_terminal_shows_the_sentence_and_a_table_of_every_quantity_that_is_shown(capsys):
    for name, probe in PROBES.items():
        result = on_example(name)
        probe_tables(result)
        out = capsys.readouterr().out
        finding, _, rest = out.partition("\n\n")
        assert " ".join(finding.split()) == probe().sentence(result), name
        shown = {row.quantity for row in probe().rows(result)} & set(
            dict(probe().shown_quantities())
        )
        assert all(f"\n{quantity}: " in rest for quantity in shown), name


def test_a_quantity_without_any_number_has_no_table(capsys):
    result = dict(found("locus", "counts_split"))
    (quantity, _), (following, _) = PROBES["locus"]().shown_quantities()
    nothing = [None] * len(result["trials"])
    empty = {kind: dict.fromkeys(of, nothing) for kind, of in result[quantity].items()}
    probe_tables({**result, quantity: empty})
    shown, _, rest = capsys.readouterr().out.partition(f"\n{following}: ")
    assert shown.endswith("\nno number in any row\n")
    assert "┃" not in shown
    assert "┃" in rest


def test_numbers_stand_in_their_place():
    result = found("locus", "counts_split")
    rows = {(row.quantity, row.label, row.trial): row for row in PROBES["locus"]().rows(result)}
    for i, trial in enumerate(result["trials"]):
        row = rows["shares", "resample before weights", trial]
        assert (row.value, row.se) == (
            result["shares"]["resample before"]["weights"][i],
            result["shares_se"]["resample before"]["weights"][i],
        )
        assert row.low == pytest.approx(row.value - 1.959964 * row.se, rel=1e-6)
        assert row.high == pytest.approx(row.value + 1.959964 * row.se, rel=1e-6)
    assert rows["curve", "", 3].value == result["curve"][3]
    result = found("carry", "counts_split")
    rows = {(row.quantity, row.label, row.trial): row for row in PROBES["carry"]().rows(result)}
    kept = result["kept"]["resample"]
    assert rows["final", "resample all", None].value == kept["all"]["final"]
    assert rows["curve", "resample all", 2].se == kept["all"]["curve_se"][2]
    result = on_example("switch")
    rows = {(row.quantity, row.label): row for row in PROBES["switch"]().rows(result)}
    assert rows["cost", "switch"].se == result["switch"]["cost_se"]


def test_a_label_names_what_is_kept_in_every_probe():
    """An agent whose table is in the state does well exactly where the label names the state."""
    for store in ("state", "weights"):
        results = [
            found(probe, f"counts_in_{store}", 400) for probe in ("carry", "locus", "freeze")
        ]
        carry, locus, freeze = results
        end = {name: curve["final"] for name, curve in carry["kept"]["reset"].items()}
        act = {name: values[-1] for name, values in locus["values"]["reset before"].items()}
        half = {
            name.split()[0]: curve["final"]
            for name, curve in freeze["kept"].items()
            if not name.endswith("resample")
        }
        for by_label in (end, act, half):
            for label, value in by_label.items():
                kept = label == "all" or store in label.split("+")
                assert (value > 0.3) == kept, (label, value)
        assert set(half) <= set(act)


def test_how_numbers_are_said():
    for row, said in (
        (Row(None, "", "x", 0.856, 0.01), "0.86 [0.84, 0.88]"),
        (Row(None, "", "x", 0.0123456, 0.0004), "0.0123 [0.0116, 0.0131]"),
        (Row(None, "", "x", 0.5, 0.0), "0.50 [0.50, 0.50]"),
        (Row(None, "", "x", 3.0), "3"),
        (Row(None, "", "x", None), "no number"),
    ):
        assert str(row) == said


def test_no_number_is_apart_from_its_interval():
    sentence = "It ends at 0.86 [0.84, 0.88] with both, and at -0.02 [-0.05, 0.01] with neither."
    for width in range(25, 90):
        lines = wrapped(sentence, width).split("\n")
        assert " ".join(lines) == sentence
        assert all(len(line) <= width for line in lines)
        assert all(line.count("[") == line.count("]") for line in lines)
        assert not any(line.startswith("[") for line in lines)


def test_freezing_says_where_there_is_no_rule_that_changes_weights():
    for name, has in (("policy_gradient", True), ("counts_in_state", False)):
        sentence = PROBES["freeze"]().sentence(found("freeze", name))
        assert ("no rule" in sentence) != has


def test_where_nothing_can_be_measured_the_probe_says_so(tmp_path):
    """All arms are equal, so there is no choice value."""
    for probe in ("carry", "freeze", "locus", "optimality"):
        result = measure(find_subject("counts_split", EQUAL_ARMS), probe, 20)
        sentence = PROBES[probe]().sentence(result)
        assert sentence.startswith("No arm is better") == (probe != "optimality")
        write_output(tmp_path, result)


def test_every_kind_of_subject_speaks(tmp_path, finished, quick):
    """A run, in its other forms too; a zip; a reference, an online rule and a control."""
    env = BatchVecEnv(BANDIT.env, 2, seed=0, **BANDIT.kwargs)
    RecurrentPPO("MlpLstmPolicy", env, n_steps=6).save(tmp_path / "model.zip")
    run = find_subject(finished)
    zipped = find_subject(tmp_path / "model.zip", BANDIT, "RecurrentPPO")
    named = [find_subject(name, BANDIT) for name in ("thompson", "delta_rule", "leaky")]
    forms = [(run, {}), (run, {"rewritten": True}), (run, {"rate": 0.1})]
    for subject, form in [*forms, (zipped, {}), *((each, {}) for each in named)]:
        for probe in ("carry", "freeze", "locus", "optimality"):
            result = measure(subject, probe, 16, **form)
            assert result["title"].startswith(subject.title)
            assert PROBES[probe]().draw(result).axes
            assert " [" in PROBES[probe]().sentence(result)


@pytest.fixture
def roughly(monkeypatch):
    """Figures of few dots, whose parts are not moved apart."""
    monkeypatch.setattr(figures, "DOTS_A_INCH", figures.DOTS_A_INCH / 5)
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)
    return 5


def test_files_hold_the_same_numbers(tmp_path, roughly):
    for probe in PROBES:
        result = on_example(probe)
        written = write_output(tmp_path / "new", result)
        assert written == output_files(tmp_path / "new", probe)
        stored = json.loads(written[0].read_text())
        assert stored.pop("sentence") == PROBES[probe]().sentence(result)
        made = stored.pop("made")
        assert made == {"run": None, "weights": None} | made_by(PROBES[probe].__module__)
        about = json.loads(pq.read_schema(written[1]).metadata[b"about"])
        assert about == {"made": made} | {name: result[name] for name in output.SETTINGS}
        assert stored == result
        table = pq.read_table(written[1], page_checksum_verification=True).to_pylist()
        assert table == [
            {**vars(row), "low": row.low, "high": row.high} for row in PROBES[probe]().rows(stored)
        ]
        with Image.open(written[2]) as image:
            assert min(image.size) * roughly >= 500
            assert np.asarray(image.convert("L")).std() > 5, "it is not blank"
        assert b"<svg" in written[3].read_bytes()


def test_equal_findings_give_equal_files(tmp_path):
    written, again = (
        write_output(tmp_path / name, on_example("stay")) for name in ("new", "again")
    )
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
    with Image.open(written[2]) as image:
        assert min(image.size) >= 500


def test_files_are_written_all_or_none(tmp_path, monkeypatch):
    write, result = output.write_atomically, on_example("stay")

    def full(path, data):
        if path.suffix == ".png":
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(output, "write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        write_output(tmp_path, result)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_shows_what_was_found_of_a_run(run):
    before = {path: path.read_bytes() for path in run.iterdir()}
    result = measure(find_subject(run), "locus", 16)
    write_tensorboard(run, result)
    (events,) = set(run.iterdir()) - set(before)
    assert all(path.read_bytes() == data for path, data in before.items())
    shown = EventAccumulator(str(events), size_guidance={"scalars": 0})
    shown.Reload()
    state = shown.Scalars("probe/locus/shares/resample_before_state")
    assert [event.step for event in state] == result["trials"]
    expected = result["shares"]["resample before"]["state"]
    assert [event.value for event in state] == pytest.approx(expected)
    assert shown.Tags()["images"] == ["probe/locus/figure"]
    text = shown.Tensors("probe/locus/finding/text_summary")[0].tensor_proto.string_val[0]
    assert text.decode() == PROBES["locus"]().sentence(result)
    assert find_subject(run).title, "the run is whole"


def test_every_probe_has_a_page_that_tells_of_each_of_its_numbers():
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    for name, probe in PROBES.items():
        assert f"[{name}]({name}.md)" in index
        text = " ".join((PAGES / f"{name}.md").read_text(encoding="utf-8").split())
        assert text.startswith(f"# {name} {probe.question[:1].upper()}{probe.question[1:]}"), name
        for part in ("Method", "Source", "It tells", "It cannot tell"):
            assert f"**{part}" in text, (name, part)
        assert "**Controls" in text or "## Controls" in text, name
        for quantity in probe.quantities:
            assert f"`{quantity}`" in text, (name, quantity)


class Plain(Probe):
    """A probe that only measures."""

    name = "plain"
    question = "what does a probe without a voice say?"

    def measure(self, agent, chunks):
        return {"gain": {"early": 0.25, "late": [0.5, None]}, "gain_se": {"early": 0.01}}


def test_a_probe_that_only_measures_speaks_all_the_same():
    result = Plain().run(make_named("random", BANDIT.family), BANDIT, 2)
    assert Plain().sentence(result) == "early of gain: 0.25 [0.23, 0.27]."
    assert Plain().rows(result) == tidy(result, ())
    assert [(row.quantity, row.trial, row.value) for row in Plain().rows(result)] == [
        ("early", None, 0.25),
        ("late", 0, 0.5),
        ("late", 1, None),
    ]
    assert len(Plain().draw(result).axes) == 2
