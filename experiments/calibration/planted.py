"""Effects of known size: what a probe must find of an agent on a setting, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from metalocus.agents.catalogue import make_named
from metalocus.agents.controls.noisy_means import NOISE
from metalocus.envs import Setting
from metalocus.experiments.calibration.histories import BEST, CHANCE, Histories

T = 7
"""Trials of the bandit: its 4^6 histories are enumerated in half a second."""
ARMS = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=T)
P = 0.8
REVERSAL = Setting("metalocus/ReversalBandit-v0", p=P, hazard=0.03, horizon=80)
TWO_STEP = Setting("metalocus/TwoStep-v0", horizon=40)
SWITCHING = Setting("metalocus/CuedSwitching-v0", horizon=20)
KINDS = ("resample", "reset", "mean", "forced")
STRATEGIES = Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=20)
DATASET = Setting("metalocus/DatasetBandit-v0", n_arms=2, n_examples=4)
FEW_MOVE = 2000
"""Episodes where the choice changes in few of them: intervals of 200 are too narrow there."""
SUM, MIRROR = "sum over all histories", "symmetry"
PAIRS = "sum over all pairs of histories"


@dataclass(frozen=True)
class Planted:
    """One number of a probe, and what it must be.

    Attributes:
        probe: name of the probe.
        agent: name of the agent.
        setting: that it plays.
        quantity: of the probe's rows.
        label: of the row; the last trial if there are several.
        known: what the number is in the mean over all episodes.
        why: how this is known.
        episodes: of one replication.
    """

    probe: str
    agent: str
    setting: Setting
    quantity: str
    label: str
    known: float
    why: str
    episodes: int = 200


@cache
def arguments_of(probe: str) -> Mapping[str, Any]:
    """Arguments of a probe: trials, and what is fitted, that are not looked at cost time."""
    if probe == "ensemble":
        return {"others": [make_named("half_common_two", ARMS.family)]}
    by_probe: dict[str, dict[str, Any]] = {
        "locus": {"trials": [T - 1], "kinds": KINDS},
        "decode": {"trials": [T - 1]},
        "transplant": {"trial": T // 2},
        "strategy": {"choices": 600, "network": False},  # a quarter of the time
    }
    return by_probe.get(probe, {})


@cache
def planted() -> tuple[Planted, ...]:
    """All effects; what is known by enumeration takes some seconds."""
    return (
        *_stores(),
        *_past_rewards(),
        *_distances(),
        *_datasets(),
        *_switches(),
        *_contents(),
        *_mixtures(),
    )


def _stores() -> Iterable[Planted]:
    """Where knowledge is, by construction of the controls: parts of a total that is enumerated."""
    counts = Histories("counts_in_state", ARMS)
    learned = float(counts.choice_values()[-1])
    totals = dict.fromkeys(KINDS, learned) | {"forced": counts.forced_total()}
    for kind, total in totals.items():
        name = f"{kind} before"
        yield Planted("locus", "counts_in_state", ARMS, "total", name, total, SUM)
        for agent, store, part in (
            ("counts_in_state", "weights", 0.0),
            ("counts_quarter", "state", 0.25),
            ("counts_half", "state", 0.5),
            ("counts_quarter", "weights", 0.75),
            ("counts_in_weights", "weights", 1.0),
        ):
            why = f"{part} of the total"
            yield Planted("locus", agent, ARMS, "shares", f"{name} {store}", part * total, why)
        for agent in ("counts_alternating", "counts_split"):
            label = f"{name} state"
            yield Planted("locus", agent, ARMS, "shares_fraction", label, 0.5, MIRROR)
    final = counts.final()
    yield Planted("carry", "counts_in_state", ARMS, "final", "resample all", final, SUM)
    yield Planted("carry", "counts_in_state", ARMS, "final", "resample none", 0.0, MIRROR)
    yield Planted("transplant", "counts_in_state", ARMS, "opposite", "", 0.5, MIRROR)
    yield Planted("transplant", "counts_in_state", ARMS, "cost", "same task", 0.0, MIRROR)
    half_way = Histories("means_in_state", Setting(ARMS.env, n_arms=2, horizon=T // 2 + 1))
    for part in (0.25, 0.5, 0.75):
        known, label = half_way.moved(part), f"all {part}"
        yield Planted("transplant", "means_in_state", ARMS, "dose", label, known, PAIRS, FEW_MOVE)
    in_weights = "counts_in_weights"
    for label, known, why in (
        ("all", final, SUM),
        ("weights+context resample", final, SUM),
        ("state+context", 0.0, MIRROR),
        ("context resample", 0.0, MIRROR),
    ):
        yield Planted("freeze", in_weights, ARMS, "final", label, known, why)
    for quantity, label, known, why in (
        ("follows", "", 1.0, MIRROR),
        ("needs", "", 1.0, MIRROR),
        ("value", "plain", final, SUM),
        ("value", "flipped", -final, MIRROR),
        ("value", "unrelated", 0.0, MIRROR),
    ):
        yield Planted("reward_channel", "counts_in_state", ARMS, quantity, label, known, why)


def _past_rewards() -> Iterable[Planted]:
    """What a reward makes of later choices: two kernels, one geometric and one flat."""
    for agent in ("kernel_geometric", "kernel_flat"):
        histories = Histories(agent, ARMS)
        for lag in (1, 2, 4):
            caused, associated = histories.influence(lag)
            label = f"reward lag {lag}"
            yield Planted("influence", agent, ARMS, "probability", label, caused, SUM)
            yield Planted("influence", agent, ARMS, "association", label, associated, SUM)


def _distances() -> Iterable[Planted]:
    """What is lost against the optimum: the optimal return minus the agent's."""
    optimum = Histories("bayes_optimal", ARMS).expected_return
    for agent in ("lapses_one", "wsls", "random"):
        histories = Histories(agent, ARMS)
        lost = optimum - histories.expected_return
        yield Planted("optimality", agent, ARMS, "total_lost", "", lost, SUM)
        if agent != "random":  # whose probability of a best choice is its expectation throughout
            same = histories.agreement("bayes_optimal")
            yield Planted("optimality", agent, ARMS, "agreement", "", same, SUM)
    for agent in ("half_common_one", "half_common_two"):
        histories = Histories(agent, ARMS)
        same = histories.error_correlation("half_common_two", "bayes_optimal")
        label = "same history"
        yield Planted("ensemble", agent, ARMS, "correlation", label, same, SUM)
    counts, chance = Histories("counts_in_state", ARMS).expected_return, T * CHANCE
    score = (counts - chance) / (optimum - chance)
    yield Planted("capacity", "counts_in_state", ARMS, "score", "", score, SUM)
    label = "state, by use 0"
    yield Planted("capacity", "counts_in_state", ARMS, "rank", label, 0.0, MIRROR)


