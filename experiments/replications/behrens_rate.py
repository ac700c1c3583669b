"""Behrens 2007: the learning rate follows volatility, by the kernel of one reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logit

from metalocus.agents.agent import Agent, Array, ReferencePolicy, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import Trial, act, rollout
from metalocus.envs import Episodes, Setting
from metalocus.experiments.claims.inner_rate import EXACT, FIXED, VOLATILE, Matching
from metalocus.experiments.instruments.task import mirrored
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.sample import Sample
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

LAGS = (1, 2, 4, 8)
"""Trials after a reward at which its influence is read."""
KEPT = 4
"""The lag whose influence, divided by that at once, is what is kept of a reward."""
FIRST, APART = 60, 12
"""Rewards are flipped from this trial on, so many trials apart: one copy at a time."""
LEAST = 1e-6
"""Probabilities are read as no nearer to 0 or 1: networks compute them in single precision."""
LEVELS = ("calm", "volatile")
FASTER = "kept, calm minus volatile"


@dataclass(frozen=True)
class Rate(Part):
    """The causal kernel of one reward, in calm and in volatile stretches."""

    def training(self, seed: int) -> dict[str, Training]:
        """An LSTM."""
        return {"lstm": Training(VOLATILE, "lstm", 16_000_000)}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The kernels of the agent and of three rules, and scores."""
        agent, family = agents["lstm"], VOLATILE.family
        exact, fixed = (make_named(name, family) for name in (EXACT, FIXED))
        assert isinstance(exact, ReferencePolicy)
        assert isinstance(fixed, ReferencePolicy)
        players = {
            "": agent,
            ", exact filter": Matching(exact),
            ", fixed hazard": Matching(fixed),
            ", delta rule": make_named("delta_rule", family),
        }
        found: dict[str, float | None] = {}
        for name, player in players.items():
            for quantity, value in kernels(player, VOLATILE, preset.episodes, seed).items():
                what, error = quantity.removesuffix("_se"), "_se" * quantity.endswith("_se")
                found[f"{what}{name}{error}"] = value
        for name, each in (("", agent), (", fixed hazard", fixed)):
            found[f"score{name}"] = score(each, VOLATILE, preset.episodes, seed)
        return found


def kernels(agent: Agent, setting: Setting, episodes: int, seed: int) -> dict[str, float | None]:
    """What one reward in place of none changes in the log-odds of the same choice, by lag.

    Args:
        agent: plays; a copy of it is fed the other reward.
        setting: a volatile bandit.
        episodes: how many are played.
        seed: of them.

    Returns:
        ``LEVEL, lag N`` in nats, in stretches that keep their level for all lags; ``kept, LEVEL``,
        the influence at lag ``KEPT`` over that at lag 1; their difference with its standard error;
        and ``at once, volatile minus calm``, a difference of probabilities at lag 1.
    """
    sample = Sample()
    for chunk in Chunks(setting, episodes, seed):
        live = chunk.episodes()
        watch = _Watch(agent, live)
        rollout(agent, live, chunk.start_seed, observe=watch)
        sample.add(watch.sums.reshape(-1, len(live)))
    sums = sample.columns.reshape(len(LEVELS), 2 + len(LAGS), -1)
    mean = sums.mean(axis=2)
    flips, influence, at_once = mean[:, 0], mean[:, 1:-1], mean[:, -1]
    now, then = 0, LAGS.index(KEPT)
    none = flips.min() <= 0.0 or influence[:, now].min() <= 0.0  # no such stretch, or no effect
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = influence[:, then] / influence[:, now]
        apart = (sums[:, 1 + then] - kept[:, None] * sums[:, 1 + now]) / influence[:, now, None]
        found = {
            f"{level}, lag {lag}": influence[i, j] / flips[i]
            for i, level in enumerate(LEVELS)
            for j, lag in enumerate(LAGS)
        }
        found |= {f"kept, {level}": kept[i] for i, level in enumerate(LEVELS)}
        found[FASTER] = kept[0] - kept[1]
        found["at once, volatile minus calm"] = at_once[1] / flips[1] - at_once[0] / flips[0]
    error = {f"{FASTER}_se": sample.standard_error(apart[0] - apart[1])}
    return {name: None if none else float(value) for name, value in {**found, **error}.items()}


