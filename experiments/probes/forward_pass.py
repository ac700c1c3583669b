"""What is learned inside one forward pass, from a dataset in a single observation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array, NamedAgent, Stores
from metalocus.agents.catalogue import best_reference
from metalocus.agents.cells.transformer import Transformer
from metalocus.agents.rollout import act, choose
from metalocus.agents.trained.frozen import TrainedAgent, probabilities
from metalocus.envs import Episodes, Setting
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families.dataset_bandit import DatasetBandit
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, column
from metalocus.experiments.probes.rows import REACH
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import choice_value, number
from metalocus.experiments.scoring.sample import Sample

STEPS = (1, 2, 5, 20)
"""Steps of gradient descent that the choices are compared with."""
RATE = 0.5
"""Of gradient descent, as a part of the largest at which it converges, 2 over the curvature."""
PENALTY = 1.0
"""Of the ridge regression, as the reference of that name has."""
FLOOR = 1e-3
"""Least probability that an agent is taken to give an action, so that logarithms are finite."""
LEAST = 0.02
"""Choice value below which nothing is said to be kept."""
AGAIN = {
    "nothing fed back": "no action and no reward between",
    "another's feedback": "action and reward of another episode between",
    "own feedback": "its own action and reward between, which tell of the evidence",
}
"""The ways to ask a second time. The first two let no feedback on the evidence through."""


class ForwardPass(Probe):
    """Shows all evidence in one observation to a frozen agent and scores the choice that follows.

    See docs/probes/forward_pass.md for the method, sources and controls.
    """

    name: ClassVar[str] = "forward_pass"
    question: ClassVar[str] = "what does it learn within one forward pass?"
    example: ClassVar[tuple[str, Setting]] = (
        "posterior",
        Setting("metalocus/DatasetBandit-v0", n_examples=4),
    )
    quantities: ClassVar[dict[str, str]] = {
        "regret": "reward given up by the choice, by examples shown",
        "above": "the same above the reference's",
        "choice_value": "choice value (0 chance, 1 best) of intact and of altered evidence",
        "again": "choice value when asked again without the evidence",
        "by_depth": "choice value read off the stream after each block",
        "alignment": "squared correlation with gradient descent on the same examples",
        "order": "change of the probabilities when the examples are reordered (0 none, 1 all)",
        "reference_regret": "reward given up by the reference's choice",
    }

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only where all evidence is in the first observation."""
        family = setting.family
        if not isinstance(family, DatasetBandit) or family.sequence:
            return (
                "forward_pass needs all evidence in one observation: use"
                " metalocus/DatasetBandit-v0 without sequence"
            )
        return "the agent is told the answer" if agent.omniscient else None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Every measure is of the first choice of an episode."""
        values, aligned = _Pooled(), _Pooled()
        for chunk in chunks:
            with torch.no_grad():
                asked = _Asked(agent, chunk)
                values.add(asked.values())
                aligned.add(asked.alignment())
        family = _dataset(chunks.setting)
        reference, whole = best_reference(family).name, _examples(family.n_examples)
        result: Result = {"reference": reference}
        for label in map(_examples, sizes(family)):
            own, best, theirs = (values[key] for key in (label, "best", f"{reference} {label}"))
            values.put_mean(result, "regret", label, best - own)
            values.put_mean(result, "above", label, theirs - own)
            values.put_mean(result, "reference_regret", label, best - theirs)
        for label, key in (
            ("intact", whole),
            ("pairs broken", "pairs broken"),
            ("another episode's", "another episode's"),
            (reference, f"{reference} {whole}"),
        ):
            values.put_choice_value(result, "choice_value", label, key)
        for label in AGAIN:
            values.put_choice_value(result, "again", label, label)
        for label in [name for name in values.names if name.startswith("after ")]:
            values.put_choice_value(result, "by_depth", label, label)
        for label in aligned.names:
            aligned.put_squared_correlation(result, "alignment", label)
        values.put_mean(result, "order", "", values["order"])
        return result

    def sentence(self, result: Result) -> str:
        """Regret with all examples, beside the reference; what is left when asked again."""
        most = next(iter(result["regret"]))
        kept = max(list(AGAIN)[:2], key=lambda label: self.row(result, "again", label).value or 0.0)
        held = self.row(result, "again", kept)
        low = held.low
        learned = self.row(result, "choice_value", "intact").low
        if learned is None or learned <= 0.0:
            left = "there is nothing learned to be kept"
        elif low is None or low <= LEAST:
            left = "none of what it learned shows"
        else:
            left = "what it learned is kept"
        return (
            f"From {most} in one observation it gives up {self.row(result, 'regret', most)} of"
            f" reward, {self.row(result, 'above', most)} more than {result['reference']}; broken"
            f" pairs teach it {self.row(result, 'choice_value', 'pairs broken')} of 1;"
            f" asked again without them, {left}: choice value {held}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Regret by examples, what alters it, and the alignment with gradient descent."""
        rows = self.rows(result)
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.0, 1.1, 1.0])
        counts = [int(label.split()[0]) for label in result["regret"]]
        for quantity, name, (colour, dash) in (
            ("regret", "agent", LINES[1]),
            ("reference_regret", result["reference"], LINES[0]),
        ):
            found = [each[0] for each in by_label(rows, quantity).values()]
            values, errors = column(found, "value", "se")
            bars: dict[str, Any] = {"color": colour, "ls": dash, "ms": 4, "capsize": 2}
            left.errorbar(counts, values, REACH * errors, fmt="o", label=name, **bars)
        left.set_xscale("symlog", linthresh=1)
        left.set_xticks(counts, [str(count) for count in counts])
        left.minorticks_off()
        left.set_ylim(bottom=min(0.0, left.get_ylim()[0]))
        left.set(xlabel="examples shown", ylabel="reward given up")
        left.legend(frameon=False, fontsize=8)
        names, shown = [], []
        for quantity, prefix in (("by_depth", ""), ("choice_value", ""), ("again", "again: ")):
            for label, (row,) in by_label(rows, quantity).items():
                names.append(prefix + label)
                shown.append(row)
        values, errors = column(shown, "value", "se")
        places = range(len(shown))
        middle.errorbar(values, places, xerr=REACH * errors, fmt="o", color=LINES[1][0], capsize=2)
        middle.set_yticks(places, names, fontsize=8)
        middle.invert_yaxis()
        middle.axvline(0, color="#bbbbbb", lw=0.8)
        middle.set(xlabel="choice value")
        aligned = [(label, each[0]) for label, each in by_label(rows, "alignment").items()]
        depths = list(dict.fromkeys(label.rsplit(": ", 1)[0] for label, _ in aligned))
        steps = list(dict.fromkeys(label.rsplit(": ", 1)[1] for label, _ in aligned))
        for depth, (colour, dash) in zip(depths[len(depths) > 1 :], LINES[1:], strict=False):
            found = [row for label, row in aligned if label.startswith(f"{depth}: ")]
            values, errors = column(found, "value", "se")
            right.errorbar(
                range(len(found)),
                values,
                REACH * errors,
                ls=dash,
                fmt="o",
                color=colour,
                ms=4,
                capsize=2,
                label=depth,
            )
        right.set_xticks(range(len(steps)), steps, rotation=45, ha="right", fontsize=8)
        right.set(ylabel="squared correlation\nwith gradient descent", ylim=(-0.02, 1.05))
        if len(depths) > 1:
            right.legend(frameon=False, fontsize=8)
        return figure


