"""How much a store must hold: the score against bits a number, directions, and bindings."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metalocus.agents.agent import STORES, Agent, Array, NamedAgent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import Intervention, rollout
from metalocus.agents.trained.observing import ObservingAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.checks import require_choice
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.instruments.bottleneck import BY_USE, BY_VARIANCE, find
from metalocus.experiments.instruments.task import no_later_choice
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import column
from metalocus.experiments.probes.rows import Row, counted
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import number
from metalocus.experiments.scoring.figures import STORE_COLOURS as COLOURS
from metalocus.experiments.scoring.sample import Sample

BITS = (1, 2, 3, 4, 5, 6, 7, 8)
RANKS = {BY_USE: (0, 1, 2, 4, 8, 16, 32), BY_VARIANCE: (0, 2, 8, 32)}
"""Directions tried, and as many as there are if these are fewer."""
SIZES: Mapping[str, tuple[int, ...]] = {"n_cues": (1, 2, 4, 8, 16, 32, 64), "n_arms": (2, 4, 8, 16)}
"""Of a task, by the argument that says how much there is to hold; the first that a family has."""
ENOUGH = 0.95
"""Part of the score that counts as all of it."""
LEAST = 0.1
"""Score below which nothing has been learned whose capacity could be found."""


class Capacity(Probe):
    """Squeezes what a store carries before every act, and asks what is left of the score.

    The score is the mean expected return on the scale where a random choice is 0 and the best
    reference 1, of all of an episode played with the squeeze.

    * ``bits``: every number is put to the nearest of 2^b levels, evenly spaced over the range that
      it has on other episodes.
    * ``rank``: what episodes differ by is projected on R directions, and every number becomes its
      linear regression on these, around its mean at that trial on other episodes. Directions come
      ``by use``, steps along the first changing this and later choices most, or ``by variance``
      (principal components), where large numbers that nothing reads come first.
    * ``bindings``: the same task with more or fewer cues (else arms), nothing squeezed; the passes
      through the cues stay as many. An agent that cannot play another size has no such number.

    ``needed`` is the least number of bits, or directions, with ``ENOUGH`` of the score. A wide
    agent is squeezed as it is and not trained again, so that no failure of training is taken for a
    lack of capacity.

    Args:
        stores: to be squeezed; those of them that hold real numbers are.
    """

    name: ClassVar[str] = "capacity"
    question: ClassVar[str] = "how many bits, directions and bindings does it need?"
    quantities: ClassVar[Mapping[str, str]] = {
        "needed": f"least number with {ENOUGH:.0%} of the score",
        "bits": "score by bits of every number",
        "rank": "score by directions",
        "bindings": "score by how much there is to hold",
        "score": "score (0 random, 1 best reference), nothing squeezed",
        "numbers": "real numbers in the store",
        "playable": "whether it can play the size (0 no, 1 yes)",
    }
    shown: ClassVar[int] = 5

    def __init__(self, stores: Sequence[str] = ("state", "weights")) -> None:
        given = [stores] if isinstance(stores, str) else list(stores)
        self.stores = [require_choice("stores", store, STORES) for store in given]

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only where something that was learned can be carried to a choice."""
        return no_later_choice(setting.family)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Scores by store and by how far it is squeezed."""
        setting = chunks.setting
        names = [name for name in self.stores if _has_numbers(agent, name)]
        known = find(agent, setting, chunks.seed, names) if names else {}
        squeezes: dict[tuple[str, ...], Intervention | None] = {("score",): None}
        key: tuple[str, ...]
        for name, squeezed in known.items():
            width = len(squeezed.spread)
            for bits in BITS:
                squeezes["bits", name, str(bits)] = squeezed.to_bits(bits)
            for order, ranks in RANKS.items():
                for rank in sorted({min(rank, width) for rank in ranks}):
                    key = "rank", f"{name}, {order}", str(rank)
                    squeezes[key] = squeezed.to_rank(order, rank)
        sample, ends = Sample(), _ends(setting)
        for chunk in chunks:
            value = _Values(chunk)
            found = [value(agent, squeeze) for squeeze in squeezes.values()]
            sample.add(np.stack([*found, *(value(end) for end in ends)]))
        result: Result = {}
        for place, key in enumerate(squeezes):
            _put(result, key, *_score(sample, place))
        for name, squeezed in known.items():
            result.setdefault("numbers", {})[name] = squeezed.numbers.size
        result["needed"] = _needed(result)
        return result | self._bindings(agent, chunks)

    def _bindings(self, agent: Agent, chunks: Chunks) -> Result:
        """Scores by size of the task, where the agent can play it."""
        argument = _argument(chunks.setting)
        if argument is None:
            return {}
        playable: dict[str, bool] = {}
        result: Result = {"playable": {argument: playable}}
        for size in SIZES[argument]:
            try:
                setting = resized(chunks.setting, argument, size)
                player = playing(agent, setting)
                players, sample = (player, *_ends(setting)), Sample()
                for chunk in Chunks(setting, chunks.n, chunks.seed):
                    value = _Values(chunk)
                    sample.add(np.stack([value(each) for each in players]))
            except InvalidTask:  # it cannot play this size
                playable[str(size)] = False
                continue
            playable[str(size)] = True
            _put(result, ("bindings", argument, str(size)), *_score(sample))
        return result

    def sentence(self, result: Result) -> str:
        """The score, and what is needed for nearly all of it."""
        whole = self.row(result, "score")
        if whole.value is None:
            return "Random choice earns as much as the best here, so there is no score."
        said = f"Its score is {whole} (0 random, 1 best reference)"
        if whole.value < LEAST:
            return f"{said}: too little has been learned to ask what holds it."
        parts = []
        for name in result.get("numbers", {}):
            bits = self._least(result, f"bits of {name}")
            use, variance = (self._least(result, f"{name}, {order}") for order in RANKS)
            many = counted(result["numbers"][name], "number")
            parts.append(
                f"{ENOUGH:.0%} of it needs {counted(bits, 'bit')} a number of its {name} ({many},"
                f" each by itself), and {counted(use, 'direction')} of it ({variance} if taken by"
                " variance)"
            )
        if not parts:
            parts = [f"no real numbers are in its {' or '.join(self.stores)} to be squeezed"]
        sizes = [row for row in self.rows(result) if row.quantity == "bindings"]
        if len(sizes) > 1:
            ends = (f"{row} with {row.label.split()[1]}" for row in (sizes[0], sizes[-1]))
            what = sizes[0].label.split()[0].removeprefix("n_")
            parts.append(f"the score is {' and '.join(ends)} {what}")
        return f"{said}; {'; '.join(parts)}."

    def _least(self, result: Result, label: str) -> str:
        """The least number that is enough, for people."""
        value = self.row(result, "needed", label).value
        most = BITS[-1] if label.startswith("bits") else RANKS[BY_USE][-1]
        return f"more than {most}" if value is None else f"{value:.0f}"

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Score by bits, by directions, and by size of the task."""
        rows = self.rows(result)
        panels = [
            (name, says)
            for name, says in (
                ("bits", "bits of every number"),
                ("rank", "directions of the store"),
                ("bindings", "cues or arms of the task"),
            )
            if any(row.quantity == name and row.value is not None for row in rows)
        ]
        whole = self.row(result, "score").value
        axes = figure.subplots(1, max(1, len(panels)), squeeze=False, sharey=True)[0]
        axes[0].set_ylabel("score (0 random, 1 best reference)")
        for ax, (name, says) in zip(axes, panels, strict=False):
            _draw(ax, [row for row in rows if row.quantity == name and row.value is not None])
            if whole is not None and name != "bindings":
                ax.axhline(whole, color="black", ls=":", lw=1.2, label="nothing squeezed")
            ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
            ax.set_xlabel(says)
            ax.legend(frameon=False, fontsize=8)
        return figure


