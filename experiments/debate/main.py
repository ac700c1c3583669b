"""The main job: train what the claims need, measure, judge, write it down."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metalocus.agents.ppo.files import write_record
from metalocus.envs.checks import require
from metalocus.experiments.claims.base import CLAIMS, SIDES, Claim, claim_called, in_order
from metalocus.experiments.claims.registered import history
from metalocus.experiments.claims.wording import heading
from metalocus.experiments.debate.curves import CURVES
from metalocus.experiments.debate.development import DEVELOPMENT
from metalocus.experiments.debate.headline import headline
from metalocus.experiments.debate.made import made
from metalocus.experiments.display import LOG
from metalocus.experiments.runs.arguments import listed
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NAMED, NamedSetting
from metalocus.experiments.runs.records import load_manifest
from metalocus.experiments.shipped.read import VERDICTS, shipped_claims
from metalocus.experiments.studies.job import RUNS, measuring_source
from metalocus.experiments.studies.measure_all import measure_all
from metalocus.experiments.studies.presets import Preset, preset_of
from metalocus.experiments.studies.study import Measured, Study, all_runs

DESCRIPTIONS = {each.name: each for each in (CURVES, DEVELOPMENT)}
"""Studies that judge nothing and are shown beside the claims, by name."""
WORDS = {"lstm": "LSTM"}
"""Agents in words; others are called by their names."""


def run_debate(
    preset_name: str,
    out: Path,
    agent: str | None = None,
    setting: NamedSetting | None = None,
    agent_kwargs: Mapping[str, Any] | None = None,
    claims: Sequence[str] = (),
    seeds: int | None = None,
) -> dict[str, Any]:
    """Make the whole debate; everything that is done already is taken from ``out``.

    A claim that cannot be asked of the agent on the setting is left out, with a line on why.

    Args:
        preset_name: see :data:`~metalocus.experiments.studies.presets.PRESETS`.
        out: folder for runs, measurements, verdicts and report.
        agent: that the claims are about; None for the LSTM.
        setting: that they are judged on; None for the settings of each claim.
        agent_kwargs: arguments of the agent, as in a run's config.
        claims: numbers or names of those to ask alone, ``curves`` and ``development`` among them;
            none for those of the preset, the checks of the apparatus, the curves, and in a preset
            that asks all claims the development.
        seeds: the first so many of the preset's training seeds; None for all. More can be added
            later in the same folder. A study may have fewer (its ``most_seeds``).

    Returns:
        ``preset``, ``question`` (the agent, and the options that ask it), ``not_asked`` (the reason
        by claim), ``not_run`` (claims that the preset leaves out, by name in words), ``tasks``
        (titles by name), ``sides``, ``headline`` (three sentences), ``verdicts`` (one entry a
        claim, with its ``register``), ``shipped`` (what the package's own full run has on claims
        that are not run; None without it), ``curves`` and ``development`` (empty if they are not
        asked), ``runs``, ``source`` (by study, a digest of
        the code that measured) and ``made`` (:func:`~metalocus.experiments.debate.made.made`). The
        same is written to ``verdicts.json``, with ``report.html`` beside it.

    Raises:
        InvalidTask: no such preset, claim, agent or argument of it, or no claim can be asked.
        WrongUse, RunFailed, NonFinite: see
            :func:`~metalocus.experiments.studies.measure_all.measure_all`.
    """
    from metalocus.experiments.debate.report import write_report  # drawing is slow to import

    whole = preset_of(preset_name)
    preset = whole.first_seeds(seeds).about_agent(agent, setting, agent_kwargs)
    chosen = _chosen(preset, claims)
    reasons = {claim: claim.why_not(preset) for claim in chosen}
    asked = [claim for claim, reason in reasons.items() if reason is None]
    not_asked = {claim.name: reason for claim, reason in reasons.items() if reason is not None}
    for name, reason in not_asked.items():
        LOG.warning("claim %s is not asked: %s", name, reason)
    beside = claims or (DESCRIPTIONS if preset.numbers is None else [CURVES.name])
    described = [study for name, study in DESCRIPTIONS.items() if name in beside]
    studies: list[Study] = [*asked, *described]
    require(
        bool(asked) or not chosen,
        f"no claim can be asked of {preset.agent}; choose another --setting",
    )
    measured = measure_all(studies, preset, out)
    left_out = in_order(each for each in CLAIMS.values() if each not in chosen)
    not_run = {each.name: heading(each.name, each.number) for each in left_out}
    as_registered = not (claims or agent or setting or agent_kwargs)
    found: dict[str, Any] = {
        "preset": {
            "name": preset.name,
            "about": preset.about,
            "seeds": preset.seeds,
            "of_seeds": whole.seeds,
        },
        "question": {
            "agent": preset.agent,
            "options": shlex.join(_options(agent, setting, preset.agent_kwargs)),
            "claims": shlex.join(["--claims", *claims] if claims else []),
        },
        "not_asked": not_asked,
        "not_run": not_run,
        "tasks": _titles(asked, preset),
        "sides": SIDES,
        "verdicts": [judge(claim, measured[claim.name]) for claim in asked],
        "shipped": shipped_claims(not_run) if as_registered else None,
        **{
            name: study.average(measured[name]) if study in described else {}
            for name, study in DESCRIPTIONS.items()
        },
        "runs": accounts(studies, preset, out),
        "source": {study.name: measuring_source(study) for study in studies},
        "made": made(),
    }
    found["headline"] = headline(in_words(preset.agent, preset.agent_kwargs), found)
    write_record(out / VERDICTS, found)
    write_report(out)
    return found


def in_words(agent: str, agent_kwargs: Mapping[str, Any]) -> str:
    """The agent that a debate is about, as its headline names it."""
    return listed(WORDS.get(agent, agent), agent_kwargs)


def judge(claim: Claim, measured: Mapping[int, Measured]) -> dict[str, Any]:
    """The verdict on a claim, with its entries in the register of predictions."""
    return {**claim.verdict(measured), "register": history(claim)}


def _chosen(preset: Preset, claims: Sequence[str]) -> list[Claim]:
    """The claims that are named, else those of the preset and those without a number, in order."""
    if claims:
        return in_order({claim_called(word) for word in claims if word not in DESCRIPTIONS})
    numbers = preset.numbers
    return in_order(
        claim
        for claim in CLAIMS.values()
        if claim.number is None or numbers is None or claim.number in numbers
    )


def _titles(claims: Sequence[Claim], preset: Preset) -> dict[str, str]:
    """The title of every setting that can be asked about."""
    asked = (setting for claim in claims for setting in claim.asked_on(preset))
    return {each.name: each.title for each in (*NAMED.values(), *asked)}


def run_claim(
    name: str,
    preset_name: str,
    out: Path,
    agent: str | None = None,
    setting: NamedSetting | None = None,
    agent_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Judge one claim alone; its runs and measurements are shared with :func:`run_debate`.

    Args:
        name: of the claim, or its number.
        preset_name: as for :func:`run_debate`.
        out: folder for runs and measurements.
        agent: as for :func:`run_debate`.
        setting: as for :func:`run_debate`.
        agent_kwargs: as for :func:`run_debate`.

    Raises:
        InvalidTask: no such claim, preset or agent, or the claim cannot be asked.
        WrongUse, RunFailed, NonFinite: see :func:`run_debate`.
    """
    claim = claim_called(name)
    preset = preset_of(preset_name).about_agent(agent, setting, agent_kwargs)
    reason = claim.why_not(preset)
    require(reason is None, f"claim {claim.name} cannot be asked of {preset.agent} here: {reason}")
    return judge(claim, measure_all([claim], preset, out)[claim.name])


