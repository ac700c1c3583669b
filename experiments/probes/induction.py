"""Whether attention heads match the present with what followed it before, and to what effect."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import TUNING_SEED, Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.experiments.instruments.attention import (
    Head,
    Heads,
    duplicate_token,
    head_score,
    heads_of,
    prefix_matching,
    previous_token,
)
from metalocus.experiments.instruments.untrained import untrained
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, column
from metalocus.experiments.probes.rows import REACH, Row
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import choice_value, number
from metalocus.experiments.scoring.sample import Sample

HISTORIES = 100
"""Random histories that heads are scored on."""
REPEATS = 4
"""Times that a random history is repeated, as Olsson et al. do."""
DONORS = 200
"""Episodes, not measured ones, whose heads give what is put in place."""
ROWS = 500
"""Episodes that run through the network at once."""
SCORES = {
    "prefix_matching": prefix_matching,
    "previous_token": previous_token,
    "duplicate_token": duplicate_token,
}
EVEN = "even attention"
LOSSES = {
    "loss_repeated": "another episode's, repeated cues",
    "loss_new": "another episode's, new cues",
    "loss_random": "random change, repeated cues",
}


class Induction(Probe):
    """Scores a transformer's heads on random repeated histories and ablates them in its task.

    See docs/probes/induction.md for the method, sources and controls.
    """

    name: ClassVar[str] = "induction"
    question: ClassVar[str] = "do heads match the present with what followed it before?"
    example: ClassVar[tuple[str, Setting]] = (
        "induction_head",
        Setting("metalocus/CueBinding-v0", cues="fixed", n_cues=4, horizon=8),
    )
    quantities: ClassVar[dict[str, str]] = {
        "prefix_matching": "part of the attention to what followed the same token",
        "loss_repeated": "choice value lost on repeated cues by another episode's output",
        "loss_new": "the same on new cues",
        "loss_random": "the same on repeated cues by a random change of equal norm",
        "path": "prefix matching of the best head lost by another history's output in its keys",
        "previous_token": "part of the attention to the step before",
        "duplicate_token": "part of the attention to the same token",
    }
    shown: ClassVar[int] = 5

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only a transformer has heads; a history must be long enough to be repeated."""
        if heads_of(agent) is None:
            return "induction looks at attention heads, which only a transformer has"
        if setting.family.horizon < 2 * REPEATS:
            return f"induction repeats histories {REPEATS} times: use {2 * REPEATS} trials or more"
        if not (setting.family.stimulus_size or setting.layout.indices(["action", "reward"])):
            return "induction matches what is shown, and here nothing is"
        return None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Scores are of random histories, losses of the agent's own episodes."""
        assert isinstance(agent, TrainedAgent)  # why_not has refused all others
        heads = Heads(agent)
        tuned = _scores(agent, RepeatedHistories(agent, chunks.setting, TUNING_SEED))[
            "prefix_matching"
        ]
        best = heads.all[int(tuned.mean(axis=1).argmax())]
        repeated = RepeatedHistories(agent, chunks.setting, chunks.seed)
        result: Result = {"best_head": _label(best)}
        for name, score in _scores(agent, repeated).items():
            for head, each in zip(heads.all, score, strict=True):
                _put(result, name, _label(head), each.mean(), each.std() / np.sqrt(len(each)))
            even = head_score(repeated.even, SCORES[name](repeated.tokens), repeated.period)
            _put(result, name, EVEN, even.mean(), even.std() / np.sqrt(len(even)))
        fresh = untrained(agent)
        if isinstance(fresh, TrainedAgent):
            most = max(_scores(fresh, repeated)["prefix_matching"], key=np.mean)
            error = most.std() / np.sqrt(len(most))
            _put(result, "prefix_matching", "best head, untrained", most.mean(), error)
        for sender in heads.all:
            if sender[0] < best[0]:
                drop = _path(heads, repeated, sender, best)
                error = drop.std() / np.sqrt(len(drop))
                _put(result, "path", f"from {_label(sender)}", drop.mean(), error)
        return result | _losses(agent, chunks)

    def sentence(self, result: Result) -> str:
        """The best head's score and what it is worth, beside what is to be expected without it."""
        best = result["best_head"]
        score, even, fresh = (
            self.row(result, "prefix_matching", label)
            for label in (best, EVEN, "best head, untrained")
        )
        lost, new, random = (
            self.row(result, quantity, best)
            for quantity in ("loss_repeated", "loss_new", "loss_random")
        )
        head = (
            f"The head that matches most, {best}, gives {score} of its attention to what followed"
            f" the same token (evenly spread {even}, untrained {fresh})"
        )
        if lost.value is None:  # as where nothing is paid for a cue that was seen before
            return f"{head}; no choice at a repeated cue pays here, so that nothing could be lost."
        on_new = "" if new.value is None else f", on new ones {new}"
        return (
            f"{head}; with another episode's output in its place the choice value on repeated cues"
            f" falls by {lost}{on_new}, with a random change of equal norm by {random}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Scores of every head, what each is worth, and the paths into the best one."""
        rows = self.rows(result)
        path = by_label(rows, "path")
        panels = figure.subplots(1, 3 if path else 2)
        _draw(panels[0], rows, {name: name.replace("_", " ") for name in SCORES})
        panels[0].set_title("attention, random histories", loc="left", fontsize=9)
        _draw(panels[1], rows, LOSSES)
        panels[1].set_title("choice value lost", loc="left", fontsize=9)
        if path:
            _draw(panels[2], rows, {"path": "another history's in the keys"})
            panels[2].set_title("prefix matching lost", loc="left", fontsize=9)
        return figure


def _draw(ax: Axes, rows: Sequence[Row], names: Mapping[str, str]) -> None:
    """Some quantities of every head, one line a head."""
    labels = list(dict.fromkeys(row.label for row in rows if row.quantity in names))
    for place, (quantity, name) in enumerate(names.items()):
        found = [each[0] for each in by_label(rows, quantity).values()]
        values, errors = column(found, "value", "se")
        at = np.array([labels.index(row.label) for row in found])
        at = at + 0.2 * (place - (len(names) - 1) / 2)
        bars: dict[str, Any] = {"color": LINES[place + 1][0], "ms": 5, "capsize": 2, "label": name}
        ax.errorbar(values, at, xerr=REACH * errors, fmt="osD"[place], **bars)
    ax.set_yticks(range(len(labels)), [textwrap.fill(label, 17) for label in labels], fontsize=8)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
    ax.margins(x=0.1)
    ax.legend(frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.4, -0.08))


