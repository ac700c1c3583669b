"""The register of predictions: what each claim said, and with which training, before it was run.

``registry.json`` holds the entries of every claim, the newest last. A claim must equal its newest
entry. A prediction that is changed gets a new entry with the reason; the old one stays, and the
report shows both. To register: ``python -m metalocus.experiments.claims.registered NAME ...
--because REASON``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import record_digest, write_atomically
from metalocus.experiments.claims.base import CLAIMS, Claim
from metalocus.experiments.claims.wording import region
from metalocus.experiments.studies.presets import PRESETS, Preset
from metalocus.experiments.studies.study import all_runs

REGISTRY = Path(__file__).with_name("registry.json")
NOWHERE = Path("not-trained-yet")
"""Stands for the folder of runs, none of which are there."""
Entry = dict[str, Any]


def registered(name: str) -> list[Entry]:
    """The entries of a claim, the newest last; none for one from outside the package."""
    return _all().get(name, [])


def content(claim: Claim) -> Entry:
    """What is registered of a claim: all that it says, and the training that it is judged on."""
    preset = PRESETS["full"]
    said = {
        "number": claim.number,
        "statement": claim.statement,
        "holds": dict(claim.holds),
        "quantities": dict(claim.quantities),
        "predictions": [asdict(each) for each in claim.predictions],
        "tasks": {each.name: each.to_dict() for each in claim.settings},
        "training": _training(claim, preset),
        "seeds": len(claim.seeds(preset)),
        "episodes": preset.episodes,
    }
    plain: Entry = json.loads(json.dumps(said))
    return plain


def _training(claim: Claim, preset: Preset) -> dict[str, Any]:
    """The runs of a seed; one that needs another, which is not made yet, tells it by its name."""
    runs = all_runs(claim, preset, 0, NOWHERE)
    first = claim.runs(preset, 0)
    names = {str(NOWHERE / config.name): f"the run {name}" for name, config in first.items()}
    found = {name: config.to_dict() for name, config in runs.items()}
    for told in found.values():
        given = told["train_kwargs"].items()
        told["train_kwargs"] = {
            name: names.get(value, value) if isinstance(value, str) else value
            for name, value in given
        }
    return found


def digest(entry: Mapping[str, Any]) -> str:
    """Of an entry's content, without its date and reason."""
    return record_digest({k: v for k, v in entry.items() if k not in ("date", "because", "digest")})


def is_registered(claim: Claim) -> bool:
    """Whether a claim equals its newest entry."""
    entries = registered(claim.name)
    return bool(entries) and entries[-1]["digest"] == digest(content(claim))


def history(claim: Claim) -> dict[str, Any]:
    """What the register has on a claim, ready for JSON.

    Returns:
        ``equal``: whether the claim equals its newest entry. ``entries``, the newest last:
        ``date``, ``because``, ``digest``, and the lines ``before`` and ``after`` in which the entry
        differs from the one before it.
    """
    entries, told = registered(claim.name), []
    for old, new in zip([None, *entries], entries, strict=False):
        lines = [_lines(old or new), _lines(new)]
        before, after = ([x for x in own if x not in rest] for own, rest in (lines, lines[::-1]))
        kept = {name: new[name] for name in ("date", "because", "digest")}
        told.append({**kept, "before": before, "after": after})
    return {"equal": is_registered(claim), "entries": told}


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """All that an entry says, each thing a line."""
    predictions = [
        f"{each['side']}: {each['says']} ({each['quantity']} {region(each)}), because {each['why']}"
        for each in entry["predictions"]
    ]
    rest = [
        f"{part} {name}: {value if isinstance(value, str) else json.dumps(value)}"
        for part in ("holds", "quantities", "tasks", "training")
        for name, value in entry[part].items()
    ]
    counts = [f"{entry['seeds']} training seeds", f"{entry['episodes']:,} episodes"]
    return [entry["statement"], *predictions, *rest, *counts]


def register(names: Sequence[str], because: str) -> list[str]:
    """Add an entry for every claim named that differs from its newest; returns their names.

    Raises:
        InvalidTask: no such claim.
    """
    entries, added = _all(), []
    for claim in map(CLAIMS.find, names):
        if is_registered(claim):
            continue
        entry = content(claim)
        now = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "because": because}
        entries.setdefault(claim.name, []).append({**now, "digest": digest(entry), **entry})
        added.append(claim.name)
    if added:
        write_atomically(REGISTRY, (json.dumps(entries, indent=1) + "\n").encode())
    return added


def _all() -> dict[str, list[Entry]]:
    """Every entry, by claim."""
    found: dict[str, list[Entry]] = json.loads(REGISTRY.read_text())
    return found


def main() -> None:
    """Register the claims named on the command line."""
    parser = argparse.ArgumentParser(description="Register claims before they are run.")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--because", required=True, help="the reason for the entry")
    given = parser.parse_args()
    for name in register(given.names, given.because):
        print(f"registered {name}")


if __name__ == "__main__":
    main()
