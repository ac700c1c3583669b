"""The command line: what each command prints, for people and as JSON."""

import functools
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from types import ModuleType

import pytest

from metalocus.agents.catalogue import REFERENCES
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.bench.benches import BENCHES
from metalocus.experiments.bench.env import bench_env
from metalocus.experiments.cli import registry, texts
from metalocus.experiments.cli.parsing import parse
from metalocus.experiments.cli.registry import COMMANDS
from metalocus.experiments.debate import main as debate
from metalocus.experiments.debate.made import made
from metalocus.experiments.folders.folder import WEIGHTS
from metalocus.experiments.probes import measure
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.runs.named import NAMED
from metalocus.experiments.runs.provenance import made_by
from metalocus.experiments.studies.presets import PRESETS

pytestmark = pytest.mark.usefixtures("elsewhere")

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
GENERAL = ("carry", "freeze", "influence", "locus", "optimality")
"""Probes that have an answer on every task, and are quick."""
KINDS = ("envs", "agents", "trainers", "references", "probes", "claims", "replications")


def test_every_function_in_a_file_of_commands_is_one_and_no_two_have_one_name(monkeypatch):
    assert tuple(COMMANDS) == registry.FIRST
    code = "from pathlib import Path\ndef zip_(): ...\ndef bench(): ...\ndef _own(): ...\nkind = 5"
    planted = [ModuleType("one"), ModuleType("two")]
    exec(code, vars(planted[0]))
    monkeypatch.setattr(registry, "modules", lambda package: iter(planted))
    assert list(registry.found()) == ["bench", "zip"]
    exec("def zip(): ...", vars(planted[1]))
    with pytest.raises(InvalidTask, match="two commands are called 'zip'; rename one"):
        registry.found()


def test_help_is_given(call):
    for line in ("", "--help", *(f"{name} --help" for name in COMMANDS)):
        code, out, err = call(line)
        assert (code, err) == (0, ""), line
        named = line.split()[:-1] or COMMANDS
        assert all(name in out for name in named), line


def test_the_first_help_fits_a_screen_and_says_how_to_get_more(call):
    _, out, _ = call("--help")
    assert len(out.splitlines()) <= 45
    assert "metalocus COMMAND --help" in out


def test_help_of_every_command_has_an_example_that_parses_and_fits_a_screen(call):
    for name in COMMANDS:
        _, out, _ = call(f"{name} --help")
        example = re.search(rf"^Example: metalocus ({name} .*)$", out, re.MULTILINE)[1]
        parse(example.split(), COMMANDS)
        assert re.search("seconds|minutes|hours", out.partition("options")[0]), f"{name}: its cost"
        assert len(out.splitlines()) <= 60, name


def test_whatever_takes_long_can_be_told_to_show_no_progress():
    loud = {name for name, each in COMMANDS.items() if "quiet" not in signature(each).parameters}
    short = {"list", "show", "runs", "status", "tensorboard", "report", "export", "import"}
    assert loud == short


def test_lists(call, document):
    everything = document("list --json")
    assert list(everything) == list(KINDS)
    for kind in KINDS:
        entries = document(f"list {kind} --json")
        assert entries == everything[kind]
        code, out, err = call(f"list {kind}")
        lines = [line for line in out.splitlines() if re.match("  [^ ]", line)]
        assert (code, err) == (0, "")
        assert out.startswith(kind)
        assert [line.split()[0] for line in lines] == [entry["name"] for entry in entries]
        assert all(entry["about"] in line for entry, line in zip(entries, lines, strict=True))


def test_listing_everything_shows_every_kind(call):
    _, out, _ = call("list")
    headings = [line for line in out.splitlines() if not line.startswith(" ")]
    assert list(dict.fromkeys(re.split("[,:]", line)[0] for line in headings)) == list(KINDS)
    assert all(name in out for name in FAMILIES)


