"""What the package ships: the full debate's verdicts and values, and agents trained for it."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import read_record
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask
from metalocus.envs.discovery import unknown
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.runs.load import load_policy

DATA = Path(__file__).with_name("data")
VERDICTS, VALUES, AGENTS = "verdicts.json", "values.parquet", "agents"
"""Of a debate as ``verdicts.json`` has it; every seed's values; a run an agent and task."""
NOTHING = "this version of metalocus ships no results; run `metalocus debate --preset full`"


def shipped_debate(data: Path | None = None) -> dict[str, Any]:
    """What the full debate found, as in its ``verdicts.json``.

    The ``source`` of a claim that :mod:`~metalocus.experiments.debate.more` was asked for names
    all code that measured it, in the order of seeds.

    Args:
        data: folder of what is shipped; None for that of the package.

    Raises:
        NotARun: nothing is shipped.
        Corrupt: it is damaged.
    """
    file = (data or DATA) / VERDICTS
    if not file.exists():
        raise NotARun(NOTHING)
    return read_record(file, "install metalocus again")


def shipped_claims(names: Collection[str]) -> dict[str, Any] | None:
    """The shipped verdicts on some claims, with what made them; None if there are none.

    Args:
        names: of claims.

    Returns:
        ``verdicts``, and ``preset``, ``tasks`` and ``made`` of the debate that found them.

    Raises:
        Corrupt: what is shipped is damaged.
    """
    if not (DATA / VERDICTS).exists():
        return None
    found = shipped_debate()
    verdicts = [each for each in found["verdicts"] if each["claim"] in names]
    kept = {name: found[name] for name in ("preset", "tasks", "made")}
    return {**kept, "verdicts": verdicts} if verdicts else None


def shipped_agent(agent: str, task: str) -> TrainedAgent:
    """An agent of the full debate, trained on a task with seed 0; nothing is unpickled.

    Args:
        agent: its name, as for ``metalocus train``.
        task: short name of the setting that it was trained on, such as ``five_arms``.

    Raises:
        NotARun: nothing is shipped.
        InvalidTask: that agent, or that task of it, is not among what is shipped.
        Corrupt: it is damaged.
    """
    if not (DATA / AGENTS).exists():
        raise NotARun(NOTHING)
    agents = _folders(DATA / AGENTS)
    if agent not in agents:
        raise InvalidTask(unknown("shipped agent", agent, agents))
    tasks = _folders(DATA / AGENTS / agent)
    if task not in tasks:
        raise InvalidTask(unknown(f"task of the shipped {agent}", task, tasks))
    with warnings.catch_warnings():  # made by the release's code, whatever has changed since
        warnings.filterwarnings("ignore", message=".* was made by other code")
        return load_policy(DATA / AGENTS / agent / task)[0]


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder, in order."""
    return sorted(each.name for each in folder.iterdir() if each.is_dir())
