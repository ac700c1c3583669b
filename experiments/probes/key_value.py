"""Feed-forward layers as memories: what excites a unit, and which action it writes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import TUNING_SEED, Trial, rollout
from metalocus.agents.trained.frozen import TrainedAgent, to_carry
from metalocus.envs import Setting
from metalocus.experiments.instruments.untrained import untrained
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, column
from metalocus.experiments.probes.rows import REACH
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import number
from metalocus.experiments.scoring.sample import Sample

KEYS = 8
"""Units that are measured: those of strongest effect."""
TRIALS = 8
"""Trials at which they are, evenly over the episode and not the first."""
FITTED = 300
"""Episodes, not measured ones, by which keys are chosen and described."""
TOP = 0.05
"""The part of histories that excite a key most."""
ROUNDING = 1e-4
"""Of activations in single precision, in standard deviations."""
LEAST = 1e-12
"""Variance of a probability that is rounding."""
ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU)


class KeyValue(Probe):
    """Reads the units of feed-forward layers as keys of histories and their output as values.

    See docs/probes/key_value.md for the method, sources and controls.
    """

    name: ClassVar[str] = "key_value"
    question: ClassVar[str] = "what excites its feed-forward keys, and which actions do they write?"
    example: ClassVar[tuple[str, Setting]] = (
        "planted_key",
        Setting("metalocus/BernoulliBandit-v0", horizon=8),
    )
    quantities: ClassVar[dict[str, str]] = {
        "rise": "probability of a key's action where it is most excited, less that in all",
        "excited": "probability of the key's action in the histories that excite it most",
        "everywhere": "probability of the key's action in all histories",
        "alike": "those histories that have the key's usual last action and reward",
        "predicted": "variance of the probability that a line in the activation predicts",
    }

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only networks of this package, read at trials after the first."""
        if not isinstance(agent, TrainedAgent) or not _layers(agent):
            return "key_value looks into feed-forward layers of trained networks; it has none"
        if setting.family.horizon < 2:
            return "key_value is about histories: use at least 2 trials"
        return None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Keys are found on other episodes than those measured."""
        assert isinstance(agent, TrainedAgent)  # why_not has refused all others
        result = _measured(agent, chunks)
        fresh = untrained(agent)
        if isinstance(fresh, TrainedAgent):
            few = Chunks(chunks.setting, min(FITTED, chunks.n), chunks.seed)
            base = _measured(fresh, few)
            for name in ("rise", "rise_se"):
                result[name] = {"trained": result[name], "untrained": base[name]}
        return result

    def sentence(self, result: Result) -> str:
        """How far the keys' actions are more probable where they are excited; the strongest one."""
        rise, fresh = (self.row(result, "rise", label) for label in ("trained", "untrained"))
        if rise.value is None:
            return "No feed-forward unit has any effect on the choice."
        strongest, meaning = next(iter(result["means"].items()))
        excited, alike = (self.row(result, name, strongest) for name in ("excited", "alike"))
        beside = "" if fresh.value is None else f" (untrained {fresh})"
        return (
            f"Where its strongest feed-forward keys ({len(result['means'])}) are most excited, the"
            f" action that each writes is more probable by {rise}{beside}; the first, {strongest},"
            f" is excited {meaning}, whose probability then is {excited}; {alike} of those"
            f" histories are alike."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """For every key what it stands for, and how probable its action is then and in all."""
        rows = self.rows(result)
        left, right = figure.subplots(1, 2, width_ratios=[1.4, 1.0], sharey=True)
        names = list(result["means"])
        for ax, shown in (
            (left, {"everywhere": "in all histories", "excited": "in those that excite it most"}),
            (
                right,
                {"alike": "alike in last action and reward", "predicted": "variance predicted"},
            ),
        ):
            for i, (quantity, label) in enumerate(shown.items()):
                found = by_label(rows, quantity)
                values, errors = column([each[0] for each in found.values()], "value", "se")
                at = [names.index(name) + 0.15 * (i - 0.5) for name in found]
                colour = LINES[7 if quantity == "everywhere" else 1 + i + 2 * (ax is right)][0]
                bars: dict[str, Any] = {"color": colour, "ms": 5, "capsize": 2, "label": label}
                ax.errorbar(values, at, xerr=REACH * errors, fmt="os"[i], **bars)
            ax.set_xlim(-0.05, 1.05)
            ax.legend(frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.16))
        said = [f"{name}, {result['means'][name]}" for name in names]
        left.set_yticks(range(len(names)), [textwrap.fill(each, 40) for each in said], fontsize=7.5)
        left.invert_yaxis()
        left.set_xlabel("probability of the key's action")
        right.set_xlabel("part")
        return figure


