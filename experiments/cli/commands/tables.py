"""Many agents measured for a page of results; published results run again; speed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from metalocus.experiments.cli.asked import on_executor
from metalocus.experiments.cli.options import Address, ExecutorName, Json, Quiet
from metalocus.experiments.cli.texts import Texts, print_json
from metalocus.experiments.errors import WrongUse


def compare(
    preset: str = "quick",
    agents: Texts = (),
    tasks: Texts = (),
    out: Path = Path("compare"),
    page: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Every agent on every kind of task, beside references.

    Preset quick takes two hours on two cores.

    Example: metalocus compare --agents lstm maml wsls --tasks five_arms

    Args:
        preset: quick (three seeds, 2 or 4 million steps each: hours), full, smoke (does it run?).
        agents: names; if left out, all that are trained or learn online, and the references.
        tasks: of bandit, five_arms, reversal, rules, binding, dataset; all if left out.
        out: folder for runs and measurements; started again, it goes on where it was.
        page: write the table to this Markdown file, which must not exist.
    """
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.comparison.compare import compare as measure
    from metalocus.experiments.comparison.page import comparison_page
    from metalocus.experiments.display import hush

    hush(quiet)
    if page is not None:
        require_new(page, "--page")
    with on_executor(executor, address):
        found = measure(preset, out, agents or None, tasks or None)
    text = comparison_page(found)
    if page is not None:
        write_page(page, text)
    print_json(found) if json else print(page or text)


def replicate(
    name: Positional[str | None] = None,
    size: Literal["smoke", "quick", "full"] = "quick",
    parts: Texts = (),
    out: Path = Path("replicate"),
    device: Literal["cpu", "cuda"] = "cpu",
    page: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Run a published result again: train, measure, set ours beside theirs; minutes to days.

    What each part costs stands on the page, in CPU minutes a seed at full size.

    Example: metalocus replicate rl2_bandits --parts references-n10-k5 alike-arms-n10-k5

    Args:
        name: of the replication, see `metalocus list replications`; none with --page alone.
        size: smoke (does it run?), quick (one seed, an eighth of the steps), or full (three seeds).
        parts: some of its parts; all if left out. What was run before at this size is kept.
        out: folder for runs and results (JSON, Parquet, PNG, SVG); it goes on where it was.
        device: to train on; the same run on another device is another run.
        page: write what the folder holds of all replications to this Markdown file, which must not
            exist.
    """
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.display import hush
    from metalocus.experiments.replications.output import write_output
    from metalocus.experiments.replications.page import lines_of, replications_page
    from metalocus.experiments.replications.replicate import replicate as run

    hush(quiet)
    if name is None and (page is None or parts):
        raise WrongUse("name a replication (`metalocus list replications`), or give --page alone")
    if page is not None:
        require_new(page, "--page")
    if name is not None:
        with on_executor(executor, address):
            found = run(name, size, out, parts or None, device)
        written = write_output(out, found)
        if json:
            print_json(found)
        else:
            print("\n".join(lines_of(found)), *written, sep="\n")
    if page is not None:
        write_page(page, replications_page(out))
        if not json:
            print(page)


def survey(
    what: Positional[Texts],
    agents: Texts = (),
    episodes: int = 1000,
    out: Path = Path("survey"),
    page: Path | None = None,
    intro: Path | None = None,
    quiet: Quiet = False,
) -> None:
    """Every probe on many runs: what each found, on a page.

    A run takes one to three CPU minutes for 1,000 episodes of 100 trials, a transformer most.

    Example: metalocus survey runs/* --agents bayes_optimal delta_rule --page found.md

    Args:
        what: run directories.
        agents: names of references and online rules, which are probed on the same tasks.
        episodes: fresh episodes to play for each measurement.
        out: folder of findings; what is there already is not measured again.
        page: write the findings to this Markdown file, which must not exist.
        intro: a Markdown file whose text stands at the top of the page.
    """
    from metalocus.experiments.cli.outputs import read_text, require_new, write_page
    from metalocus.experiments.display import hush
    from metalocus.experiments.survey.page import survey_page
    from metalocus.experiments.survey.survey import survey as measure

    hush(quiet)
    if page is not None:
        require_new(page, "--page")
    top = "" if intro is None else read_text(intro, "--intro")
    runs = [Path(each) for each in what]
    text = survey_page(measure(runs, agents, episodes, out), top)
    if page is not None:
        write_page(page, text)
    print(page or text)


def calibrate(
    replications: int = 200,
    out: Path | None = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How often the probes' 95% intervals hold what is known.

    Effects of known size are measured again and again: 200 times take forty CPU minutes, most
    of them for the mixtures of `strategy`, on as many cores as there are.

    Example: metalocus calibrate --replications 200 --out calibration.md

    Args:
        replications: of every effect, each on fresh episodes.
        out: write the table to this Markdown file, which must not exist.
    """
    from metalocus.experiments.calibration.calibrate import calibrate as measure
    from metalocus.experiments.calibration.page import as_records, calibration_page
    from metalocus.experiments.calibration.planted import planted
    from metalocus.experiments.cli.outputs import require_new, write_page
    from metalocus.experiments.display import hush
    from metalocus.experiments.probes.base import PROBES
    from metalocus.experiments.runs.provenance import each_made_by

    hush(quiet)
    if out is not None:
        require_new(out, "--out")
    found, seconds = measure(planted(), replications)
    text = calibration_page(found, seconds)
    if out is not None:
        write_page(out, text)
    if json:
        print_json(each_made_by(as_records(found), measure.__module__, *PROBES.sources()))
    else:
        print(out or text)


def bench(
    what: Positional[Literal["env", "train", "probe"]],
    device: Literal["cpu", "cuda"] = "cpu",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure speed; training takes eleven minutes and probes six.

    Example: metalocus bench env

    Args:
        what: environments, training or probes.
        device: to train on.
    """
    from metalocus.experiments.bench.benches import BENCHES
    from metalocus.experiments.display import hush
    from metalocus.experiments.probes.base import PROBES
    from metalocus.experiments.runs.provenance import each_made_by

    hush(quiet)
    if device != "cpu" and what != "train":
        raise WrongUse(f"only training is measured on {device}; leave --device out")
    bench = BENCHES[what]
    found = bench(device) if what == "train" else bench()
    if json:
        print_json(each_made_by(found, bench.__module__, *PROBES.sources()))
        return
    for row in found:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