def test_score(call, document):
    line = f"score --env {BANDIT} --policy random --episodes 200 --env-kwargs n_arms=5 horizon=10"
    found = document(f"{line} --json")
    assert found.keys() >= {"mean", "low", "high", "episodes"}
    assert found["low"] < found["mean"] < found["high"]
    assert found["mean"] == pytest.approx(5.0, abs=1.0)
    assert found["episodes"] == 200
    assert found["env_kwargs"] == {"n_arms": 5, "horizon": 10}
    assert found["made"] == made_by("metalocus.experiments.scoring.returns")
    assert document(f"{line} --json") == found
    assert document(f"{line} --seed 1 --json")["mean"] != found["mean"]
    code, out, err = call(line)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert out.startswith(f"random: {found['mean']:.3f}  95% [{found['low']:.3f},")


def test_scores_of_every_reference_on_one_environment(call, document):
    line = f"score --env {BANDIT} --episodes 50 --env-kwargs horizon=5"
    found = document(f"{line} --json")
    by_name = {row["policy"]: row for row in found}
    family = make_family(BANDIT, horizon=5)
    assert set(by_name) == {name for name, cls in REFERENCES.items() if cls.why_not(family) is None}
    assert by_name["bayes_optimal"] == document(f"{line} --policy bayes_optimal --json")
    assert [name for name, row in by_name.items() if row["exact"]] == ["bayes_optimal"]
    out = call(line)[1].splitlines()
    means = [float(text.split(": ")[1].split()[0]) for text in out[1:]]
    assert out[0] == f"{BANDIT} horizon=5:"
    assert means == sorted(means, reverse=True)
    assert len(means) == len(found)
    exact = [text for text in out if text.endswith("  exact")]
    assert [text.split(":")[0] for text in exact] == ["bayes_optimal"]


def test_scores_of_one_reference_everywhere_as_a_page(call, document, elsewhere):
    found = document("score --policy filter --episodes 20 --json")
    assert {row["env"] for row in found} == {REVERSAL}
    assert [row["env_kwargs"] for row in found] == [{}, *map(dict, FAMILIES[REVERSAL].examples)]
    assert call("score --policy filter --episodes 20 --out page.md") == (0, "page.md\n", "")
    page = (elsewhere / "page.md").read_text(encoding="utf-8").splitlines()
    assert f"## {REVERSAL}" in page
    half = (found[1]["high"] - found[1]["low"]) / 2
    assert f"| `cued=True` | **filter** {found[1]['mean']:.2f} ± {half:.2f} |" in page
    assert sum(line.startswith("| `") for line in page) == len(found) - 1
    assert any(line.startswith("| defaults | **filter** ") for line in page)


