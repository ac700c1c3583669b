"""Whether agent and Bayes-optimal reference can stand in for each other, state by state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import EXACT, Agent, Array, Stores
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import TUNING_SEED, act, choose, fresh_episodes, read_out
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.envs import Episodes, InvalidTask, Setting
from metalocus.experiments.instruments.regression import Ridge, principal
from metalocus.experiments.instruments.task import no_later_choice
from metalocus.experiments.instruments.untrained import untrained
from metalocus.experiments.instruments.vectors import Vectors, n_episodes
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import by_label, dots
from metalocus.experiments.probes.rows import rounded
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import NO_GAP, choice_bounds, number
from metalocus.experiments.scoring.sample import Sample, require_finite

FIT_EPISODES = 500
"""Maps are fitted on, of other seeds than the reported ones."""
LAUNCHES = 4
"""Trials at which a state is mapped, spaced by ratio."""
LATER = 5
"""Trials that a mapped state is simulated for before it is compared once more."""
MOST = 128
"""Principal directions of a state that are mapped from and to."""
ROWS = 1000
"""By which the principal directions of a wider state are found: several times as many as these."""
WAVES = 400
"""Random features that make the map nonlinear; with 1,600 the state of an LSTM is mapped to with
.02 less dissimilarity, and everything else moves by less than .01."""
FREQUENCY = 0.5
"""Their standard deviation over the square root of the number of directions, for features that
bend about once within the spread of the states."""
BAYES = "Bayes"
"""What the reference is called in a result."""
AGENT = "the agent"
CANDIDATES = {
    AGENT: "itself",
    "untrained": "the same network, untrained",
    "wsls": "win-stay lose-shift",
    "clone": "Bayes in another basis",
}
"""What the reference is compared with."""
_SEED = 0


class Simulate(Probe):
    """Maps states of one agent to states of another, and lets the other one go on from there.

    The reference plays, and the agent takes in the same transitions. A map f from the states of
    an agent M to those of an agent N is fitted on other episodes, one for all trials, each centred.
    N simulates M if its state is the one that is mapped to and its output then is M's own
    (Mikulik et al. 2020, "Meta-trained agents implement Bayes-optimal agents", section on
    structural comparison). For "M to N":

        D_s = E|f(s_M) - s_N|² / E|s_N - E s_N|²
        D_o = E|v(N from f(s_M)) - v(M)| / E(best - chance)

    with v(.) the true expected value of a choice, so that choices of equal value are alike. A state
    is all that an agent carries once it has taken in the last feedback. ``later`` is the same after
    N has gone on from f(s_M) for ``LATER`` more trials.
    """

    name: ClassVar[str] = "simulate"
    question: ClassVar[str] = "does it carry the states of the Bayes-optimal agent?"
    quantities: ClassVar[Mapping[str, str]] = {
        "state": "state dissimilarity (0 the same state, 1 knows no more than the trial)",
        "output": "output dissimilarity, in units of choice value",
        "choices": "probability that is put on other choices",
        "behaviour": "the same of the two agents' own choices, with nothing mapped",
        "later_state": f"state dissimilarity {LATER} trials later",
        "later_output": f"output dissimilarity {LATER} trials later",
        "earned": "choice value of its own choices on the reference's histories",
        "exact": "whether the reference is Bayes-optimal (0 no, 1 yes)",
    }
    shown: ClassVar[int] = 3

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only agents that can follow others' histories, on tasks whose reference has a state."""
        if agent.omniscient:
            return "an agent that is shown the task carries no belief that could be compared"
        if isinstance(agent, UpdatingAgent):
            return "an agent whose head is updated goes on from no state alone; leave out the rate"
        if best_reference(setting.family).omniscient:
            return f"no reference of {setting.family.name} has a state to compare with"
        return no_later_choice(setting.family)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Numbers by direction, such as ``agent to Bayes``, pooled over the launch trials."""
        family = chunks.setting.family
        reference = best_reference(family)
        others = _candidates(agent, chunks.setting)
        launches, compared = _times(family.horizon)
        seed = TUNING_SEED + chunks.seed
        tuning = fresh_episodes(chunks.setting.whole(), FIT_EPISODES, seed)
        maps = _fit(reference, others, tuning, seed, compared)
        sums: dict[tuple[str, str], Sample] = {}
        for chunk in chunks:
            score = _Score(reference, others, maps, launches, compared)
            for moment in _histories(reference, others, chunk.episodes(), chunk.start_seed):
                score.look(moment)
            for key, columns in score.found.items():
                sums.setdefault(key, Sample()).add(columns)
        fixed_tasks = chunks.setting.kwargs.get("n_tasks") is not None
        result: Result = {
            "reference": reference.name,
            "exact": reference.optimality(family) == EXACT and not fixed_tasks,
        }
        for (quantity, label), sample in sums.items():
            mean, error = _ratio(sample)
            result.setdefault(quantity, {})[label] = mean
            result.setdefault(f"{quantity}_se", {})[label] = error
        return result

    def sentence(self, result: Result) -> str:
        """Both dissimilarities in both directions, beside the untrained network's and WSLS's."""
        there, back = f"{AGENT} to {BAYES}", f"{BAYES} to {AGENT}"
        reference = result["reference"]
        found = []
        for way, key in (
            (f"from the agent to {reference}", there),
            (f"from {reference} to the agent", back),
        ):
            said = f"{way} state dissimilarity {self.row(result, 'state', key)}"
            output = self.row(result, "output", key)
            if output.value is not None:  # a choice pays at one of the trials compared
                said += f", output dissimilarity {output}"
            found.append(said)
        beside = []
        for name in list(CANDIDATES)[1:]:
            ways = (f"{name} to {BAYES}", f"{BAYES} to {name}")
            both = [self.row(result, "state", way).value for way in ways]
            if None not in both:
                values = " and ".join(rounded(value) for value in both)
                beside.append(f"{CANDIDATES[name]} {values}")
        said = "; ".join(found)
        last = f"; states beside: {', '.join(beside)}" if beside else ""
        return (
            f"{said[:1].upper()}{said[1:]} (0 the same, 1 no more than the trial's number){last}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """State and output dissimilarity of the agent and of what it is compared with."""
        rows = self.rows(result)
        names = [way for name in CANDIDATES for way in (f"{name} to {BAYES}", f"{BAYES} to {name}")]
        for ax, quantity in zip(figure.subplots(1, 2), ("state", "output"), strict=True):
            found = by_label(rows, quantity)
            shown = [way for way in names if way in found]
            colours = ["#0072B2" if AGENT in way else "#888888" for way in shown]
            dots(ax, [found[way][0] for way in shown], shown, colours)
            title, _, scale = self.quantities[quantity].partition(" (")
            ax.set_xlabel(title + (f"\n({scale}" if scale else ""))
        figure.axes[1].set_yticklabels([])
        return figure


@dataclass(frozen=True)
class _Moment:
    """A trial of N episodes, played by the reference and followed by the others.

    Attributes:
        t: trial number.
        stimulus: [N, S].
        worth: privileged value of every action, [N, K].
        stores: of each agent, the last feedback taken in.
        steps: whether taking it in made new stores, so that the agent goes on from these.
        probs: of each agent, [N, K].
        action: chosen, [N].
        reward: received, [N].
    """

    t: int
    stimulus: Array
    worth: Array
    stores: Mapping[str, Stores]
    steps: Mapping[str, bool]
    probs: Mapping[str, Array]
    action: Array
    reward: Array


def _candidates(agent: Agent, setting: Setting) -> dict[str, Agent]:
    """What the reference is compared with, as far as there is such an agent."""
    found = {AGENT: agent}
    fresh = untrained(agent)
    if fresh is not None:
        found["untrained"] = fresh
    for name in ("wsls", "clone"):
        try:
            found[name] = make_named(name, setting.family)
        except InvalidTask:
            continue
    return found


def _times(horizon: int) -> tuple[list[int], list[int]]:
    """Trials at which states are mapped, and those at which they are compared."""
    last = horizon - 1
    ratio = np.geomspace(1, max(1, last - LATER), LAUNCHES).round().astype(int)
    launches = sorted({min(int(t), last) for t in ratio})
    return launches, sorted({*launches, *(min(t + LATER, last) for t in launches)})


def _histories(
    reference: Agent, others: Mapping[str, Agent], episodes: Episodes, seed: int
) -> Iterator[_Moment]:
    """The reference plays to the end; the others take in the same transitions."""
    agents = {BAYES: reference, **others}
    before = {
        name: each.start(len(episodes), np.random.default_rng(seed))
        for name, each in agents.items()
    }
    for t in range(episodes.family.horizon):
        stimulus, worth = episodes.stimulus(), episodes.privileged_value()
        acted = {name: act(each, t, stimulus, before[name]) for name, each in agents.items()}
        taken = {name: each.take_in(stimulus, before[name]) for name, each in agents.items()}
        probs = {name: choice for name, (choice, _) in acted.items()}
        action = choose(probs[BAYES], episodes.crn.uniform("policy", t))
        reward, _ = episodes.step(action)
        steps = {name: taken[name] is not before[name] for name in agents}
        held = {name: _held(stores, len(worth)) for name, stores in taken.items()}
        yield _Moment(t, stimulus, worth, held, steps, probs, action, reward)
        before = {
            name: each.learn(acted[name][1], stimulus, action, reward)
            for name, each in agents.items()
        }


def _held(stores: Stores, n: int) -> Stores:
    """Stores of n episodes; of an agent that carries nothing, a constant."""
    return stores if n_episodes(stores) else Stores(state={"constant": np.zeros(n)})


class _Map:
    """States of one agent to those of another, by ridge regression on random features.

    Args:
        source: vectors of the one.
        target: vectors of the other.
        x: of N episodes at T trials, [T, N, D].
        y: the same of the other.
    """

    def __init__(self, source: Vectors, target: Vectors, x: Array, y: Array) -> None:
        self.source, self.target = source, target
        self.inputs, self.spread = _directions(x)
        self.outputs, _ = _directions(y)
        rng, width = np.random.default_rng(_SEED), max(1, self.inputs.shape[1])
        self.frequency = rng.normal(size=(self.inputs.shape[1], WAVES)) * FREQUENCY / np.sqrt(width)
        self.phase = rng.uniform(0.0, 2.0 * np.pi, WAVES)
        features = np.stack([self._features(each) for each in x])
        self.means = features.mean(axis=1)
        reached = (y @ self.outputs).astype(np.float64)
        blocks = {str(i): slice(i, i + 1) for i in range(reached.shape[2])}
        self.ridge = Ridge(features - self.means[:, None], reached, blocks, MOST + WAVES)

    def __call__(self, stores: Stores, at: int) -> Array:
        """Vectors [N, D] of the other agent, from stores of the one at a compared trial."""
        features = self._features(self.source.of(stores, at)) - self.means[at]
        reached: Array = self.ridge.predict(features) @ self.outputs.T
        return reached

    def _features(self, vectors: Array) -> Array:
        """Principal directions in units of their spread, and waves of them, [N, W + WAVES]."""
        scores = (vectors @ self.inputs).astype(np.float64) / self.spread
        return np.concatenate([scores, np.cos(scores @ self.frequency + self.phase)], axis=1)


def _directions(x: Array) -> tuple[Array, Array]:
    """Principal directions [D, W] and spread [W] of vectors [T, N, D], of some rows if wide."""
    rows = np.concatenate(list(x))
    step = max(1, len(rows) // ROWS) if rows.shape[1] > ROWS else 1
    return principal(rows[::step], MOST)


@dataclass(frozen=True)
class _Way:
    """From one agent to another, with the map between their states."""

    source: str
    target: str
    map: _Map

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


def _fit(
    reference: Agent,
    others: Mapping[str, Agent],
    episodes: Episodes,
    seed: int,
    compared: Sequence[int],
) -> list[_Way]:
    """Maps in both directions between the reference and each of the others."""
    kept: dict[str, list[Stores]] = {name: [] for name in (BAYES, *others)}
    for moment in _histories(reference, others, episodes, seed):
        if moment.t in compared:
            for name, stores in moment.stores.items():
                kept[name].append(stores)
    vectors = {name: Vectors(sample) for name, sample in kept.items()}
    x = {
        name: np.stack([vectors[name].of(stores, at) for at, stores in enumerate(kept[name])])
        for name in kept
    }
    for name, numbers in x.items():
        require_finite(f"what {name} carries", numbers)
    return [
        _Way(a, b, _Map(vectors[a], vectors[b], x[a], x[b]))
        for name in others
        for a, b in ((name, BAYES), (BAYES, name))
    ]


class _Score:
    """Compares agents in other episodes.

    Attributes:
        found: by quantity and direction, columns [2, N]: what is divided, and by what.
    """

    def __init__(
        self,
        reference: Agent,
        others: Mapping[str, Agent],
        ways: Sequence[_Way],
        launches: Sequence[int],
        compared: Sequence[int],
    ) -> None:
        self.agents = {BAYES: reference, **others}
        self.ways, self.launches, self.compared = ways, launches, compared
        self.found: dict[tuple[str, str], Array] = {}
        self.under_way: list[tuple[int, _Way, Stores]] = []

    def look(self, moment: _Moment) -> None:
        """Launch what begins at this trial, compare what ends, and let the rest go on."""
        arriving = [
            (end, way, self.agents[way.target].take_in(moment.stimulus, before))
            for end, way, before in self.under_way
        ]
        for end, way, stores in arriving:
            if end == moment.t:
                at = self.compared.index(end)
                vectors = way.map.target.of(_held(stores, len(moment.worth)), at)
                self._compare("later_", moment, way, vectors, stores)
        going = [each for each in arriving if each[0] > moment.t]
        if moment.t in self.launches:
            at, end = self.compared.index(moment.t), min(moment.t + LATER, self.compared[-1])
            for way in self.ways:
                vectors = way.map(moment.stores[way.source], at)
                mapped = way.map.target.back(vectors, moment.stores[way.target], at)
                self._compare("", moment, way, vectors, mapped)
                if end > moment.t:
                    going.append((end, way, mapped))
            self._behave(moment)
        self.under_way = [
            (end, way, self._next(moment, way.target, stores)) for end, way, stores in going
        ]

    def _behave(self, moment: _Moment) -> None:
        """Add up how the choices of the agents differ, each from its own state."""
        chance, best = choice_bounds(moment.worth)
        value = {name: (probs * moment.worth).sum(axis=1) for name, probs in moment.probs.items()}
        for name, own in value.items():
            self._add("earned", name, own - chance, best - chance)
            if name != BAYES:
                self._add("behaviour", name, np.abs(own - value[BAYES]), best - chance)

    def _next(self, moment: _Moment, name: str, stores: Stores) -> Stores:
        """Stores before the next trial, from ones that have taken in the last feedback."""
        agent = self.agents[name]
        if not moment.steps[name]:
            stores = agent.act(moment.stimulus, stores)[1]
        return agent.learn(stores, moment.stimulus, moment.action, moment.reward)

    def _compare(
        self, prefix: str, moment: _Moment, way: _Way, vectors: Array, stores: Stores
    ) -> None:
        """Add up both dissimilarities of a simulated state [N, D]."""
        at = self.compared.index(moment.t)
        real = way.map.target.of(moment.stores[way.target], at)
        error, whole = (((each) ** 2).sum(axis=1) for each in (vectors - real, real))
        self._add(f"{prefix}state", str(way), error.astype(float), whole.astype(float))
        own = moment.probs[way.source]
        probs = read_out(self.agents[way.target], moment.t, moment.stimulus, stores)
        chance, best = choice_bounds(moment.worth)
        apart = np.abs(((probs - own) * moment.worth).sum(axis=1))
        self._add(f"{prefix}output", str(way), apart, best - chance)
        if not prefix:
            other = np.abs(probs - own).sum(axis=1) / 2.0
            self._add("choices", str(way), other, np.ones_like(other))

    def _add(self, quantity: str, label: str, part: Array, whole: Array) -> None:
        """Add to the columns of a quantity."""
        columns = np.stack([part, whole])
        self.found[quantity, label] = self.found.get((quantity, label), 0.0) + columns


def _ratio(sample: Sample) -> tuple[float | None, float | None]:
    """Ratio of means and its standard error; None where there is nothing to divide by."""
    part, whole = sample.columns
    if whole.mean() <= NO_GAP**2:
        return None, None
    ratio = part.mean() / whole.mean()
    error = sample.standard_error((part - ratio * whole) / whole.mean())
    return number(ratio), number(float(error))
