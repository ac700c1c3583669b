"""Ship claims with further training seeds, or anew; the runs of the shipped ones need not be there.

``python -m metalocus.experiments.debate.more OUT CLAIM ...``
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metalocus.experiments.claims.base import CLAIMS, SHOWN, Claim, claim_called
from metalocus.experiments.claims.wording import heading
from metalocus.experiments.debate.headline import headline
from metalocus.experiments.debate.made import made
from metalocus.experiments.debate.main import accounts, in_words, judge
from metalocus.experiments.display import LOG
from metalocus.experiments.shipped.make import ship_agents, write_found
from metalocus.experiments.shipped.read import DATA, shipped_debate
from metalocus.experiments.studies.job import measuring_source
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.presets import preset_of
from metalocus.experiments.studies.study import Measured


def more(
    claims: Sequence[Claim],
    out: Path,
    seeds: int | None = None,
    into: Path = DATA,
    anew: bool = False,
) -> dict[str, Any]:
    """Train and measure claims at the seeds that they are not shipped with, and ship all seeds.

    Values that are shipped are taken as they are, whatever code measured them; every run says
    which code made it. All claims are judged anew, so that one code judges them all.

    Args:
        claims: that are shipped with fewer seeds than their preset has; each is shipped as soon as
            it is measured. With none, what is shipped is judged anew.
        out: folder for the further runs and measurements; started again, it goes on where it was.
        seeds: the first so many of the preset's training seeds; None for all.
        into: folder of what is shipped.
        anew: train and measure the claims at all seeds, and ship this in place of what was shipped
            of them, agents too; for claims about an agent that has changed.

    Returns:
        What is shipped then, as in ``verdicts.json``.

    Raises:
        InvalidTask: the preset has fewer seeds.
        NotARun: nothing is shipped.
        Corrupt: it is damaged.
        WrongUse, RunFailed, NonFinite: see
            :func:`~metalocus.experiments.studies.measure_all.measure_all`.
    """
    found = shipped_debate(into)
    whole = preset_of(found["preset"]["name"]).first_seeds(seeds)
    by_claim = {each["claim"]: measurements(each) for each in found["verdicts"]}
    found["made"] = made()

    def ship() -> None:
        found["verdicts"] = [judge(CLAIMS[name], each) for name, each in by_claim.items()]
        found["headline"] = headline(in_words(whole.agent, whole.agent_kwargs), found)
        write_found(found, into)

    ship()
    for claim in claims:
        if anew:
            by_claim[claim.name], found["source"][claim.name] = {}, ""
            found["runs"] = _without(found["runs"], claim)
        preset = replace(whole, first=len(by_claim[claim.name]))
        if not claim.seeds(preset):
            LOG.info("%s has all its training seeds", heading(claim.name, claim.number))
            continue
        by_claim[claim.name] |= measure_all([claim], preset, out)[claim.name]
        further = accounts([claim], preset, out)
        found["runs"] = _together(found["runs"], further)
        sources = [*found["source"][claim.name].split(), measuring_source(claim)]
        found["source"][claim.name] = " ".join(dict.fromkeys(sources))
        ship()
        ship_agents(out, further, into)
        n = len(by_claim[claim.name])
        LOG.info("%s ships with %d training seeds", heading(claim.name, claim.number), n)
    return found


def measurements(verdict: Mapping[str, Any]) -> dict[int, Measured]:
    """What a claim measured at each training seed, from its verdict."""
    shown = verdict["shown"]
    return {
        seed: {
            **{
                name: {task: each["values"][seed] for task, each in quantity["tasks"].items()}
                for name, quantity in verdict["quantities"].items()
            },
            **({SHOWN: shown[seed]} if shown else {}),
        }
        for seed in range(verdict["seeds"]["run"])
    }


def _without(runs: list[dict[str, Any]], claim: Claim) -> list[dict[str, Any]]:
    """The runs that serve other claims."""
    others = [
        {**each, "serves": [name for name in each["serves"] if name != claim.name]} for each in runs
    ]
    return [each for each in others if each["serves"]]


def _together(before: list[dict[str, Any]], further: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All runs, by name; a run that is there already serves further claims."""
    runs = {each["name"]: each for each in before}
    for each in further:
        known = runs.setdefault(each["name"], each)
        known["serves"] = list(dict.fromkeys([*known["serves"], *each["serves"]]))
    return [runs[name] for name in sorted(runs)]


def main() -> None:
    """Ship the claims named on the command line with further seeds."""
    parser = argparse.ArgumentParser(description="Ship claims with further training seeds.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for runs and measurements")
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="number or name")
    parser.add_argument("--seeds", type=int, help="the first so many; all if left out")
    parser.add_argument("--anew", action="store_true", help="all seeds, whatever is shipped")
    given = parser.parse_args()
    more([claim_called(word) for word in given.claims], given.out, given.seeds, anew=given.anew)


if __name__ == "__main__":
    main()