def sizes(family: DatasetBandit) -> list[int]:
    """Numbers of examples shown: all, and halves of that down to one and none."""
    found, size = [], family.n_examples
    while size:
        found.append(size)
        size //= 2
    return [*found, 0]


class _Asked:
    """The first choices of a chunk's episodes, under altered evidence.

    Args:
        agent: frozen.
        chunk: of episodes.
    """

    def __init__(self, agent: Agent, chunk: Chunk) -> None:
        self.agent, self.chunk, self.family = agent, chunk, _dataset(chunk.setting)
        self.episodes: Episodes = chunk.episodes()
        self.n, self.crn = chunk.n, self.episodes.crn
        self.stimulus = self.episodes.stimulus()
        self.means = self.episodes.means()
        self.start = self._start(agent)
        self.probs, self.after = act(agent, 0, self.stimulus, self.start)

    def values(self) -> dict[str, Array]:
        """Expected reward of the choices by what was shown, and their ``order``, [N] each."""
        family, reference = self.family, best_reference(self.family)
        found = {"chance": self.means.mean(axis=1), "best": self.means.max(axis=1)}
        for size in sizes(family):
            label = _examples(size)
            found[label] = self._earned(self._shown(self.agent, size))
            found[f"{reference.name} {label}"] = self._earned(self._shown(reference, size))
        others = self._elsewhere().stimulus()
        for label, from_input in (("pairs broken", family.input_size), ("another episode's", 0)):
            found[label] = self._earned(self._first(self._replaced(others, from_input)))
        found["order"] = 0.5 * np.abs(self._first(self._reordered()) - self.probs).sum(axis=1)
        for label in AGAIN:
            found[label] = self._earned(self._again(label))
        for label, probs in self._depths().items():
            if label != "all of it":
                found[label] = self._earned(probs)
        return found

    def alignment(self) -> dict[str, Array]:
        """Sums over actions of xy, xx and yy, [3, N], by depth and steps of gradient descent.

        x is the log-probability and y the prediction, both less their means over actions.
        """
        predictions = {name: _centred(each) for name, each in self._descent().items()}
        found = {}
        for depth, probs in self._depths().items():
            x = _centred(np.log(np.maximum(probs, FLOOR)))
            for name, y in predictions.items():
                products = (x * y, x * x, y * y)
                found[f"{depth}: {name}"] = np.stack([each.sum(axis=1) for each in products])
        return found

    def _descent(self) -> dict[str, Array]:
        """Predictions for each action, [N, K], of linear models fitted to the examples.

        Gradient descent from zero on the mean squared error, W <- W + rate X'(Y - X W) / m, its
        rate the same for all episodes; and ridge regression.
        """
        family = self.family
        x, y, _ = family.read(self.stimulus)
        y = y - (0.5 if family.rule == "arms" else 1.0 / family.n_arms)
        gram, moment = x.transpose(0, 2, 1) @ x, x.transpose(0, 2, 1) @ y
        most = family.n_examples * (1.0 if family.rule == "arms" else family.features)
        rate = RATE * 2.0 / most  # no Gram matrix has a greater eigenvalue than its trace
        fitted: dict[str, Array] = {}
        weights: Array = np.zeros_like(moment)
        for step in range(1, max(STEPS) + 1):
            weights = weights + rate * (moment - gram @ weights)
            if step in STEPS:
                fitted[f"{step} step{'s' if step > 1 else ''}"] = weights
        penalty = PENALTY * np.eye(gram.shape[1])
        fitted["ridge"] = np.linalg.solve(gram + penalty, moment)
        if family.rule == "arms":
            return {name: each[:, :, 0] for name, each in fitted.items()}
        query = family.query(self.stimulus)[:, None]
        return {name: (query @ each)[:, 0] for name, each in fitted.items()}

    def _depths(self) -> dict[str, Array]:
        """Probabilities [N, K] by what they are read off: a transformer's stream, or all of it."""
        found = {"all of it": self.probs}
        agent = self.agent
        if not isinstance(agent, TrainedAgent) or not isinstance(agent.policy.cell, Transformer):
            return found
        policy, cell = agent.policy, agent.policy.cell
        x = torch.from_numpy(agent.observation(self.stimulus, self.start))
        x = x if policy.inputs is None else x[:, policy.inputs]
        stream = cell.activations(x[None], torch.ones(1, self.n)).residual[::2, 0]
        for depth, features in enumerate(stream):
            log_probs = policy.read_out(features, features)[0].log_probs  # type: ignore[attr-defined]
            label = "after the embedding" if depth == 0 else f"after block {depth}"
            found[label] = probabilities(log_probs)
        return found

    def _again(self, way: str) -> Array:
        """Probabilities [N, K] when asked a second time, the examples taken away."""
        stores, nothing = self.after, self._masked(0)
        if way != "nothing fed back":
            action = choose(self.probs, self.crn.uniform("policy", 0))
            reward, _ = self.chunk.episodes().step(action)
            if way == "another's feedback":
                action, reward = self._another_feedback()
            stores = self.agent.learn(stores, self.stimulus, action, reward)
        return act(self.agent, 1, nothing, stores)[0]

    def _another_feedback(self) -> tuple[Array, Array]:
        """Action and reward of episodes of other tasks, which the same agent plays, [N] each."""
        others = self._elsewhere()
        probs, _ = act(self.agent, 0, others.stimulus(), self.start)
        action = choose(probs, others.crn.uniform("policy", 0))
        return action, others.step(action)[0]

    def _elsewhere(self) -> Episodes:
        """Episodes of other tasks, one for each of these."""
        keys = CommonRandomNumbers(self.episodes.keys).bits("another")
        return self.chunk.setting.episodes(keys)

    def _first(self, stimulus: Array) -> Array:
        """The agent's probabilities at a first stimulus, [N, K]."""
        return act(self.agent, 0, stimulus, self.start)[0]

    def _shown(self, agent: Agent, size: int) -> Array:
        """An agent's probabilities when the first ``size`` examples are shown.

        A network is shown zeros in place of the others. An agent that needs no training is made
        for a dataset of that size, since its rules read how many there are.
        """
        if not isinstance(agent, NamedAgent) or not size or isinstance(agent, TrainedAgent):
            return act(agent, 0, self._masked(size), self._start(agent))[0]
        kwargs = {**self.chunk.setting.kwargs, "n_examples": size}
        family = Setting(self.chunk.setting.env, **kwargs).family
        smaller = type(agent)(family)
        width = size * self.family.example_size
        query = self.stimulus[:, self.family.n_examples * self.family.example_size :]
        stimulus = np.concatenate([self.stimulus[:, :width], query], axis=1)
        return act(smaller, 0, stimulus, self._start(smaller))[0]

    def _start(self, agent: Agent) -> Stores:
        return agent.start(self.n, np.random.default_rng(self.chunk.start_seed))

    def _masked(self, size: int) -> Array:
        """The stimulus with zeros in place of the examples after the first ``size``, [N, S]."""
        family, masked = self.family, self.stimulus.copy()
        masked[:, size * family.example_size : family.n_examples * family.example_size] = 0.0
        return masked

    def _reordered(self) -> Array:
        """The stimulus with its examples in random order, [N, S]."""
        m, size = self.family.n_examples, self.family.n_examples * self.family.example_size
        order = self.crn.uniform("reorder", 0, np.arange(m)[None]).argsort(axis=1)
        examples = self.stimulus[:, :size].reshape(self.n, m, -1)
        moved = np.take_along_axis(examples, order[:, :, None], axis=1).reshape(self.n, size)
        return np.concatenate([moved, self.stimulus[:, size:]], axis=1)

    def _replaced(self, others: Array, first: int) -> Array:
        """The stimulus, of whose examples the numbers from ``first`` on are those of others."""
        m, size = self.family.n_examples, self.family.n_examples * self.family.example_size
        mixed = self.stimulus.copy()
        examples = mixed[:, :size].reshape(self.n, m, -1)
        examples[:, :, first:] = others[:, :size].reshape(self.n, m, -1)[:, :, first:]
        mixed[:, :size] = examples.reshape(self.n, size)
        return mixed

    def _earned(self, probs: Array) -> Array:
        """Expected reward of a choice, [N, K] -> [N]."""
        earned: Array = (probs * self.means).sum(axis=1)
        return earned


