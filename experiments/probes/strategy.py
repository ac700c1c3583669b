"""Which strategy explains an agent's choices, on its own histories and where they disagree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import TUNING_SEED
from metalocus.envs import Setting
from metalocus.envs.checks import require_count
from metalocus.envs.families.dataset_bandit import DatasetBandit
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, dots
from metalocus.experiments.probes.rows import REACH, Row
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.sample import Sample
from metalocus.experiments.strategies.candidates import candidates
from metalocus.experiments.strategies.evidence import scored
from metalocus.experiments.strategies.fitting import entropy, surprise
from metalocus.experiments.strategies.mixture import Mixture, best_mixture
from metalocus.experiments.strategies.reader import KINDS, Reader, verdict
from metalocus.experiments.strategies.strategy import Strategy
from metalocus.experiments.strategies.tiny_gru import best_network, network_log_probs

CEILING = "gru"
"""The network of a few units, beside the strategies."""
FITTED_CHOICES = 10_000
"""Choices that are fitted, on episodes that are not reported; the network takes 20 s for them."""
NEAR = math.log(20.0) / 300.0
"""Strategies nearer than this, nats a choice, are not told apart: 300 choices would favour one by
less than 20 to 1, the usual threshold of strong evidence (Kass & Raftery 1995)."""


class StrategyProbe(Probe):
    """Cross-entropy from the agent's choice probabilities to those of fitted strategies.

    The numbers are of held-out episodes, in nats a choice above the agent's own entropy:
    ``excess`` = E[sum_k p_k log(p_k / q_k)], 0 for a strategy with exactly the agent's
    probabilities. ``share`` = (excess of random - excess) / (excess of random - excess of the
    network), the part that a strategy explains of what a recurrent network of a few units does.
    Nothing is sampled from the agent where its probabilities are read.

    ``mixture`` is the part of the episodes that each of two strategies plays, where two that take
    turns by episode explain more than any one (by ``gained``); else it is 1 for the best.

    * ``own``: fitted to histories that the agent makes itself and judged on further ones.
    * ``disagreeing``: the agent is shown histories that another has made, of several for each
      episode the one on which the strategies that explain most of its own choices disagree most;
      these are fitted anew to such histories of other episodes and judged on these.

    Args:
        choices: that are fitted under each kind of histories; if None, ``FITTED_CHOICES``.
        network: whether the network is fitted, which takes most of the time; without it there is
            no ``share``.
    """

    name: ClassVar[str] = "strategy"
    question: ClassVar[str] = "which strategy explains its choices, also where strategies disagree?"
    quantities: ClassVar[Mapping[str, str]] = {
        "share": "part explained of what a small network explains (0 random)",
        "excess": "cross-entropy above its own entropy, nats a choice (0 perfect)",
        "behind": "excess above that of the best strategy, nats a choice",
        "mixture": "part of the episodes that a strategy plays",
        "gained": "excess of the best above that of two that take turns by episode",
        "entropy": "of its own choices, nats",
        "worst": "excess in the one episode that the strategy explains least",
        "parameters": "fitted",
        "units": "of the network, for each object",
    }
    shown: ClassVar[int] = 2

    def __init__(self, choices: int | None = None, network: bool = True) -> None:
        self.choices = None if choices is None else require_count("choices", choices, 1)
        self.network = network

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """There must be choices that can follow from earlier ones and their rewards."""
        family = setting.family
        if isinstance(family, DatasetBandit):
            return (
                f"{family.name} shows all examples at once and asks for one choice: strategies"
                " that learn from trial to trial have nothing to say; `optimality` does"
            )
        if family.horizon < 2:
            return "strategies say how a choice follows from earlier ones, and there is one trial"
        return None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Fit to other episodes, then judge on those asked for."""
        strategies, references = candidates(chunks.setting.family)
        reader = Reader(agent, strategies, references)
        fitted = reader.fit(self._tuning(chunks))
        networks, mixtures = {}, {}
        for kind, read in fitted.items():
            if self.network:
                networks[kind] = best_network(read.seen, read.probs)
            mixtures[kind] = best_mixture(strategies, reader.parameters[kind], read, NEAR)
        samples = {kind: Sample() for kind in KINDS}
        worst = {kind: np.zeros(len(strategies)) for kind in KINDS}
        for chunk in chunks:
            for kind, read in reader.both(chunk):
                own, excess = entropy(read.probs), reader.excess(kind, read)
                worst[kind] = np.maximum(worst[kind], excess.max(axis=1))
                mixed, first = mixtures[kind].of(read)
                columns = [
                    own,
                    mixed - own,
                    first,
                    *excess,
                ]
                if kind in networks:
                    log_probs = network_log_probs(networks[kind], read.seen)
                    columns.append(surprise(log_probs, read.probs) - own)
                samples[kind].add(np.stack(columns))
        result: Result = {"best": {}, "not_told_apart": {}}
        for kind, sample in samples.items():
            _summarise(result, kind, sample, strategies)
            _mixture(result, kind, sample, mixtures[kind])
            result.setdefault("worst", {})[kind] = {
                each.name: float(most) for each, most in zip(strategies, worst[kind], strict=True)
            }
            if kind in networks:
                result.setdefault("units", {})[kind] = networks[kind].units
            result.setdefault("parameters", {})[kind] = {
                each.name: dict(zip(each.reported, theta.tolist(), strict=True))
                for each, (theta,) in zip(strategies, reader.parameters[kind].values(), strict=True)
                if each.reported
            }
        return result

    def _tuning(self, chunks: Chunks) -> Chunk:
        """Episodes that are fitted: as many as hold the choices, at least two."""
        family = chunks.setting.family
        choices = FITTED_CHOICES if self.choices is None else self.choices
        n = max(2, -(-choices // len(range(family.horizon)[scored(family)])))
        return Chunk(chunks.setting, TUNING_SEED + chunks.seed, 0, n)

    def sentence(self, result: Result) -> str:
        """The best strategy where strategies disagree, those as good, and that on its own."""
        best, own = (result["best"][kind] for kind in KINDS)
        if best == own == "random":
            return "Its choices are those of random choice, on its own histories and on others'."
        excess = self.row(result, "excess", f"disagreeing {best}")
        worst = self.row(result, "worst", f"disagreeing {best}")
        network = self.row(result, "excess", f"disagreeing {CEILING}")
        others = result["not_told_apart"]["disagreeing"]
        alike = f" (300 choices do not tell it from {others})" if others else ""
        there = self.row(result, "excess", f"own {own}")
        beside = "" if network.value is None else f", a network of a few units {network}"
        parts = result["mixture"]["disagreeing"]
        mixed = (
            f"; it plays {' and '.join(parts)} in turn, by episode ("
            + ", ".join(str(self.row(result, "mixture", f"disagreeing {each}")) for each in parts)
            + ")"
            if len(parts) > 1
            else ""
        )
        return (
            f"On histories on which strategies disagree {best} explains its choices best{alike}:"
            f" it is {excess} nats a choice from them, {worst} in the one episode that it"
            f" explains least{beside};"
            f" on its own histories {own} does, {there} nats from them{mixed}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Excess of each strategy on both kinds of histories, the best at the top."""
        rows = by_label(self.rows(result), "excess")
        named = {kind: _of_kind(rows, kind) for kind in KINDS}
        order = sorted(named["disagreeing"], key=lambda name: named["disagreeing"][name].value or 0)
        order = [name for name in order if name != CEILING]
        figure.set_size_inches(8.6, 2.4 + 0.24 * len(order))
        titles = ("on histories on which strategies disagree", "on its own histories")
        axes = figure.subplots(1, 2, sharey=True)
        for ax, kind, title in zip(axes, KINDS, titles, strict=True):
            as_good = {result["best"][kind], *result["not_told_apart"][kind].split(", ")}
            colours = [LINES[1 if name in as_good else 7][0] for name in order]
            dots(ax, [named[kind][name] for name in order], order, colours)
            if CEILING in named[kind]:
                ceiling, says = named[kind][CEILING].value, "network of a few units"
                ax.axvline(ceiling, color=LINES[2][0], lw=1.2, ls="--", label=says)
            ax.set_title(title, loc="left", fontsize=9)
            ax.set_xlabel("nats a choice from the agent's own")
            ax.set_xlim(left=-0.04 * ax.get_xlim()[1])  # what is at 0 is seen whole
        if self.network:
            axes[0].legend(frameon=False, fontsize=8, loc="lower left")  # the last rows are right
        return figure


def _summarise(result: Result, kind: str, sample: Sample, strategies: Sequence[Strategy]) -> None:
    """Add to a result what was found on a kind of histories.

    Args:
        result: to be added to.
        kind: of histories.
        sample: the agent's entropy, the excess of two that take turns, whether the
            first is nearer, the excess of every strategy and, if fitted, of the network.
        strategies: in the same order.
    """
    names = [each.name for each in strategies]
    own, _, _, *each = sample.columns
    excess, error = np.stack(each), sample.standard_error
    of_strategies = excess[: len(names)]
    behind = of_strategies - of_strategies[of_strategies.mean(axis=1).argmin()]
    everything, all_names = excess.mean(axis=1), [*names, CEILING][: len(excess)]
    _add(result, "excess", kind, all_names, everything, error(excess))
    _add(result, "behind", kind, names, behind.mean(axis=1), error(behind))
    _add(result, "entropy", kind, ["agent"], [own.mean()], [error(own)])
    if len(excess) > len(names):
        _add(result, "share", kind, all_names, *_shares(excess, names.index("random"), sample))
    free = [each.free for each in strategies]
    found = verdict(
        of_strategies.mean(axis=1).tolist(), (REACH * error(behind)).tolist(), free, NEAR
    )
    result["best"][kind] = names[found.simplest]
    others = (names[i] for i in found.as_good if i != found.simplest)
    result["not_told_apart"][kind] = ", ".join(others)


def _mixture(result: Result, kind: str, sample: Sample, mixture: Mixture) -> None:
    """Add the parts of two strategies that take turns by episode; of the best if none do.

    An episode is that of the nearer one: the agent's probabilities are read, so nothing is left to
    chance that a prior could help with.

    Args:
        result: with the best strategy of each kind.
        kind: of histories.
        sample: see :func:`_summarise`.
        mixture: that was fitted.
    """
    _, mixed, first, *_ = sample.columns
    best, two = result["best"][kind], [each.name for each in mixture.strategies]
    single = result["excess"][kind][best] - mixed
    error = sample.standard_error
    _add(result, "gained", kind, [" and ".join(two)], [single.mean()], [error(single)])
    if single.mean() <= NEAR:
        _add(result, "mixture", kind, [best], [1.0], [0.0])
        return
    parts = np.stack([first, 1.0 - first])
    _add(result, "mixture", kind, two, parts.mean(axis=1), error(parts))


def _shares(excess: Array, random: int, sample: Sample) -> tuple[Any, Any]:
    """Part of the network's gain over random that each has, and standard errors; None if no gain.

    Args:
        excess: of every strategy and, last, of the network, [S + 1, M].
        random: which is random choice.
        sample: that they are of.
    """
    gained = excess[random] - excess
    gap = gained[-1].mean()
    if gap <= NEAR:
        return [None] * len(excess), [None] * len(excess)
    share = gained.mean(axis=1) / gap
    return share, sample.standard_error((gained - share[:, None] * gained[-1]) / gap)


def _add(
    result: Result, quantity: str, kind: str, names: Sequence[str], values: Any, errors: Any
) -> None:
    """Numbers by name under a quantity and a kind of histories, with their standard errors."""
    for key, numbers in ((quantity, values), (f"{quantity}_se", errors)):
        plain = [None if each is None else float(each) for each in numbers]
        result.setdefault(key, {})[kind] = dict(zip(names, plain, strict=True))


def _of_kind(rows: Mapping[str, Sequence[Row]], kind: str) -> dict[str, Row]:
    """The rows whose label begins with a kind of histories, by the rest of it."""
    start = f"{kind} "
    return {
        label.removeprefix(start): each[0]
        for label, each in rows.items()
        if label.startswith(start)
    }
