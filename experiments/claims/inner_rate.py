"""Does the rate of an agent's inner learning follow the volatility that it infers?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metalocus.agents.agent import Agent, Array, ReferencePolicy, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import Transition, Trial, act, rollout
from metalocus.envs import Setting
from metalocus.envs.families.volatile_bandit import VolatileBandit
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.instruments.task import mirrored, no_later_choice
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VOLATILE = NamedSetting(
    "volatile", "hidden reversals, calm or volatile, 400 trials", "metalocus/VolatileBandit-v1"
)
EXACT, FIXED = "volatile_filter", "fixed_hazard_filter"
PLAYERS = AGENT, EXACT_FILTER, FIXED_FILTER = ("the agent", "exact filter", "fixed hazard")
"""Whose choices are read on the agent's episodes."""
PROBED = 1000
"""Episodes in which rewards are flipped: 400,000 trials."""
BINS = 40
"""Of each belief, with equally many trials: a fixed rate leaves a slope of .01 of the exact
filter's, and .03 with half as many."""
BLOCKS = 8
"""Parts of an episode that are kept apart, so that a rate which follows the trial number is none
that follows volatility."""
LEAST = 1e-6
"""Probabilities are read as no nearer to 0 or 1: networks compute them in single precision."""
FAINT = 0.01
"""Mean change, of log-odds or probability, below which a reward does not count: by one reward
the fixed filter changes by 1.7 and .19."""
ROUNDING = 1e-6
"""Standard deviation of a probability below which it is the same everywhere."""
APART = (-0.15, -0.05, 0.05, 0.15)
"""Ends of the figure's bins: how much more probable the volatile level is than at equal belief."""