class RepeatedHistories:
    """Random histories, repeated.

    The first trials of episodes that a random policy plays are shown again and again, whatever the
    agent would do. A token is the stimulus, or, where there is none, all that is shown.

    Attributes:
        x: inputs of the cell, [T, N, I].
        tokens: [N, T].
        period: steps of a history before it is repeated.
        even: attention spread over all steps in view, [T, T].
    """

    def __init__(self, agent: TrainedAgent, setting: Setting, seed: int) -> None:
        family = setting.family
        steps = family.horizon
        self.period = steps // REPEATS
        episodes = fresh_episodes(setting, HISTORIES, seed)
        crn = CommonRandomNumbers(episodes.crn.bits("history"))
        shown = []
        for t in range(self.period):
            stimulus = episodes.stimulus()
            action = (crn.uniform("action", t) * family.n_arms).astype(np.int64)
            shown.append((stimulus, action, episodes.step(action)[0]))
        before = [(np.full(HISTORIES, -1), np.zeros(HISTORIES))]
        before += [shown[t % self.period][1:] for t in range(steps - 1)]
        observations = np.stack(
            [
                agent.layout.encode(shown[t % self.period][0], *before[t], np.full(HISTORIES, t))
                for t in range(steps)
            ]
        )
        self.x = Heads(agent).inputs(observations)
        told = ("stimulus",) if family.stimulus_size else ("action", "reward")
        rows = observations[:, :, agent.layout.indices(told)].reshape(steps * HISTORIES, -1)
        numbers = np.unique(rows, axis=0, return_inverse=True)[1]
        self.tokens = numbers.reshape(steps, HISTORIES).T
        self.even = np.tril(np.ones((steps, steps)))
        self.even /= self.even.sum(axis=1, keepdims=True)


def _scores(agent: TrainedAgent, repeated: RepeatedHistories) -> dict[str, Array]:
    """Scores of every head on every history, from the second time on, [L * A, N]."""
    attention = Heads(agent).attention(repeated.x)  # [L, N, A, T, T]
    found = {}
    for name, pattern in SCORES.items():
        score = head_score(attention, pattern(repeated.tokens)[None, :, None], repeated.period)
        found[name] = score.transpose(0, 2, 1).reshape(-1, HISTORIES)
    return found


def _path(heads: Heads, repeated: RepeatedHistories, sender: Head, receiver: Head) -> Array:
    """Prefix matching that a head loses when a sender's part in its keys is another's, [N]."""
    written = heads.written(heads.run(repeated.x)[1], sender)
    change = written.roll(1, dims=0) - written
    pattern = prefix_matching(repeated.tokens)
    score = [
        head_score(
            heads.attention_with_keys_of(repeated.x, receiver, each), pattern, repeated.period
        )
        for each in (torch.zeros_like(change), change)
    ]
    lost: Array = score[0] - score[1]
    return lost