@dataclass(frozen=True)
class _Key:
    """A unit, as other episodes show it.

    Attributes:
        label: which layer and unit.
        layer: its number.
        unit: within the layer.
        action: that its output makes more probable.
        most: activation that ``TOP`` of the histories reach.
        kind: the usual last action and whether it was rewarded, in those histories.
        line: the action's probability by the activation, intercept and slope.
    """

    label: str
    layer: int
    unit: int
    action: int
    most: float
    kind: tuple[int, bool]
    line: tuple[float, float]

    @property
    def meaning(self) -> str:
        """In words: what excites it and what it writes."""
        action, rewarded = self.kind
        outcome = "paid" if rewarded else "did not pay"
        return f"after action {action} {outcome} and writes action {self.action}"


@dataclass(frozen=True)
class _Seen:
    """Histories of N episodes at one trial.

    Attributes:
        units: activations of every layer, [N, U] each.
        effects: gradient of the actions' log-probabilities by them, [K, N, U] each.
        probs: of actions, [N, K].
        action: of the trial before, [N].
        rewarded: whether it was, above the middle of the range, [N].
    """

    units: list[Array]
    effects: list[Array]
    probs: Array
    action: Array
    rewarded: Array


def _layers(agent: TrainedAgent) -> Sequence[tuple[str, nn.Module]]:
    """Name and activation function of every feed-forward layer, the head's last."""
    policy = agent.policy
    inner: list[nn.Module] = [m for m in policy.cell.modules() if isinstance(m, ACTIVATIONS)]
    head: list[nn.Module] = [
        m for m in policy.mlp_extractor.policy_net.modules() if isinstance(m, ACTIVATIONS)
    ]
    named = [(f"layer {i}", module) for i, module in enumerate(inner, start=1)]
    heads = [f"head {i}" for i in range(1, len(head) + 1)] if len(head) > 1 else ["head"]
    return [*named, *zip(heads, head, strict=False)]


def _histories(agent: TrainedAgent, chunk: Chunk, effects: bool) -> list[_Seen]:
    """What excites the units at some trials of an agent's own episodes."""
    last = chunk.setting.family.horizon - 1
    trials = set(np.linspace(0, last, TRIALS + 1).round().astype(int).tolist()) - {0}
    middle = np.mean(chunk.setting.family.reward_range)
    found: list[_Seen] = []

    def observe(trial: Trial) -> None:
        if trial.t not in trials or trial.last is None:
            return
        log_probs, units = _forward(agent, trial)
        gradients = []
        if effects:
            totals = log_probs.sum(dim=0).unbind()
            each = [torch.autograd.grad(total, units, retain_graph=True) for total in totals]
            gradients = [_rows(torch.stack(by_action)) for by_action in zip(*each, strict=True)]
        n = len(trial.probs)
        kept = [unit.detach().reshape(n, -1).numpy().astype(np.float64) for unit in units]
        rewarded = trial.last.reward > middle
        found.append(_Seen(kept, gradients, trial.probs, trial.last.action, rewarded))

    rollout(agent, chunk.episodes(), chunk.start_seed, observe=observe)
    return found


def _forward(agent: TrainedAgent, trial: Trial) -> tuple[Tensor, list[Tensor]]:
    """Log-probabilities [N, K] at a trial and the activations of every feed-forward layer."""
    policy, units = agent.policy, list[Tensor]()
    hooks = [
        module.register_forward_hook(lambda _m, _a, out: units.append(out))
        for _, module in _layers(agent)
    ]
    try:
        obs = torch.from_numpy(agent.observation(trial.stimulus, trial.stores))
        carry = to_carry(trial.stores, policy.cell.carried) | policy.critic_carry(len(obs))
        actor, critic, _ = policy.features(obs[None], carry, torch.zeros(1, len(obs)))
        log_probs: Tensor = policy.read_out(actor, critic)[0].log_probs  # type: ignore[attr-defined]
    finally:
        for hook in hooks:
            hook.remove()
    return log_probs, units


def _rows(gradients: Tensor) -> Array:
    """Gradients of K actions by a layer's units at one step of N episodes, [K, N, U]."""
    k, width = len(gradients), gradients.shape[-1]
    rows: Array = gradients.reshape(k, -1, width).numpy().astype(np.float64)
    return rows


def _keys(agent: TrainedAgent, setting: Setting) -> list[_Key]:
    """The units of strongest effect, the strongest first, found on episodes for tuning."""
    seen = _histories(agent, Chunk(setting, TUNING_SEED, 0, FITTED), effects=True)
    found: list[tuple[float, _Key]] = []
    for layer, (name, _) in enumerate(_layers(agent)):
        spread = np.concatenate([each.units[layer] for each in seen]).std(axis=0)
        value = np.mean([each.effects[layer].mean(axis=1) for each in seen], axis=0)  # [K, U]
        effect = spread * value.max(axis=0)
        found += [
            (effect[unit], _key(name, layer, int(unit), int(value[:, unit].argmax()), seen))
            for unit in np.argsort(-effect)[:KEYS]
            if effect[unit] > 0.0
        ]
    found.sort(key=lambda pair: -pair[0])
    return [key for _, key in found[:KEYS]]