class InnerRate(Claim):
    """What one reward changes in the next choice, in stretches that seem calm and volatile.

    At every trial a copy of the agent is fed the other reward, everything else as it was; the
    difference of the next choice's log-odds is the reward's influence. It is regressed on the
    exact filter's probability of the volatile level, within cells of equal belief: the exact
    filter's, and the agent's own, which is the log-odds of its choice before the reward. The slope
    is divided by the mean influence, so that it does not depend on how sharply choices follow
    beliefs, and then by the slope of the exact filter on the same trials.

    A rule with a fixed rate carries one number, its belief. Matched for it, one reward has one
    influence: a slope of 0, whatever the rate. In the exact filter a reward counts for less where
    the stretch seems volatile, since what it tells is sooner out of date; so a positive value is a
    change in that direction. Both filters choose each arm as often as they believe in it.

    Source: Behrens et al. 2007, "Learning the value of information in an uncertain world"; Wang
    et al. 2018, "Prefrontal cortex as a meta-reinforcement learning system".
    """

    number: ClassVar[int] = 9
    name: ClassVar[str] = "inner_rate"
    statement: ClassVar[str] = (
        "The rate of a trained recurrent agent's inner learning follows the volatility that it "
        "infers, as in exact inference."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "the algorithm in the activations sets its own rate, though that of the "
        "training is fixed",
        WEIGHTS: "the agent responds to rewards at one rate, as a fixed rule in the weights could",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "adaptation": "dependence of one reward's influence on volatility at equal belief, as a "
        "part of the exact filter's: 0 is a fixed rate, 1 exact inference",
        "fixed_rate": "the same of the best filter of a fixed hazard",
        "by_recency": "the same of the agent, of changes of probability, matched for the fixed "
        "filter's belief alone: another fixed rate than the best may pass here",
        "above_fixed": "score of the agent minus that of the best filter of a fixed hazard",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "adaptation",
            ">=",
            0.25,
            "one reward moves the agent less where the stretch seems volatile, at equal belief",
            "rules of a fixed rate, or of one that follows trial or belief, are within .1 of 0",
        ),
        Prediction(
            WEIGHTS,
            "adaptation",
            "within",
            0.25,
            "at equal belief one reward moves the agent alike in calm and volatile stretches",
            "the same border on either side: more weight in volatile stretches is not alike either",
        ),
        Prediction(
            RECURRENCE,
            "above_fixed",
            ">=",
            0.02,
            "the agent does better than any fixed rate",
            "the best fixed rate scores .935: a third of the gap",
        ),
        Prediction(
            WEIGHTS,
            "above_fixed",
            "<=",
            0.02,
            "a fixed rate does as well as the agent",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "fixed_rate",
            "within",
            0.1,
            "a filter of a fixed hazard shows no dependence on volatility",
            "its next belief follows from the one before and the reward; bins have a width",
            by_construction=True,
        ),
    )
    settings = (VOLATILE,)
    players = (EXACT, FIXED)

    def why_not(self, preset: Preset) -> str | None:
        """Also a task without two hidden hazards, or without a next choice."""
        for setting in self.asked_on(preset):
            family = setting.family
            if not isinstance(family, VolatileBandit) or family.cued:
                return "inner_rate is a claim on hidden volatility: on VolatileBandit without a cue"
            if family.hazards[0] == family.hazards[1]:
                return "there is no volatility to infer where both hazards are equal"
            if no_later_choice(family):
                return no_later_choice(family)
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every task."""
        return {
            setting.name: preset.run(preset.agent, setting, seed)
            for setting in self.asked_on(preset)
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Dependence of influence on volatility, and the difference of scores."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            agent, task = agents[setting.name], setting.name
            flips = flipped(agent, setting, min(PROBED, preset.episodes), seed)
            by_belief = {name: flips.matched(AGENT, EXACT_FILTER) for name in PLAYERS}
            by_belief[FIXED_FILTER] = flips.matched(FIXED_FILTER, EXACT_FILTER)
            for name, player in (("adaptation", AGENT), ("fixed_rate", FIXED_FILTER)):
                cells = by_belief[player]
                found[name][task] = flips.part(flips.log_odds, player, cells)
            recency = flips.matched(FIXED_FILTER)
            found["by_recency"][task] = flips.part(flips.probability, AGENT, recency)
            mine, other = (
                score(each, setting, preset.episodes, seed)
                for each in (agent, make_named(FIXED, setting.family))
            )
            found["above_fixed"][task] = mine - other
            found[SHOWN][setting.title] = {
                name: flips.curve(name, cells) for name, cells in by_belief.items()
            }
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Influence at equal belief by the probability of the volatile level."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(
            shown,
            "probability of the volatile level (0: as usual at this belief)",
            "influence of one reward (mean: 1)",
            references=(EXACT_FILTER,),
            linear=True,
        )


class Matching(Agent):
    """Chooses each arm as often as a filter believes that it is the good one.

    Args:
        filter: whose ``belief`` is [N, ..., 2], the last axis the good arm.
    """

    def __init__(self, filter: ReferencePolicy) -> None:
        self.filter = filter

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The filter's."""
        return self.filter.start(n, rng)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """The belief in every arm, [N, 2]."""
        belief = stores.state["belief"]
        return belief.reshape(len(belief), -1, 2).sum(axis=1), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """One step of the filter."""
        return self.filter.learn(stores, stimulus, action, reward)


class Flips:
    """What the other reward would have changed, at R rewards that a choice follows.

    Attributes:
        before: by player, log-odds of the choice that was rewarded, as it chose, [R].
        log_odds, probability: by player, change of those of the same choice at the next trial, by
            a reward in place of none, [R].
        volatile: the exact filter's probability of the volatile level, before the reward, [R].
        block: part of the episode, [R].
    """

    def __init__(self, rows: Array, block: Array) -> None:
        n = len(PLAYERS)
        self.before = dict(zip(PLAYERS, rows[:n], strict=True))
        self.log_odds = dict(zip(PLAYERS, rows[n : 2 * n], strict=True))
        self.probability = dict(zip(PLAYERS, rows[2 * n : 3 * n], strict=True))
        self.volatile, self.block = rows[-1], block

    def matched(self, *beliefs: str) -> Array:
        """Cells of the same part of an episode and equal beliefs of these players, [R]."""
        cells = self.block
        for player in beliefs:
            edges = np.quantile(self.before[player], np.linspace(0.0, 1.0, BINS + 1)[1:-1])
            cells = cells * BINS + np.searchsorted(edges, self.before[player], side="right")
        numbered: Array = np.unique(cells, return_inverse=True)[1]
        return numbered

    def part(self, change: Mapping[str, Array], player: str, cells: Array) -> float | None:
        """A player's slope within cells, divided by the exact filter's; None without either."""
        own, exact = (
            relative_slope(change[name], self.volatile, cells) for name in (player, EXACT_FILTER)
        )
        return None if own is None or not exact else own / exact

    def curve(self, player: str, cells: Array) -> dict[str, float | None]:
        """Influence by volatility, both beside what they are on average at equal belief."""
        change, mean = self.log_odds[player], self.log_odds[player].mean()
        rest, place = within(change, cells), np.digitize(within(self.volatile, cells), APART)
        width, found = APART[1] - APART[0], {}
        for i in range(len(APART) + 1):
            here = rest[place == i]
            empty = not len(here) or mean < FAINT
            middle = f"{APART[0] + (i - 0.5) * width:g}"
            found[middle] = None if empty else float(1.0 + here.mean() / mean)
        return found