def _losses(agent: TrainedAgent, chunks: Chunks) -> Result:
    """Choice value lost on repeated and new cues when a head's output is replaced."""
    from scipy.stats import ortho_group  # a slow import, needed here alone

    heads, sample = Heads(agent), Sample()
    observations, _ = _played(agent, Chunk(chunks.setting, TUNING_SEED, 0, DONORS))
    donors = heads.run(heads.inputs(observations))[1]
    turns = [
        torch.from_numpy(ortho_group.rvs(heads.cell.output_size, random_state=i)).float()
        for i in range(len(heads.all))
    ]
    for chunk in chunks:
        for first in range(0, chunk.n, ROWS):
            part = Chunk(chunk.setting, chunk.seed, chunk.first + first, min(ROWS, chunk.n - first))
            sample.add(_earned(agent, part, donors, turns))
    repeated, new = (dict(zip(_columns(heads), each, strict=True)) for each in _split(sample))
    result: Result = {}
    for head in heads.all:
        for quantity, value, change in (
            ("loss_repeated", repeated, "another's"),
            ("loss_new", new, "another's"),
            ("loss_random", repeated, "random"),
        ):
            lost = value["plain"] - value[f"{change} {_label(head)}"] + value["chance"]
            mean, deviation = choice_value(lost[None], value["chance"][None], value["best"][None])
            error = sample.standard_error(deviation)
            _put(result, quantity, _label(head), mean[0], error[0])
    return result


def _columns(heads: Heads) -> list[str]:
    """Names of what :func:`_earned` gives for each kind of trial."""
    labels = [_label(head) for head in heads.all]
    changes = [f"{change} {label}" for label in labels for change in ("another's", "random")]
    return ["chance", "best", "plain", *changes]


def _split(sample: Sample) -> tuple[Array, Array]:
    """The columns on repeated and on new cues, [C, M] each."""
    half = len(sample.columns) // 2
    return sample.columns[:half], sample.columns[half:]


def _earned(agent: TrainedAgent, chunk: Chunk, donors: list[Tensor], turns: list[Tensor]) -> Array:
    """Sums over trials with repeated and with new cues of what choices earn, [2 C, N].

    Args:
        agent: plays as it is; its network is run again with each head's output replaced.
        chunk: of episodes.
        donors: what the layers' heads give in other episodes, [D, T, A * D] each.
        turns: a random rotation of the stream for every head, [H, H].
    """
    heads = Heads(agent)
    observations, value = _played(agent, chunk)
    seen = _seen_before(agent, observations)
    crn = chunk.episodes().crn
    which = torch.from_numpy((crn.uniform("donor") * DONORS).astype(np.int64))
    x = heads.inputs(observations)
    plain, given = heads.run(x)
    earned = [value.mean(axis=2), value.max(axis=2), (plain * value).sum(axis=2)]
    for head, turn in zip(heads.all, turns, strict=True):
        change = heads.written(donors, head)[which] - heads.written(given, head)
        for each in (change, change @ turn):
            probs, _ = heads.run(x, {head[0]: each})
            earned.append((probs * value).sum(axis=2))
    kinds = [np.stack([(each * on).sum(axis=0) for each in earned]) for on in (seen, ~seen)]
    return np.concatenate(kinds)


def _played(agent: TrainedAgent, chunk: Chunk) -> tuple[Array, Array]:
    """Observations [T, N, D] and privileged values [T, N, K] of episodes that it plays."""
    seen: list[Array] = []

    def observe(trial: Trial) -> None:
        seen.append(agent.observation(trial.stimulus, trial.stores))

    trace = rollout(agent, chunk.episodes(), chunk.start_seed, observe=observe)
    return np.stack(seen), trace.privileged_value


def _seen_before(agent: TrainedAgent, observations: Array) -> Array:
    """Whether a trial's stimulus was shown before in its episode, [T, N]; without one it was."""
    cues = observations[:, :, agent.layout.indices(["stimulus"])]
    same = (cues[:, None] == cues[None]).all(axis=3)
    before = np.tril(np.ones(same.shape[:2], dtype=bool), k=-1)
    seen: Array = (same & before[:, :, None]).any(axis=1)
    return seen


def _put(result: Result, quantity: str, label: str, value: float, error: float) -> None:
    result.setdefault(quantity, {})[label] = number(value)
    result.setdefault(f"{quantity}_se", {})[label] = number(error)


def _label(head: Head) -> str:
    return f"layer {head[0] + 1} head {head[1] + 1}"