def resized(setting: Setting, argument: str, size: int) -> Setting:
    """The setting with another number of cues, each shown as often, or of arms."""
    kwargs = {**setting.kwargs, argument: size}
    if argument == "n_cues":
        family = setting.family
        passes = family.horizon / family.n_cues  # type: ignore[attr-defined]
        kwargs["horizon"] = max(2, round(passes * size))
    return Setting(setting.env, **kwargs)


def playing(agent: Agent, setting: Setting) -> Agent:
    """The agent on another setting.

    Raises:
        InvalidTask: it cannot play it, or its network was made for observations of another size.
    """
    if isinstance(agent, NamedAgent):
        return make_named(agent.name, setting.family)
    if not isinstance(agent, ObservingAgent):
        raise InvalidTask("it was made for one setting")
    layout = setting.layout
    if layout.slices != agent.layout.slices:
        raise InvalidTask("its network reads observations of another size")
    other = copy.copy(agent)
    other.layout = layout
    return other


def _argument(setting: Setting) -> str | None:
    """The argument of an environment that says how much there is to hold."""
    taken = inspect.signature(FAMILIES[setting.env].__init__).parameters
    return next((name for name in SIZES if name in taken), None)


def _has_numbers(agent: Agent, name: str) -> bool:
    """Whether a store of the agent holds real numbers."""
    store = getattr(agent.start(1, np.random.default_rng(0)), name)
    return any(array.dtype.kind == "f" and array.size for array in store.values())