class _Watch:
    """Feeds the other reward to copies of the players, and reads the next choice.

    Attributes:
        rows: of every trial with a reward before it, [3 P + 1, N].
    """

    def __init__(self, players: Sequence[Agent], setting: Setting) -> None:
        self.players, self.family = players, setting.family
        self.before: tuple[tuple[Array, Stores], ...] = ()
        self.rows: list[Array] = []

    def __call__(self, trial: Trial) -> None:
        """Compare the choices after the reward before this trial with those after the other."""
        if trial.last is not None:
            self.rows.append(self._row(trial, trial.last))
        self.before = trial.shadows

    def _row(self, trial: Trial, last: Transition) -> Array:
        """Log-odds before, change of log-odds, change of probability; volatility."""
        other, sign = mirrored(self.family, last.reward), 2.0 * last.reward - 1.0
        found = []
        for player, (probs, stores), (now, _) in zip(
            self.players, self.before, trial.shadows, strict=True
        ):
            stores = player.learn(stores, last.stimulus, last.action, other)
            otherwise, _ = act(player, trial.t, trial.stimulus, stores)
            first, true, flip = (_of(each, last.action) for each in (probs, now, otherwise))
            log_odds = sign * (_log_odds(true) - _log_odds(flip))
            found.append((_log_odds(first), log_odds, sign * (true - flip)))
        exact = self.before[PLAYERS.index(EXACT_FILTER)][1].state["belief"]
        return np.concatenate(
            [np.concatenate(list(zip(*found, strict=True))), exact.sum(2)[:, 1:].T]
        )


def flipped(agent: Agent, setting: Setting, episodes: int, seed: int) -> Flips:
    """Every reward of fresh episodes flipped in turn, the history before it as it was."""
    filters = [Matching(_filter(name, setting)) for name in (EXACT, FIXED)]
    players, parts = (agent, *filters), []
    for chunk in Chunks(setting, episodes, seed):
        watch = _Watch(players, setting)
        rollout(agent, chunk.episodes(), chunk.start_seed, shadows=players, observe=watch)
        parts.append(np.stack(watch.rows, axis=1))  # [3 P + 1, T - 1, N]
    rows = np.concatenate(parts, axis=2)
    block = np.arange(rows.shape[1]) * BLOCKS // rows.shape[1]
    return Flips(rows.reshape(len(rows), -1), np.repeat(block, rows.shape[2]))


def relative_slope(change: Array, volatile: Array, cells: Array) -> float | None:
    """Slope of a change [R] on volatility [R] within cells [R], over the mean change.

    None where volatility is the same all over each cell, or the change is about none.
    """
    mean, rest = change.mean(), within(volatile, cells)
    if abs(mean) < FAINT or rest.std() < ROUNDING:
        return None
    return float(rest @ change / (rest @ rest) / mean)


def within(values: Array, cells: Array) -> Array:
    """Values [R] minus the mean of their cell [R]."""
    means: Array = np.bincount(cells, values) / np.bincount(cells)
    rest: Array = values - means[cells]
    return rest


def _filter(name: str, setting: Setting) -> ReferencePolicy:
    """One of the two filters."""
    made = make_named(name, setting.family)
    assert isinstance(made, ReferencePolicy)
    return made


def _of(probs: Array, action: Array) -> Array:
    """Probability of the action taken, [N, K] and [N] -> [N]."""
    own: Array = probs[np.arange(len(probs)), action]
    return own


def _log_odds(probability: Array) -> Array:
    """In nats, elementwise; finite."""
    p = np.clip(probability.astype(float), LEAST, 1.0 - LEAST)
    odds: Array = np.log(p) - np.log1p(-p)
    return odds