def _key(name: str, layer: int, unit: int, action: int, seen: list[_Seen]) -> _Key:
    """A unit that writes an action, described by what was seen."""
    own = np.concatenate([each.units[layer][:, unit] for each in seen])
    p = np.concatenate([each.probs[:, action] for each in seen])
    kinds = np.concatenate([np.stack([each.action, each.rewarded], axis=1) for each in seen])
    most = float(np.quantile(own, 1.0 - TOP))
    if most == own.min():  # it is excited more rarely
        most = float(own[own > most].min())
    pairs, counts = np.unique(kinds[own >= most], axis=0, return_counts=True)
    before, rewarded = pairs[counts.argmax()]
    slope = float(np.cov(own, p, bias=True)[0, 1] / own.var())
    return _Key(
        label=f"{name} unit {unit + 1}",
        layer=layer,
        unit=unit,
        action=action,
        most=most - ROUNDING * float(own.std()),
        kind=(int(before), bool(rewarded)),
        line=(float(p.mean() - slope * own.mean()), slope),
    )


def _measured(agent: TrainedAgent, chunks: Chunks) -> Result:
    """The numbers of every key, and the mean rise over keys."""
    keys, sample = _keys(agent, chunks.setting), Sample()
    if not keys:
        return {"means": {}, "rise": None, "rise_se": None}
    for chunk in chunks:
        seen = _histories(agent, chunk, effects=False)
        sample.add(np.concatenate([_columns(key, seen) for key in keys]))
    result: Result = {"means": {key.label: key.meaning for key in keys}}
    rises: list[tuple[float, Array]] = []
    for key, columns in zip(keys, np.split(sample.columns, len(keys)), strict=True):
        numbers = _numbers(columns)
        for name, (mean, deviation) in numbers.items():
            error = float(sample.standard_error(deviation))
            result.setdefault(name, {})[key.label] = number(mean)
            result.setdefault(f"{name}_se", {})[key.label] = number(error)
        (excited, by_episode), (base, p) = numbers["excited"], numbers["everywhere"]
        if not np.isnan(excited):
            rises.append((excited - base, by_episode - p))
    if not rises:
        return result | {"rise": None, "rise_se": None}
    means, deviations = zip(*rises, strict=True)
    error = float(sample.standard_error(np.mean(deviations, axis=0)))
    return result | {"rise": float(np.mean(means)), "rise_se": error}


def _numbers(columns: Array) -> dict[str, tuple[float, Array]]:
    """Numbers of a key from its :func:`_columns`, each with the episodes' deviations, [M]."""
    top, excited, alike, p, squared, error = columns
    return {
        "excited": _ratio(excited, top),
        "everywhere": (float(p.mean()), p),
        "alike": _ratio(alike, top),
        "predicted": _explained(p, squared, error),
    }


def _columns(key: _Key, seen: list[_Seen]) -> Array:
    """Means over trials of what the numbers of a key are made of, [6, N].

    Whether it is most excited, that times the probability of its action and times being alike, the
    probability, its square, and the squared error of the line.
    """
    found = []
    for each in seen:
        own, p = each.units[key.layer][:, key.unit], each.probs[:, key.action]
        top = own >= key.most
        alike = (each.action == key.kind[0]) & (each.rewarded == key.kind[1])
        error = p - key.line[0] - key.line[1] * own
        found.append(np.stack([top, top * p, top & alike, p, p**2, error**2]))
    columns: Array = np.mean(found, axis=0)
    return columns


def _ratio(part: Array, whole: Array) -> tuple[float, Array]:
    """E part / E whole, NaN if there is no whole; and each episode's deviation, linearised."""
    if whole.mean() <= 0.0:
        return np.nan, np.full_like(part, np.nan)
    ratio = part.mean() / whole.mean()
    return ratio, (part - ratio * whole) / whole.mean()


def _explained(p: Array, squared: Array, error: Array) -> tuple[float, Array]:
    """1 - E error / var p, NaN if p does not vary; and each episode's deviation, linearised."""
    variance = squared.mean() - p.mean() ** 2
    if variance <= LEAST:
        return np.nan, np.full_like(p, np.nan)
    missed = error.mean() / variance
    return 1.0 - missed, (missed * (squared - 2.0 * p.mean() * p) - error) / variance