class _Pooled:
    """Named numbers of every episode, pooled over chunks, and what is computed of their means."""

    def __init__(self) -> None:
        self.sample, self.names = Sample(), list[str]()

    def add(self, numbers: dict[str, Array]) -> None:
        """Pool the numbers [..., N] of N further episodes."""
        self.names = list(numbers)
        self.sample.add(np.stack(list(numbers.values()), axis=-2))

    def __getitem__(self, name: str) -> Array:
        """The numbers of a name, [..., M]."""
        column: Array = self.sample.columns[..., self.names.index(name), :]
        return column

    def put_mean(self, result: Result, quantity: str, label: str, each: Array) -> None:
        """Of one number an episode, [M]."""
        self._put(result, quantity, label, each.mean(), each)

    def put_choice_value(self, result: Result, quantity: str, label: str, name: str) -> None:
        """Of the expected reward of a choice."""
        columns = (self[key][None] for key in (name, "chance", "best"))
        (mean,), deviation = choice_value(*columns)
        self._put(result, quantity, label, mean, deviation[0])

    def put_squared_correlation(self, result: Result, quantity: str, name: str) -> None:
        """E[xy]^2 / (E[xx] E[yy]) of sums of xy, xx and yy, [3, M]."""
        xy, xx, yy = self[name]
        a, b, c = xy.mean(), xx.mean(), yy.mean()
        if b * c == 0.0:  # one of them is the same for all actions
            self._put(result, quantity, name, np.nan, np.full_like(xy, np.nan))
            return
        r2 = a**2 / (b * c)
        slope = 2.0 * a * xy / (b * c)  # so that a may be 0
        self._put(result, quantity, name, r2, slope - r2 * (xx / b + yy / c))

    def _put(self, result: Result, quantity: str, label: str, mean: float, each: Array) -> None:
        """A mean, with the error that the deviations from it of each episode give."""
        error = float(self.sample.standard_error(each))
        if label:
            result.setdefault(quantity, {})[label] = number(mean)
            result.setdefault(f"{quantity}_se", {})[label] = number(error)
        else:
            result |= {quantity: number(mean), f"{quantity}_se": number(error)}


def _centred(values: Array) -> Array:
    """Less their mean over actions, [N, K]."""
    centred: Array = values - values.mean(axis=1, keepdims=True)
    return centred


def _dataset(setting: Setting) -> DatasetBandit:
    family = setting.family
    assert isinstance(family, DatasetBandit)  # why_not has refused all others
    return family


def _examples(size: int) -> str:
    return f"{size} example{'' if size == 1 else 's'}"
