"""Stores of an episode put into an episode of an opposite task: does it choose as the donor?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import STORES, Agent, Array, Stores
from metalocus.agents.rollout import TUNING_SEED, fresh_episodes
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.observing import ObservingAgent
from metalocus.envs import Episodes, Setting
from metalocus.envs.checks import require_count
from metalocus.experiments.instruments.exchange import Player, Task, opposite, shown_latents
from metalocus.experiments.instruments.subspace import (
    Coordinates,
    Swap,
    learned,
    random_directions,
)
from metalocus.experiments.instruments.task import (
    no_later_choice,
    paying_trials,
    steps_a_trial,
    unrelated,
)
from metalocus.experiments.instruments.vectors import Vectors, n_episodes
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import by_label, column, dots, line
from metalocus.experiments.probes.rows import Row, counted
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import NO_GAP, choice_bounds, number, numbers
from metalocus.experiments.scoring.sample import Sample

FIT_EPISODES = 1000
"""On which directions are found, of other seeds than the reported ones."""
FOLLOWED = 20
"""Trials after the exchange over which the choice is followed."""
STIMULI = 8
"""On which values are decoded, where a choice depends on what is shown."""
DRAWS = 2
"""Of random directions, whose effects are averaged."""
DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Parts of the way from an episode's own stores to the donor's."""
SAME = 1e-6
"""Probabilities this close are equal: a forward pass in single precision may be batched anew."""
TOO_LITTLE = 0.02
"""Choice value by which the donor must choose otherwise; of less, fractions would be noise."""
ALL, LAST, DECODED, LEARNED = "all", "last transition", "decoded", "learned"
RANDOM = {DECODED: "random, as large", LEARNED: "random"}
"""Random directions that others are compared with."""
COLOURS = {ALL: "black", DECODED: "#0072B2", LEARNED: "#009E73", RANDOM[DECODED]: "#888888"}
"""Of what is followed and dosed."""
OTHER = "#E69F00"
"""The colour of all else."""