def _datasets() -> Iterable[Planted]:
    """What examples of arms drawn at random teach in one forward pass."""
    gap = BEST - CHANCE
    lost = {"0 examples": gap}
    for label, n in (("1 example", 1), ("2 examples", 2), ("4 examples", 4)):
        lost[label] = Histories("random", Setting(ARMS.env, n_arms=2, horizon=n + 1)).regret()
    for label, regret in lost.items():
        yield Planted("forward_pass", "posterior", DATASET, "regret", label, regret, SUM)
    known = 1.0 - lost["4 examples"] / gap
    for quantity, label in (("choice_value", "intact"), ("again", "nothing fed back")):
        yield Planted("forward_pass", "posterior", DATASET, quantity, label, known, SUM)
    for label in ("pairs broken", "another episode's"):
        yield Planted("forward_pass", "posterior", DATASET, "choice_value", label, 0.0, MIRROR)


def _switches() -> Iterable[Planted]:
    """Tasks that change: effects that follow from the probabilities of the agents' choices.

    Win-stay lose-shift takes the good arm with the chance of reward that this arm had in the
    trial before, whatever it did there; so its choice value is 2 * 0.8 - 1 from one trial after a
    switch on, and minus that at the switch.
    """
    value = 2 * P - 1
    for quantity, known in (
        ("before", value),
        ("after", -value),
        ("drop", 2 * value),
        ("trials_lost", 1.0),
        ("recovered", 1.0),
        ("half", 0.5),
        ("ninety", 0.9),
    ):
        yield Planted("latency", "wsls", REVERSAL, quantity, "", known, "two trials' Markov chain")
    lapses = "half of the habit's"
    yield Planted("stay", "half_habit", TWO_STEP, "interaction", "", 1.0, lapses)
    yield Planted("stay", "half_habit", TWO_STEP, "reward", "", 0.0, lapses)
    yield Planted("stay", "half_habit", TWO_STEP, "stay", "rewarded common", 0.75, lapses)
    slow = "0.4 of the incongruent half"
    yield Planted("switch", "sluggish", SWITCHING, "cost", "switch", 0.2, slow)
    trials = SWITCHING.family.horizon
    congruence = 0.4 * 0.5 * (trials - 1) / trials
    yield Planted("switch", "sluggish", SWITCHING, "cost", "congruence", congruence, slow)


def _contents() -> Iterable[Planted]:
    """What can be read off a store: a belief under noise of known variance."""
    read = Histories("noisy_means", ARMS).read_through_noise(NOISE)
    yield Planted("decode", "noisy_means", ARMS, "decoded", "mean state", read, SUM)


def _mixtures() -> Iterable[Planted]:
    """Which part of the episodes win-stay lose-shift plays, and the other strategy the rest."""
    for agent, part in (
        ("mixed_quarter", 0.25),
        ("mixed_half", 0.5),
        ("mixed_three_quarters", 0.75),
    ):
        for kind in ("own", "disagreeing"):
            label, why = f"{kind} wsls", "drawn for each episode"
            yield Planted("strategy", agent, STRATEGIES, "mixture", label, part, why)
