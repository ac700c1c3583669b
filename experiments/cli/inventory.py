"""What there is, from the registries: environments, agents, probes and whatever else is found."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES
from metalocus.agents.cells.base import TRAINABLES, Trainable
from metalocus.agents.trainers.base import TRAINERS, Trainer
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.discovery import unknown
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.claims.base import CLAIMS, in_order
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.replications.base import REPLICATIONS, Replication
from metalocus.experiments.runs.arguments import agent_defaults, env_defaults, train_defaults
from metalocus.experiments.runs.config import RL
from metalocus.experiments.scoring.returns import configurations, pairs

Entry = dict[str, Any]
USED = {
    "trained": "trained by `metalocus train`",
    "online": "not trained, weights updated at every trial",
    "control": "not trained, wired by hand",
}
"""How an agent is used, by its kind."""


def inventory(kinds: Iterable[str] | None = None) -> dict[str, list[Entry]]:
    """Everything there is by kind: its name, one line about it, and what else its kind has.

    Args:
        kinds: some of ``ENTRIES``; all if None.
    """
    return {kind: ENTRIES[kind]() for kind in (ENTRIES if kinds is None else kinds)}


def environments() -> list[Entry]:
    """The task families with their ``arguments`` and, by default, their ``observation`` and size.

    The observation is the width of each of its parts by name, in order.
    """
    return [
        {
            "name": name,
            "about": family.separates,
            "arguments": env_defaults(Setting(name)),
            "observation": {
                part: where.stop - where.start
                for part, where in Setting(name).layout.slices.items()
            },
            "actions": Setting(name).family.n_arms,
            "trials": Setting(name).family.horizon,
        }
        for name, family in FAMILIES.items()
    ]


def agents() -> list[Entry]:
    """Agents that are no references, with their ``kind``: trained, online or control."""
    trained = [(name, agent.summary, "trained") for name, agent in TRAINABLES.items()]
    online = [(name, cls.summary, "online") for name, cls in ONLINE.items()]
    controls = [(name, cls.summary, "control") for name, cls in CONTROLS.items()]
    return [
        {"name": name, "about": about, "kind": kind}
        for name, about, kind in (*trained, *online, *controls)
    ]


def trainers() -> list[Entry]:
    """The ways to train an agent."""
    return [{"name": name, "about": each.summary} for name, each in TRAINERS.items()]


def references() -> list[Entry]:
    """The references, each with what it can play.

    ``envs`` are the environments, ``configurations`` their defaults and examples, which are what
    `metalocus score` plays.
    """
    played: dict[str, list[Entry]] = {name: [] for name in REFERENCES}
    for setting, name in pairs(configurations()):
        played[name].append(setting.to_dict())
    return [
        {
            "name": name,
            "about": cls.summary,
            "envs": sorted({each["env"] for each in played[name]}),
            "configurations": played[name],
        }
        for name, cls in REFERENCES.items()
    ]


def probes() -> list[Entry]:
    """The probes, by the question that each answers."""
    return [{"name": name, "about": cls.question} for name, cls in PROBES.items()]


def claims() -> list[Entry]:
    """The claims of the debate by number; what checks the apparatus has none and comes last."""
    return [
        {"name": claim.name, "number": claim.number, "about": claim.statement}
        for claim in in_order(CLAIMS.values())
    ]


def replications() -> list[Entry]:
    """The published results that can be run again, each with its ``parts``."""
    return [
        {"name": name, "about": each.title, "parts": [part.name for part in each.parts]}
        for name, each in REPLICATIONS.items()
    ]


ENTRIES = {
    "envs": environments,
    "agents": agents,
    "trainers": trainers,
    "references": references,
    "probes": probes,
    "claims": claims,
    "replications": replications,
}
"""What lists each kind."""


def listing(kind: str, entries: Sequence[Entry]) -> list[str]:
    """Lines on the terminal: a name and what it is, agents by how they are used."""
    lines, heading = [], ""
    width = max((len(entry["name"]) for entry in entries), default=0)
    for entry in entries:
        above = f"{kind}, {USED[entry['kind']]}:" if "kind" in entry else f"{kind}:"
        if above != heading:
            lines.append(above)
            heading = above
        number = f"{entry['number'] or '':>2}  " if "number" in entry else ""
        lines.append(f"  {entry['name']:{width}}  {number}{entry['about']}")
        lines += [f"      {detail}" for detail in _takes(entry)]
    return lines


def _takes(entry: Entry) -> list[str]:
    """What an environment takes and shows; nothing of others."""
    if "arguments" not in entry:
        return []
    arguments = " ".join(f"{name}={value}" for name, value in entry["arguments"].items())
    parts = ", ".join(f"{part} [{size}]" for part, size in entry["observation"].items())
    sizes = f"{entry['actions']} actions, {entry['trials']} trials"
    return [f"arguments {arguments}", f"observes {parts}; {sizes}"]


def described(name: str) -> str:
    """The page of what bears a name: its docstring, and what it can be given.

    A claim and a probe may share a name; then both are there.

    Args:
        name: as it is listed; that of an environment with or without ``metalocus/``.

    Raises:
        InvalidTask: there is nothing of that name; the nearest is suggested.
    """
    kinds: dict[str, Mapping[str, Any]] = {
        "environment": FAMILIES,
        "trained agent": TRAINABLES,
        "trainer": TRAINERS,
        "reference": REFERENCES,
        "online rule": ONLINE,
        "control": CONTROLS,
        "probe": PROBES,
        "claim": CLAIMS,
        "replication": REPLICATIONS,
    }
    pages = [
        "\n\n".join([f"{full}, {kind}", *_page(registry[full])])
        for kind, registry in kinds.items()
        for full in (name, f"metalocus/{name}")
        if full in registry
    ]
    if not pages:
        raise InvalidTask(unknown("name", name, chain.from_iterable(kinds.values())))
    return "\n\n\n".join(pages)


def _page(thing: Any) -> list[str]:
    """Paragraphs on a thing: a class, a claim, or an agent that is trained."""
    if isinstance(thing, Trainable):
        given = agent_defaults(thing, Setting("metalocus/BernoulliBandit-v0").layout)
        about = [f"{thing.summary}\nSees: {', '.join(thing.sees)}.", _docstring(thing.cell)]
        return [
            *about,
            f"Arguments (--agent-kwargs) and their defaults:\n{_arguments(given)}",
            f"Of training (--train-kwargs), as for all agents:\n{_arguments(train_defaults(RL))}",
        ]
    if isinstance(thing, Trainer):
        given = train_defaults(thing.name)
        return [
            *(thing.summary, _docstring(thing.constructors[0])),
            f"Arguments (--train-kwargs) and their defaults:\n{_arguments(given)}",
        ]
    if isinstance(thing, Replication):
        parts = "\n".join(f"    {part.name}: {part.about}" for part in thing.parts)
        return [thing.title, thing.source, thing.did, thing.otherwise, f"Parts:\n{parts}"]
    lines = ("separates", "summary", "question", "statement")
    said = [str(getattr(thing, line)) for line in lines if hasattr(thing, line)]
    predicted = [f"{each.side} predicts: {each.says}" for each in getattr(thing, "predictions", ())]
    cls = thing if isinstance(thing, type) else type(thing)
    return [*said, _docstring(cls), *predicted]


def _arguments(given: Mapping[str, Any]) -> str:
    """A line for each."""
    return "\n".join(f"    {name}={value}" for name, value in given.items())


def _docstring(cls: type) -> str:
    """Of a class, or of its module where it has none of its own; cross-references as names."""
    own = inspect.cleandoc(cls.__doc__ or "")
    module = inspect.cleandoc(inspect.getmodule(cls).__doc__ or "")
    text = "\n\n".join(part for part in (module, own) if part)
    return re.sub(r":\w+:`~?([^`]*\.)?([^`]+)`", r"`\2`", text)