class _Values:
    """Expected returns of agents on the episodes of a chunk, which are made once."""

    def __init__(self, chunk: Chunk) -> None:
        self.episodes, self.seed = chunk.episodes(), chunk.start_seed
        self.begun = self.episodes.state_dict()

    def __call__(self, agent: Agent, squeeze: Intervention | None = None) -> Array:
        """Of every episode, [N]."""
        self.episodes.load_state_dict(self.begun)
        trace = rollout(agent, self.episodes, self.seed, intervene=squeeze)
        value: Array = trace.value.sum(axis=0)
        return value


def _ends(setting: Setting) -> tuple[Agent, Agent]:
    """Random choice and the best reference, whose scores are 0 and 1."""
    family = setting.family
    return make_named("random", family), best_reference(family)


def _score(sample: Sample, place: int = 0) -> tuple[float | None, float | None]:
    """A score and its standard error; None if the best earns no more than chance.

    Args:
        sample: values, the last two being those of random choice and of the best reference.
        place: of the value that is scored.
    """
    value, (chance, best) = sample.columns[place], sample.columns[-2:]
    gap = (best - chance).mean()
    if gap <= 1e-9:
        return None, None
    score = (value - chance).mean() / gap
    deviation = (value - chance - score * (best - chance)) / gap
    return number(float(score)), number(float(sample.standard_error(deviation)))


def _put(result: Result, path: Sequence[str], value: float | None, error: float | None) -> None:
    """Write a number and its standard error at the end of a path of keys."""
    for first, each in ((path[0], value), (f"{path[0]}_se", error)):
        inside, keys = result, [first, *path[1:]]
        for key in keys[:-1]:
            inside = inside.setdefault(key, {})
        inside[keys[-1]] = each


def _needed(result: Result) -> dict[str, int | None]:
    """Least number from which on nearly all of the score is kept, by store and squeeze."""
    whole, found = result["score"], {}
    for quantity, named in (("bits", "bits of {}"), ("rank", "{}")):
        for label, scores in result.get(quantity, {}).items():
            least = None
            for size in reversed(scores):
                if whole is None or whole < LEAST or scores[size] < ENOUGH * whole:
                    break
                least = int(size)
            found[named.format(label)] = least
    return found


def _draw(ax: Axes, rows: Sequence[Row]) -> None:
    """A line for every store and order, with its band; sizes evenly apart."""
    sizes = sorted({int(row.label.rsplit(" ", 1)[1]) for row in rows})
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(row.label.rsplit(" ", 1)[0], []).append(row)
    for label, each in lines.items():
        values, lows, highs = column(each, "value", "low", "high")
        at = [sizes.index(int(row.label.rsplit(" ", 1)[1])) for row in each]
        colour = COLOURS.get(label.split(",")[0], "black")
        dash = "-" if "," not in label or BY_USE in label else "--"
        name = label.removeprefix("n_")
        ax.plot(at, values, dash, marker="o", ms=3.5, lw=1.6, color=colour, label=name)
        ax.fill_between(at, lows, highs, color=colour, alpha=0.18, lw=0)
    ax.set_xticks(range(len(sizes)), [str(size) for size in sizes])
