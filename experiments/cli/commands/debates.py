"""The main job and its parts: the debate, one claim of it, its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tyro.conf import Positional

from metalocus.experiments.cli.asked import on_executor, setting_of
from metalocus.experiments.cli.options import (
    Address,
    AskedAgent,
    AskedAgentKwargs,
    AskedClaims,
    AskedSetting,
    DebateFolder,
    ExecutorName,
    Json,
    PresetName,
    Quiet,
)
from metalocus.experiments.cli.texts import keywords, print_json
from metalocus.experiments.errors import WrongUse


def debate(
    preset: PresetName = "quick",
    claims: AskedClaims = (),
    agent: AskedAgent = None,
    agent_kwargs: AskedAgentKwargs = (),
    setting: AskedSetting = (),
    seeds: int | None = None,
    out: DebateFolder = Path("debate"),
    shipped: bool = False,
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Train, probe, judge the claims and write report.html; the main job.

    Preset quick takes eight minutes on two quiet cores with AVX-512, eighteen without, smoke one or
    two, full some ten hours.

    Example: metalocus debate --preset smoke --out trial

    Args:
        seeds: the first so many of the preset's training seeds; more can be added later.
        shipped: run nothing; show the full run that comes with the package, in shipped.html under
            --out.
    """
    from metalocus.experiments.cli.tables import verdict_table
    from metalocus.experiments.debate.main import run_debate
    from metalocus.experiments.display import hush

    hush(quiet)
    own = keywords(agent_kwargs, "--agent-kwargs")
    if shipped:
        found, page = _shipped(
            out, preset != "quick" or bool(claims or agent or setting or own or seeds)
        )
    else:
        with on_executor(executor, address):
            found = run_debate(preset, out, agent, setting_of(setting), own, claims, seeds)
        page = out / "report.html"
    if json:
        print_json(found)
        return
    verdict_table(found)
    print(f"\nreport: {page}")
    if not shipped:
        print(f"TensorBoard: tensorboard --logdir {out / 'runs'}")


def _shipped(out: Path, asks: bool) -> tuple[dict[str, Any], Path]:
    """The debate that comes with the package, and its page, written into a folder."""
    from metalocus.experiments.debate.report import write_shipped
    from metalocus.experiments.folders.lease import require_writable

    if asks:
        raise WrongUse("--shipped runs nothing; leave preset, claims, agent and setting out")
    require_writable(out)
    return write_shipped(out)


def claim(
    name: Positional[str],
    preset: PresetName = "quick",
    agent: AskedAgent = None,
    agent_kwargs: AskedAgentKwargs = (),
    setting: AskedSetting = (),
    out: DebateFolder = Path("debate"),
    json: Json = False,
    quiet: Quiet = False,
    executor: ExecutorName = "local",
    address: Address = None,
) -> None:
    """Train, probe and judge a single claim of the debate; minutes with preset quick.

    Example: metalocus claim emergence --preset full

    Args:
        name: of the claim, or its number; see `metalocus list claims`.
    """
    from metalocus.experiments.cli.tables import verdict_table
    from metalocus.experiments.debate.made import made
    from metalocus.experiments.debate.main import run_claim
    from metalocus.experiments.display import hush

    hush(quiet)
    own = keywords(agent_kwargs, "--agent-kwargs")
    with on_executor(executor, address):
        found = run_claim(name, preset, out, agent, setting_of(setting), own)
    if json:
        print_json({**found, "made": made()})
    else:
        verdict_table({"verdicts": [found], "preset": {"name": preset}})


def report(folder: Positional[Path]) -> None:
    """Write report.html of a debate again, from what was measured; takes seconds.

    Example: metalocus report debate

    Args:
        folder: of the debate.
    """
    from metalocus.experiments.debate.report import write_report

    print(write_report(folder))