def _options(
    agent: str | None,
    setting: NamedSetting | None,
    agent_kwargs: Mapping[str, Any],
) -> list[str]:
    """What asks a question on the command line; nothing for the preset's own."""
    words = [] if agent is None else ["--agent", agent]
    if agent_kwargs:
        own = (f"{name}={value}" for name, value in agent_kwargs.items())
        words += ["--agent-kwargs", *own]
    if setting is None:
        return words
    if NAMED.get(setting.name) == setting:
        return [*words, "--setting", setting.name]
    given = [f"{name}={value}" for name, value in setting.kwargs.items()]
    return [*words, "--setting", setting.env, *given]


def accounts(studies: Sequence[Study], preset: Preset, out: Path) -> list[dict[str, Any]]:
    """What was recorded when each run was finished, with its title and the studies it serves.

    Args:
        studies: whose runs are finished.
        preset: what they were trained by.
        out: folder of the debate.
    """
    configs: dict[str, RunConfig] = {}
    serves: dict[str, list[str]] = {}
    for study in studies:
        for seed in study.seeds(preset):
            for config in all_runs(study, preset, seed, out / RUNS).values():
                configs[config.name] = config
                served = serves.setdefault(config.name, [])
                served += [study.name] * (study.name not in served)
    return [
        {"name": name, "title": configs[name].title, "serves": serves[name], **manifest}
        for name in sorted(configs)
        for manifest in [load_manifest(out / RUNS / name)]
    ]