class Transplant(Probe):
    """Interchange interventions between episodes whose tasks have no best action in common.

    Two unrelated episodes are played to trial t. Then stores of the donor, or a part of them, are
    put into the other episode, which chooses on its own stimulus and plays on in its own task.
    With V the expected value of its choice *by the donor's task*, over pairs of opposite tasks,

        moved = (V(exchanged) - V(own stores)) / (V(donor's choice) - V(own stores)),

    0 if it chooses as before and 1 if it chooses as the donor would on this stimulus. What is
    exchanged: ``all`` stores; each store; the last action and reward alone (of trained agents;
    with these, in every part below too); the ``decoded`` subspace, from which a linear decoder
    reads which action is worth more, at least ``NEARLY_ALL`` of it; and of a trained network a
    ``learned`` rotation, as many directions found by gradient descent on other episodes through
    its forward pass (distributed alignment search: Geiger et al. 2024, "Finding alignments
    between interpretable causal variables and distributed neural representations"). Beside them
    as many random directions, with their own size of change and with that of the decoded one.

    ``agreement`` is the probability in common with the donor's choice, sum_k min(p_k, q_k).
    ``cost`` is the choice value lost *by its own task* with all stores of an opposite task, and
    of another episode of its own task. If with all stores its probabilities are not those of the
    donor on the same stimulus, more than its stores tells them: ``contained`` is False.

    Args:
        trial: at which stores change places; if None, the middle one of those whose choice pays.
    """

    name: ClassVar[str] = "transplant"
    question: ClassVar[str] = "does it choose as a donor episode would, given its stores?"
    in_pairs: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, str]] = {
        "moved": "how far the first choice moves to the donor's (0 not, 1 all the way)",
        "after": "how far choices are moved, by trial, as feedback overwrites the exchange",
        "dose": "how far the first choice moves, by the part of the way exchanged",
        "agreement": "probability in common with the donor's choice",
        "cost": "choice value by its own task that is lost with all stores of another episode",
        "contained": "whether the stores tell all of the choice (0 no, 1 yes)",
        "opposite": "fraction of pairs whose tasks have no best action in common",
        "apart": "choice value, by the donor's task, of the donor's choice above the own one",
        "rank": "directions exchanged",
        "directions": "all directions of the stores",
    }
    shown: ClassVar[int] = 6

    def __init__(self, trial: int | None = None) -> None:
        self.trial = None if trial is None else require_count("trial", trial, 1)

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Where nothing has been learned before a choice, there is nothing to exchange."""
        family = setting.family
        if self.trial is not None and self.trial >= family.horizon:
            return f"trial must be from 1 to {family.horizon - 1}, got {self.trial}"
        return no_later_choice(family)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Of the first choice by what is exchanged, and lists over the trials that follow."""
        family = chunks.setting.family
        step = steps_a_trial(family)
        t = _middle(chunks.setting) if self.trial is None else self.trial
        later = [t + k * step for k in range(FOLLOWED + 1) if t + k * step < family.horizon]
        plan = _fit(agent, chunks, t)
        samples: dict[str, Sample] = {}
        contained = True
        for chunk in chunks:
            pair = _Pair(agent, chunk, t, plan)
            for name, columns in pair.columns(later).items():
                samples.setdefault(name, Sample()).add(columns)
            contained &= pair.shift <= SAME
        rank = {name: each[0].directions.shape[1] for name, each in plan.swaps.items()}
        size = {} if plan.coordinates is None else {"directions": plan.coordinates.size}
        return {
            "trials": later,
            **_summary(samples),
            "contained": contained,
            "rank": rank,
            **size,
        }

    def sentence(self, result: Result) -> str:
        """How far each part moves the first choice, and how far it still does at the end."""
        whole = self.row(result, "moved", ALL)
        at = result["trials"][0]
        hidden = "" if result["contained"] else "; more than its stores tells its choice"
        if whole.value is None:
            return (
                f"At trial {at} no donor of an opposite task would choose better by its own task on"
                f" what is shown, so that nothing could move{hidden}."
            )
        parts = [(name, self.row(result, "moved", name)) for name in (DECODED, LEARNED)]
        said = "".join(
            f", with {counted(result['rank'][name], f'{name} direction')} {row}"
            f" ({RANDOM[name]}: {self.row(result, 'moved', RANDOM[name])})"
            for name, row in parts
            if row.value is not None
        )
        last = [row for row in self.rows(result) if (row.quantity, row.label) == ("after", ALL)]
        ago = result["trials"][-1] - at
        fades = f"; {counted(ago, 'trial')} later it is {last[-1]} with all of them" if ago else ""
        return (
            f"With all stores of an episode of an opposite task, put in place at trial {at}, its"
            f" choice moves {whole} of the way to the donor's{said}{fades}{hidden}; whether it goes"
            " by these stores where nothing is exchanged no exchange can tell."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Left, the first choice; in the middle the dose; right, the trials that follow."""
        rows = self.rows(result)
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.15, 0.8, 1])
        moved = {name: each[0] for name, each in by_label(rows, "moved").items()}
        if moved:
            dots(
                left,
                list(moved.values()),
                list(moved),
                [COLOURS.get(name, OTHER) for name in moved],
            )
            left.set_xlim(min(-0.1, left.get_xlim()[0]), max(1.1, left.get_xlim()[1]))
        left.set_xlabel("first choice moved to the donor's\n(0 not, 1 all the way)")
        for name in COLOURS:
            doses = [
                Row(None, name, "dose", found.value, found.se)
                for label, (found,) in by_label(rows, "dose").items()
                if label.startswith(f"{name} ") and label[len(name) + 1 :] in map(str, DOSES)
            ]
            if len(doses) == len(DOSES):
                values, lows, highs = column(doses, "value", "low", "high")
                middle.plot(DOSES, values, "-o", color=COLOURS[name], ms=3.5, lw=1.6)
                middle.fill_between(DOSES, lows, highs, color=COLOURS[name], alpha=0.18, lw=0)
            line(right, by_label(rows, "after").get(name, []), name, COLOURS[name])
        for ax in (middle, right):
            ax.set_ylim(-0.15, 1.15)
            ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        middle.set_xlabel("part of the way\nthat is exchanged")
        middle.set_ylabel("choice moved")
        right.set_xlabel("trial (feedback is\nof the other task)")
        if moved:
            right.legend(frameon=False, fontsize=8)
        return figure


@dataclass(frozen=True)
class _Plan:
    """What is exchanged in part.

    Attributes:
        shown: latents that a stimulus is made of.
        told: arrays of the context that a trained agent's next observation is made of.
        coordinates: of the other arrays; None if there are none that differ between episodes.
        swaps: directions by name; of random ones several draws.
    """

    shown: Sequence[str]
    told: frozenset[str]
    coordinates: Coordinates | None
    swaps: Mapping[str, Sequence[Swap]]

    def inside(self, stores: Stores) -> Stores:
        """The arrays of which a part changes places."""
        kept = {key: each for key, each in stores.context.items() if key not in self.told}
        return replace(stores, context=kept)

    def with_last(self, own: Stores, donor: Stores) -> Stores:
        """An episode's stores, with the donor's last transition."""
        last = {key: donor.context[key] for key in self.told}
        return own.updated(Stores(context=last))


class _Exchange:
    """A part of the donors' stores put into those of other episodes, by more or less."""

    def __init__(self, plan: _Plan, own: Stores, donor: Stores) -> None:
        self.plan, self.own, self.donor = plan, own, donor
        self.with_last = plan.with_last(own, donor)
        if plan.coordinates is not None:
            self.vectors = plan.coordinates.vectors
            self.mine, self.theirs = (self.vectors.of(each) for each in (own, donor))
            self.numbers = [plan.coordinates.of(each) for each in (own, donor)]

    def along(self, swap: Swap, dose: float = 1.0) -> Stores:
        """Along some directions, and the last transition."""
        assert self.plan.coordinates is not None
        step = self.plan.coordinates.step(dose * swap.change(*self.numbers))
        return self.vectors.back(self.mine + step, self.with_last)

    def part_way(self, dose: float) -> Stores:
        """All stores; whatever is no real number from the nearer of the two."""
        if self.plan.coordinates is None:
            return self.donor if dose >= 0.5 else self.own
        like = self.with_last if dose >= 0.5 else self.own
        return self.vectors.back(self.mine + dose * (self.theirs - self.mine), like)


def _fit(agent: Agent, chunks: Chunks, t: int) -> _Plan:
    """Find directions on other episodes."""
    setting, seed = chunks.setting.whole(), TUNING_SEED + chunks.seed
    player = Player.begin(agent, fresh_episodes(setting, FIT_EPISODES, seed), seed)
    player.play(t)
    player.probs()  # which are checked, and with them the stores
    episodes = player.episodes
    turned = {name: np.roll(each, 1, axis=0) for name, each in episodes.latents.items()}
    shown = shown_latents(episodes.family, episodes.latents, turned)
    told = frozenset(agent.context) if isinstance(agent, ObservingAgent) else frozenset[str]()
    plan = _Plan(shown, told, None, {})
    inside = plan.inside(player.stores)
    if not n_episodes(inside) or not Vectors([inside]).size:
        return plan
    coordinates = Coordinates(inside, _contrasts(episodes, shown))
    decoded = coordinates.decoded()
    if not decoded.shape[1]:
        return plan
    swaps: dict[str, Sequence[Swap]] = {DECODED: [Swap(decoded)]}
    if type(agent) is TrainedAgent:
        swaps[LEARNED] = [Swap(_learned(agent, player, plan, coordinates, decoded))]
    random = [random_directions(decoded.shape, draw) for draw in range(DRAWS)]
    swaps[RANDOM[DECODED]] = [Swap(each, decoded) for each in random]
    swaps[RANDOM[LEARNED]] = [Swap(each) for each in random]
    return _Plan(shown, told, coordinates, swaps)


def _middle(setting: Setting) -> int:
    """The middle one of the trials at which choices pay, after the first."""
    pays = [t for t in paying_trials(setting) if t] or [steps_a_trial(setting.family)]
    return pays[(len(pays) - 1) // 2]


def _contrasts(episodes: Episodes, shown: Sequence[str]) -> Array:
    """What an action is worth above the others, on one or several stimuli, [N, Q]."""
    rows = range(min(STIMULI, len(episodes)) if shown else 1)
    values = Task(episodes, shown).values_on(episodes, rows)
    contrasts: Array = values - values.mean(axis=2, keepdims=True)
    return contrasts.reshape(len(episodes), -1)


def _learned(
    agent: TrainedAgent, player: Player, plan: _Plan, coordinates: Coordinates, begin: Array
) -> Array:
    """Directions learned on the episodes played, each the donor of the next one, [W, R]."""
    donor = player.stores.rows(np.roll(np.arange(len(player.episodes)), 1))
    own, wanted = plan.with_last(player.stores, donor), player.probs(donor)
    return learned(agent, coordinates, player.shown, own, donor, wanted, begin)


class _Pair:
    """The episodes of a chunk, and for each an unrelated donor and one of its own task.

    Attributes:
        shift: greatest difference of its probabilities from what they were before other episodes
            were played, and with all of the donor's stores from the donor's.
    """

    def __init__(self, agent: Agent, chunk: Chunk, t: int, plan: _Plan) -> None:
        self.plan, seed = plan, chunk.start_seed
        self.own = Player.begin(agent, chunk.episodes(), seed)
        episodes = self.own.episodes
        begun = episodes.latents
        self.own.play(t)
        self.plain = self.own.probs()
        self.donor = Player.begin(agent, unrelated(chunk), seed)
        self.donor.play(t)
        # as the donor's agent, with whatever it hides, would choose on this stimulus
        self.wanted = Player(self.donor.agent, episodes, self.donor.stores, t).probs()
        same = unrelated(chunk)
        same.latents = {**same.latents, **begun}
        self.same = Player.begin(agent, same, seed)
        self.same.play(t)
        self.task = Task(self.donor.episodes, plan.shown)
        self.value, self.worth = self.task.value(episodes), episodes.privileged_value()
        self.apart = opposite(self.worth, self.value)
        # what copies of the agent share outside the stores has been started anew since
        again = self.own.probs(), self.own.probs(self.donor.stores)
        self.shift = max(
            float(np.abs(now - before).max())
            for now, before in zip(again, (self.plain, self.wanted), strict=True)
        )

    def columns(self, later: Sequence[int]) -> dict[str, Array]:
        """What is summarised, by name: columns [C, ..., N], 0 where tasks are not opposite."""
        own, donor, plan = self.own.stores, self.donor.stores, self.plan
        exchange = _Exchange(plan, own, donor)
        parts: dict[str, list[Stores]] = {ALL: [donor]}
        held = [store for store in STORES if getattr(own, store)]
        for store in held if len(held) > 1 else ():
            parts[store] = [own.restore(donor, [store])]
        if plan.told and plan.coordinates is not None:
            parts[LAST] = [exchange.with_last]
        for name, swaps in plan.swaps.items():
            parts[name] = [exchange.along(swap) for swap in swaps]
        found = {}
        for name, each in parts.items():
            probs = [self.own.probs(stores) for stores in each]
            found[f"moved/{name}"] = self._moved(np.mean(probs, axis=0))
            found[f"agreement/{name}"] = self._agreement(probs)
        found["agreement/none"] = self._agreement([self.plain])
        for name in (ALL, DECODED, LEARNED):
            if name in parts:
                found |= self._doses(name, parts[name][0], exchange)
        found |= self._follow({name: parts[name][0] for name in COLOURS if name in parts}, later)
        found |= self._costs()
        _, whole, gap, _ = self._moved(self.plain)
        found["apart"] = np.stack([whole, gap])
        found["opposite"] = np.stack([self.apart.astype(float), np.ones(len(self.apart))])
        return found

    def _agreement(self, probs: Sequence[Array]) -> Array:
        """Columns of the probability in common with the donor's choice, [2, N]."""
        common = np.mean([np.minimum(p, self.wanted).sum(axis=1) for p in probs], axis=0)
        return np.stack([common, np.ones_like(common)]) * self.apart

    def _moved(
        self, probs: Array, value: Array | None = None, before: Array | None = None
    ) -> Array:
        """Columns of how far a choice is moved, [4, N].

        They are the change of its value by the donor's task; that of the first choice if it were
        the donor's; the gap from chance to the best; and what the donor's choice is above chance.

        Args:
            probs: of the choice, [N, K].
            value: of the actions by the donor's task [N, K]; that at the first choice if None.
            before: probabilities without an exchange [N, K]; those of the first choice if None.
        """
        at = self.value if value is None else value
        change = ((probs - (self.plain if before is None else before)) * at).sum(axis=1)
        chance, best = choice_bounds(self.value)
        donors = (self.wanted * self.value).sum(axis=1)
        whole = donors - (self.plain * self.value).sum(axis=1)
        return np.stack([change, whole, best - chance, donors - chance]) * self.apart

    def _doses(self, name: str, whole: Stores, exchange: _Exchange) -> dict[str, Array]:
        """The first choice, a part of the way from the own stores to the whole exchange."""
        found = {}
        for dose in DOSES:
            if dose in (0.0, 1.0):
                stores = whole if dose else self.own.stores
            elif name == ALL:
                stores = exchange.part_way(dose)
            else:
                stores = exchange.along(self.plan.swaps[name][0], dose)
            found[f"dose/{name} {dose}"] = self._moved(self.own.probs(stores))
        return found

    def _follow(self, parts: Mapping[str, Stores], later: Sequence[int]) -> dict[str, Array]:
        """Play on from each exchange, and without one; the task of value stays the donor's."""
        plain = self._played_on(self.own.stores, later)
        return {
            f"after/{name}": np.stack(
                [
                    self._moved(probs, value, before)
                    for (probs, value), (before, _) in zip(
                        self._played_on(stores, later), plain, strict=True
                    )
                ],
                axis=1,
            )
            for name, stores in parts.items()
        }

    def _played_on(self, stores: Stores, later: Sequence[int]) -> list[tuple[Array, Array]]:
        """Probabilities and values by the donor's task, [N, K], at later trials."""
        player, found = self.own.branch(stores), []
        for t in later:
            player.play(t - player.t)
            value = self.task.value(player.episodes)
            found.append((player.step(), value))
        return found

    def _costs(self) -> dict[str, Array]:
        """Choice value by its own task lost with all stores of other episodes."""
        chance, best = choice_bounds(self.worth)
        own = (self.plain * self.worth).sum(axis=1)
        theirs = Task(self.same.episodes, self.plan.shown).value(self.own.episodes)
        # where hidden tasks switch, the other episode's may have become another one
        alike = ~opposite(self.worth, theirs)
        found = {}
        for name, player, which in (
            ("same task", self.same, alike),
            ("opposite task", self.donor, self.apart),
        ):
            lost = own - (self.own.probs(player.stores) * self.worth).sum(axis=1)
            found[f"cost/{name}"] = np.stack([lost, best - chance]) * which
        return found


def _summary(samples: Mapping[str, Sample]) -> Result:
    """Ratios of means, by quantity and label, with their standard errors.

    Of four columns, see :meth:`_Pair._moved`, the ratio is known if the donor's choice is above
    chance and above the own one, by its task.
    """
    result: Result = {}
    for key, sample in samples.items():
        top, bottom, *more = sample.columns
        mean = bottom.mean(axis=-1)
        known = mean > NO_GAP
        if more:
            gap, donors = (each.mean(axis=-1) for each in more)
            known = known & (np.minimum(mean, donors) > TOO_LITTLE * gap)
        divisible = np.where(known, mean, np.nan)
        ratio = top.mean(axis=-1) / divisible
        error = sample.standard_error((top - ratio[..., None] * bottom) / divisible[..., None])
        quantity, _, label = key.partition("/")
        for name, value in ((quantity, ratio), (f"{quantity}_se", error)):
            said = numbers(value) if ratio.ndim else number(float(value))
            if label:
                result.setdefault(name, {})[label] = said
            else:
                result[name] = said
    return result