@dataclass
class _Copy:
    """A copy of the agent that is fed the other reward of one trial.

    Attributes:
        fed: that trial.
        stores: after its last act.
        level: of every episode when it was fed, [N].
        stayed: whether the level is still that one, [N].
        action: chosen in that trial, [N].
        sign: 1 where the true reward is the higher one, -1 elsewhere, [N].
        changed: of log-odds by lag, each [N].
        at_once: change of the probability at lag 1, [N].
    """

    fed: int
    stores: Stores
    level: Array
    stayed: Array
    action: Array = field(default_factory=lambda: np.empty(0))
    sign: Array = field(default_factory=lambda: np.empty(0))
    changed: list[Array] = field(default_factory=list)
    at_once: Array = field(default_factory=lambda: np.empty(0))


class _Watch:
    """Leads one copy after the other through episodes as they are played.

    Attributes:
        sums: by level and episode: flips, changes of log-odds by lag, change of the probability at
            lag 1, [2, L + 2, N].
    """

    def __init__(self, agent: Agent, episodes: Episodes) -> None:
        self.agent, self.episodes, self.family = agent, episodes, episodes.family
        self.copy: _Copy | None = None
        self.sums = np.zeros((len(LEVELS), 2 + len(LAGS), len(episodes)))

    def __call__(self, trial: Trial) -> None:
        """Feed the copy, read its choice, and begin another one where one has ended."""
        copy = self.copy
        if copy is not None and trial.last is not None:
            self._follow(copy, trial)
            if trial.t - copy.fed == LAGS[-1]:
                self._end(copy)
        begins = trial.t >= FIRST and (trial.t - FIRST) % APART == 0
        if begins and trial.t + LAGS[-1] < self.family.horizon:
            level = self.episodes.latents["volatile"].copy()
            stores = act(self.agent, trial.t, trial.shown, trial.stores)[1]
            self.copy = _Copy(trial.t, stores, level, np.ones(len(level), bool))

    def _follow(self, copy: _Copy, trial: Trial) -> None:
        """Take in what the last trial brought, the other reward if it is the one, and act."""
        last = trial.last
        assert last is not None
        reward = last.reward
        if copy.fed == trial.t - 1:
            reward = mirrored(self.family, reward)
            copy.action, copy.sign = last.action, np.sign(last.reward - reward)
        stores = self.agent.learn(copy.stores, last.stimulus, last.action, reward)
        probs, copy.stores = act(self.agent, trial.t, trial.shown, stores)
        copy.stayed &= self.episodes.latents["volatile"] == copy.level
        if trial.t - copy.fed in LAGS:
            rows = np.arange(len(probs))
            true, other = (
                p[rows, copy.action].clip(LEAST, 1 - LEAST) for p in (trial.probs, probs)
            )
            copy.changed.append(copy.sign * (logit(true) - logit(other)))
            if copy.fed == trial.t - 1:
                copy.at_once = copy.sign * (true - other)

    def _end(self, copy: _Copy) -> None:
        """Add up what was changed, where the level has stayed."""
        numbers = np.stack([np.ones(len(copy.level)), *copy.changed, copy.at_once])
        for i in range(len(LEVELS)):
            self.sums[i] += numbers * (copy.stayed & (copy.level == i))
        self.copy = None


REPLICATION = Replication(
    "behrens_rate",
    "a learning rate that follows volatility, by flipped rewards",
    "Behrens et al. 2007, Learning the value of information in an uncertain world; Wang et al."
    " 2018, Prefrontal cortex as a meta-reinforcement learning system",
    "People, and an LSTM, learn faster in volatile blocks; learning rates are fitted to choices."
    " The hazard of a switch was about 1/30. Pictures alone.",
    "No rate is fitted. One reward is flipped and all later ones are fed as they were; what it"
    f" changes in the log-odds of the same choice {KEPT} trials later, over what it changes in the"
    " next choice, is what is kept of it. A high rate forgets fast, so less is kept in volatile"
    " stretches. Filters of any constant hazard keep more there, since beliefs near 1 forget what"
    " beliefs near 1/2 keep; the delta rule too. What a reward changes at once is shown and not"
    " judged: filters of every constant hazard change more in volatile stretches, as people do."
    " Levels 0 and .2. Both checks of the LSTM count together: a rule that learns six times faster"
    " from losses than from wins forgets so too (.04), and scores .6.",
    (Rate("behrens", "hidden volatility, 400 trials", 12.0),),
    (
        Check("behrens", FASTER, ">=", 0.03, "half of the exact filter's, choosing with certainty"),
        Check("behrens", f"{FASTER}, exact filter", "near", 0.11, "computed apart", 0.02),
        Check("behrens", f"{FASTER}, fixed hazard", "<=", 0.0, "the best constant hazard fails"),
        Check("behrens", f"{FASTER}, delta rule", "<=", 0.0, "a constant step fails"),
        Check("behrens", "score", ">=", 0.955, "above the best fixed rate, .935, by .02"),
    ),
)