def test_a_page_of_scores_tells_the_command_that_makes_it(call, elsewhere):
    line = f"score --env {BANDIT} --policy wsls --episodes 20 --seed 4 --env-kwargs horizon=9"
    assert call(f"{line} --out page.md")[0] == 0
    page = (elsewhere / "page.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"Made by `metalocus (.*) --out FILE`", page)
    assert call(f"{told} --out again.md")[0] == 0
    assert (elsewhere / "again.md").read_text(encoding="utf-8") == page


def test_everything_is_scored_by_one_command(document, monkeypatch):
    """With stand-ins for all but two environments."""
    few = [Setting(BANDIT, horizon=2), Setting(REVERSAL, horizon=1)]
    monkeypatch.setattr("metalocus.experiments.scoring.returns.configurations", lambda: few)
    found = document("score --episodes 10 --json")
    assert {row["env"] for row in found} == {BANDIT, REVERSAL}
    assert {"bayes_optimal", "filter", "random", "oracle"} <= {row["policy"] for row in found}


def test_arguments_of_the_environment_are_python_values_or_texts():
    pairs = ("n_arms=3", "p=.5", "cued=True", "prior=beta(1,2)", "observe=('action','reward')")
    sets = ("observe={'action'}", "odd={[]:1}")  # no run can be named by these
    assert texts.keywords(sets) == {"observe": "{'action'}", "odd": "{[]:1}"}
    assert texts.keywords(pairs) == {
        "n_arms": 3,
        "p": 0.5,
        "cued": True,
        "prior": "beta(1,2)",
        "observe": ("action", "reward"),
    }


def test_training_makes_the_run_once_and_prints_its_folder(call, finished, tiny, train_command):
    folder = Path("runs") / tiny.name
    assert call(train_command) == (0, f"{folder}\n", "")
    assert (folder / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert call(train_command) == (0, f"{folder}\n", "")
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} <= {".lock"}


def test_evaluate(call, document, run):
    found = document("evaluate --episodes 40 --json", run)
    assert found["agent"] == "lstm"
    assert found["best"] == "bayes_optimal"
    policies = found["policies"]
    assert policies.keys() >= {"lstm", "lstm (greedy)", "random", "bayes_optimal", "oracle", "wsls"}
    assert "filter" not in policies, "it cannot play this task"
    chance, optimum = policies["random"]["mean"], policies["bayes_optimal"]["mean"]
    for row in policies.values():
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["score"] == pytest.approx((row["mean"] - chance) / (optimum - chance))
    assert document("evaluate --episodes 40 --json", run) == found
    assert found["made"] == made_by("metalocus.experiments.scoring.evaluate")
    code, out, err = call("evaluate --episodes 40", run)
    assert (code, err) == (0, "")
    assert all(name in out for name in policies)
    assert f"{policies['oracle']['mean']:.3f}" in out


def test_a_task_without_a_gap_gives_no_score_but_a_document(call, document):
    config = f"--env {REVERSAL} --agent mlp --env-kwargs p=0.5 horizon=2"
    code, folder, _ = call(f"train {config} --steps 0 --n-envs 2")
    assert code == 0
    found = document("evaluate --episodes 20 --json", folder.strip())
    gap = found["policies"]["filter"]["mean"] - found["policies"]["random"]["mean"]
    assert (found["policies"]["mlp"]["score"] is None) == (gap == 0.0)
    call("evaluate --episodes 20", folder.strip())
    for probe in GENERAL:
        document(f"probe --probe {probe} --episodes 8 --json", folder.strip())


def test_a_probe_of_one_task_says_of_which(call, run):
    for probe, task in (("stay", "TwoStep"), ("switch", "CuedSwitching")):
        code, out, err = call(f"probe --probe {probe} --episodes 16", run)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"{task}, not of BernoulliBandit-v0" in err


def test_probes(call, document, run, monkeypatch):
    """What was measured is told as JSON, and in words with a table."""
    monkeypatch.setattr(measure, "measure", remembered(measure.measure))
    for probe in GENERAL:
        found = document(f"probe --probe {probe} --episodes 16 --json", run)
        assert (found["probe"], found["episodes"], found["env"]) == (probe, 16, BANDIT)
        code, out, err = call(f"probe --probe {probe} --episodes 16", run)
        assert (code, err) == (0, ""), probe
        finding, _, rest = out.partition("\n\n")
        assert " ".join(finding.split()) == PROBES[probe]().sentence(found)
        assert rest.startswith(found["title"]), probe


def remembered(function):
    """The same function, which works once for equal arguments after the first."""
    found = {}

    def recall(subject, *rest):
        if repr(rest) not in found:
            found[repr(rest)] = function(subject, *rest)
        return found[repr(rest)]

    return recall


def test_what_a_probe_found_is_written_with_out(call, document, run):
    """Beside each other for several probes; never over what is there; before any work is done."""
    line = "probe --episodes 16 --out found --probe"
    code, out, err = call(f"{line} carry", run)
    assert (code, err) == (0, "")
    files = [f"found/carry.{suffix}" for suffix in ("json", "parquet", "png", "svg")]
    assert out.splitlines()[-4:] == files
    assert len(list(run.glob("events.out.tfevents.*.probe-carry"))) == 1
    stored = json.loads(Path(files[0]).read_text())
    assert stored.pop("sentence")
    assert {"date", "source", "versions", "machine", "run", "weights"} == stored.pop("made").keys()
    assert stored == document("probe --episodes 16 --probe carry --json", run)
    document(f"{line} optimality --json", "thompson", "--env", BANDIT)
    assert len(list(Path("found").iterdir())) == 8
    code, out, err = call(f"{line} carry", "no such run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "found/carry.json exists" in err


def test_probes_of_a_run_in_another_form(document, run):
    probe = "probe --probe locus --episodes 16 --json"
    trained, rewritten = document(probe, run), document(f"{probe} --rewritten", run)
    updating = document(f"{probe} --rate 0.1", run)
    names = [found["agent"] for found in (trained, rewritten, updating)]
    assert names == ["lstm", "lstm, rewritten", "lstm, updating at rate 0.1"]
    assert rewritten["curve"] == pytest.approx(trained["curve"], abs=1e-6)
    assert rewritten["shares"]["resample before"]["state"] == pytest.approx(
        [0.0] * len(rewritten["trials"])
    )
    assert updating["curve"] != trained["curve"]
    found = document("probe --probe freeze --episodes 16 --rate 0 --json", run)
    assert found["kept"]["all"] == found["kept"]["state+context"]


def test_export_and_import_give_the_same_numbers(call, document, run):
    assert call("export", run, "--sb3", "run.zip") == (0, "run.zip\n", "")
    code, folder, err = call("import run.zip --out imported")
    assert (code, err) == (0, "")
    assert folder.strip() == str(Path("imported") / run.name)
    mine = document("evaluate --episodes 20 --json", run)
    his = document("evaluate --episodes 20 --json", folder.strip())
    assert mine["policies"] == his["policies"]
    assert call("export", run, "--sb3", "run.zip")[::2] == (
        2,
        "metalocus: run.zip exists; give --sb3 another name or remove it\n",
    )
    code, out, err = call("import run.zip --out imported")
    assert (code, out) == (2, "")
    assert "exists; choose another --out" in err


@pytest.fixture
def verdict():
    """What a debate finds, as far as it is printed."""
    measured = {"a_task": {"values": [0.4, 0.6], "estimate": 0.5, "low": 0.4, "high": 0.6}}
    prediction = {"side": "recurrence", "quantity": "q", "relation": ">=", "bound": 0.45}
    prediction |= {"says": "so it is", "by_construction": False}
    prediction["tasks"] = {"a_task": {"verdict": "undecided", "p": 0.3, "more_seeds": 4}}
    found = {"claim": "c", "number": 3, "statement": "So it is.", "predictions": [prediction]}
    found["quantities"] = {"q": {"about": "how much", "tasks": measured}}
    return {**found, "register": {"equal": True, "entries": []}}


def test_debates_and_claims_are_printed_as_told(call, document, monkeypatch, verdict):
    asked = []
    whole = {"preset": {"name": "quick"}, "verdicts": [verdict]}
    monkeypatch.setattr(debate, "run_debate", lambda *how: asked.append(how) or whole)
    monkeypatch.setattr(debate, "run_claim", lambda *how: asked.append(how) or verdict)
    assert document("debate --json") == whole
    assert document("debate --claims 5 locus --json") == whole
    told = {**verdict, "made": made()}
    assert document("claim locus --preset full --out there --json") == told
    assert (
        document("claim locus --agent gru --agent-kwargs hidden_size=8 --setting five_arms --json")
        == told
    )
    assert asked == [
        ("quick", Path("debate"), None, None, {}, (), None),
        ("quick", Path("debate"), None, None, {}, ("5", "locus"), None),
        ("locus", "full", Path("there"), None, None, {}),
        ("locus", "quick", Path("debate"), "gru", NAMED["five_arms"], {"hidden_size": 8}),
    ]
    for line in ("debate", "claim locus"):
        code, out, err = call(line)
        assert (code, err) == (0, "")
        for said in ("3 c: So it is.", "at least", "0.45)", "a task", "0.500 [0.400, 0.600]"):
            assert said in out
        assert "? undecided, 4 more" in out


@functools.wraps(bench_env)
def timed():
    return [{"env": "x", "speed": 3}]


def test_benches_are_printed_as_told(call, document, monkeypatch):
    monkeypatch.setitem(BENCHES, "env", timed)
    (found,) = document("bench env --json")
    made_with = made_by(bench_env.__module__, *PROBES.sources())
    assert found == {"env": "x", "speed": 3, "made": made_with}
    assert call("bench env") == (0, "env x  speed 3\n", "")


def test_every_preset_is_explained(call):
    _, out, _ = call("debate --help")
    assert all(name in out for name in PRESETS)


def test_the_console_script(elsewhere):
    script = shutil.which("metalocus", path=Path(sys.executable).parent)
    done = subprocess.run([script, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{version('metalocus')}\n", "")
    done = subprocess.run([script, "evaluate"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert list(elsewhere.iterdir()) == []
