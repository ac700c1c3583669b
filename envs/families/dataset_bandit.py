"""Learning within one timestep: a single observation holds all examples, then one choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import (
    require,
    require_below,
    require_choice,
    require_count,
    require_flag,
    require_probability,
    require_within,
)
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards

RULES = ("arms", "linear", "neighbour")


class DatasetBandit(Family):
    """Labelled examples are shown at once, and one action must be chosen from what they say.

    ## Description
    All learning takes place inside a single timestep: one observation holds
    ``n_examples`` examples of a rule drawn anew for every episode, and the only choice
    follows at once. With ``rule="arms"`` an example is an arm and what it paid; else it is
    an input with its label, and the action is the label of one more input, the query.

    * ``again=True`` asks a second time, without the examples: only what was carried over
      from the first time helps. The first choice and its reward carry information too;
      ``observe=("stimulus", "first")`` withholds them.
    * ``sequence=True`` shows the same examples one a trial before the query, for agents
      that learn from trial to trial. Actions before the query do nothing and pay nothing.
      Equal seeds give equal tasks, examples and random numbers in both forms.
    * ``shuffled=True`` is the control: a hidden random permutation of the actions decides
      what pays, so the examples look the same and carry no information.

    ## Action Space
    ``Discrete(n_arms)``: the arm to pull, or the query's label.

    ## Observation Space
    The examples, then the query, then feedback (previous action and reward, first-step
    flag). An example is ``[arm one-hot | reward]``, or ``[input | label one-hot]``. A query
    is an input; there is none with ``rule="arms"``. In sequence a stimulus is one example
    and a flag: at the query the flag is 1, the input is the query's and the rest is 0.

    ## Starting State
    ``arms``: every arm's chance of reward is drawn from U[0, 1], and every example's arm at
    random. ``linear``: the label is the side of a hidden plane through 0 with a normal
    drawn from N(0, I). ``neighbour``: the label is that of the nearest of 2 ``n_arms``
    hidden prototypes, two of each label. Inputs and prototypes are uniform in [-1, 1].

    ## Rewards
    ``arms``: 1 with the arm's chance, else 0. Else 1 for the query's label, 0 for another.

    ## Episode End
    Terminates after the choice, or the second one; never truncates.

    ## Information
    ``chances`` (of reward of each action at the query), ``examples``, ``query`` and
    ``trial`` only with ``reveal=True``.

    ## Arguments
    * ``rule``: ``arms``, ``linear`` (two labels) or ``neighbour``. Default ``arms``.
    * ``n_examples``: examples shown. Default 10.
    * ``n_arms``: number of arms or labels. Default 2.
    * ``features``: numbers in an input; of no effect with ``arms``. Default 4.
    * ``noise``: probability that an example's label is replaced by a random one; not with
      ``arms``, whose rewards are random anyway. Default 0.
    * ``again``: ask a second time, without the examples. Default False.
    * ``sequence``: one example a trial. Default False.
    * ``shuffled``: permute the actions at random, unseen. Default False.

    ## References
    Garg et al. 2022, "What can transformers learn in-context?" (linear rules in context);
    Chan et al. 2022, "Data distributional properties drive emergent in-context learning in
    transformers".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "DatasetBandit-v0"
    separates: ClassVar[str] = "learning inside one timestep from carrying over (again, sequence)"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"n_arms": 5, "n_examples": 20},
        {"shuffled": True},
        {"again": True},
        {"sequence": True},
        {"sequence": True, "again": True, "shuffled": True},
        {"rule": "linear"},
        {"rule": "linear", "features": 2, "noise": 0.2, "n_examples": 20},
        {"rule": "linear", "shuffled": True},
        {"rule": "linear", "sequence": True, "again": True},
        {"rule": "neighbour", "n_arms": 3, "features": 2, "n_examples": 30},
        {"rule": "neighbour", "features": 2, "sequence": True},
    )

    def __init__(
        self,
        rule: str = "arms",
        n_examples: int = 10,
        n_arms: int = 2,
        features: int = 4,
        noise: float = 0.0,
        again: bool = False,
        sequence: bool = False,
        shuffled: bool = False,
    ) -> None:
        self.rule = require_choice("rule", rule, RULES)
        self.again = require_flag("again", again)
        self.sequence = require_flag("sequence", sequence)
        self.shuffled = require_flag("shuffled", shuffled)
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.n_examples = require_count("n_examples", n_examples, 1)
        self.features = require_count("features", features, 1)
        self.noise = require_probability("noise", noise)
        labelled = self.rule != "arms"
        require(labelled or not self.noise, "noise is of labels: leave it out with rule='arms'")
        two = self.rule != "linear" or self.n_arms == 2
        require(two, f"rule 'linear' needs n_arms=2, got {self.n_arms}")
        self.input_size = self.features if labelled else self.n_arms
        self.query_size = self.features if labelled else 0
        self.example_size = self.input_size + (self.n_arms if labelled else 1)
        together = self.n_examples * self.example_size + self.query_size
        self.stimulus_size = self.example_size + 1 if self.sequence else together
        self.stimulus_range = (-1.0 if labelled else 0.0, 1.0)
        self.asks_at = self.n_examples if self.sequence else 0
        self.horizon = self.asks_at + (2 if self.again else 1)
        self.telling = not self.sequence and not self.shuffled

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``chances`` [N, K], ``examples`` [N, M, E], ``query`` [N, Q], ``trial`` [N]."""
        drawn = self._begin_arms(crn) if self.rule == "arms" else self._begin_labels(crn)
        if self.shuffled:
            renamed = crn.uniform("rename", 0, np.arange(self.n_arms)[None]).argsort(axis=1)
            drawn["chances"] = np.take_along_axis(drawn["chances"], renamed, axis=1)
        return drawn | {"trial": np.zeros(len(crn), dtype=np.int64)}

    def _begin_arms(self, crn: CommonRandomNumbers) -> Latents:
        """Chances, and examples of an arm each with its reward; the query is empty."""
        each = np.arange(self.n_examples)[None]
        chances = crn.uniform("task", 0, np.arange(self.n_arms)[None])
        arm = (crn.uniform("arm", 0, each) * self.n_arms).astype(np.int64)
        examples = np.zeros((len(crn), self.n_examples, self.example_size), dtype=np.float32)
        np.put_along_axis(examples, arm[:, :, None], 1.0, axis=2)
        examples[:, :, -1] = crn.uniform("pay", 0, each) < np.take_along_axis(chances, arm, axis=1)
        query = np.zeros((len(crn), 0), dtype=np.float32)
        return {"chances": chances, "examples": examples, "query": query}

    def _begin_labels(self, crn: CommonRandomNumbers) -> Latents:
        """Examples of an input each with its label, a query, and its label as the chances."""
        n, m, k, f = len(crn), self.n_examples, self.n_arms, self.features
        inputs = _points(crn, "input", m + 1, f)
        if self.rule == "linear":
            normal = crn.normal("task", 0, np.arange(f)[None])
            label = ((inputs @ normal[:, :, None])[:, :, 0] > 0.0).astype(np.int64)
        else:
            label = nearest(inputs, _points(crn, "task", 2 * k, f)) % k
        shown = label[:, :m]
        if self.noise:
            replaced = crn.uniform("noise", 0, np.arange(m)[None]) < self.noise
            random = (crn.uniform("label", 0, np.arange(m)[None]) * k).astype(np.int64)
            shown = np.where(replaced, random, shown)
        examples = np.zeros((n, m, self.example_size), dtype=np.float32)
        examples[:, :, :f] = inputs[:, :m]
        np.put_along_axis(examples, f + shown[:, :, None], 1.0, axis=2)
        chances = (np.arange(k) == label[:, m:]).astype(np.float64)
        return {"chances": chances, "examples": examples, "query": inputs[:, m]}

    def means(self, latents: Latents) -> Array:
        """Chances of reward at the query, [N, K]; 0 before it, where nothing pays."""
        asked = latents["trial"] >= self.asks_at
        chances: Array = latents["chances"] * asked[:, None]
        return chances

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward at the query, nothing before it."""
        chance = self.means(latents)[np.arange(len(action)), action]
        since_query = np.maximum(t - self.asks_at, 0)  # so both forms draw the same rewards
        reward = bernoulli_rewards(chance, action, since_query, crn)
        return reward, {**latents, "trial": latents["trial"] + 1}

    def stimulus(self, latents: Latents) -> Array:
        """All examples and the query, or one example and the flag, [N, S]."""
        trial, examples, query = latents["trial"], latents["examples"], latents["query"]
        n = len(trial)
        shown = np.zeros((n, self.stimulus_size), dtype=np.float32)
        if self.sequence:
            asked = trial >= self.n_examples
            item = examples[np.arange(n), np.minimum(trial, self.n_examples - 1)]
            padding = ((0, 0), (0, self.example_size - self.query_size))
            shown[:, :-1] = np.where(asked[:, None], np.pad(query, padding), item)
            shown[:, -1] = asked
        else:
            size = self.n_examples * self.example_size
            shown[:, :size] = np.where((trial == 0)[:, None], examples.reshape(n, size), 0.0)
            shown[:, size:] = query
        return shown

    @property
    def latent_size(self) -> int:
        """``chances``, ``examples``, ``query`` and ``trial``."""
        return self.n_arms + self.n_examples * self.example_size + self.query_size + 1

    def asked(self, stimulus: Array) -> Array:
        """Whether the stimulus [N, S] asks for a choice that pays, [N]."""
        return stimulus[:, -1] > 0.5 if self.sequence else np.ones(len(stimulus), dtype=bool)

    def read(self, stimulus: Array) -> tuple[Array, Array, Array]:
        """The examples in a stimulus [N, S]: inputs, outcomes and which are there at all.

        Returns:
            inputs [N, m, I], outcomes [N, m, O] and a mask [N, m]; m is 1 in sequence.
        """
        n = len(stimulus)
        size = 1 if self.sequence else self.n_examples
        examples = stimulus[:, : size * self.example_size].reshape(n, size, self.example_size)
        inputs, outcomes = np.split(examples.astype(float), [self.input_size], axis=2)
        given = (inputs if self.rule == "arms" else outcomes).sum(axis=2) > 0.5
        return inputs, outcomes, given

    def query(self, stimulus: Array) -> Array:
        """The query's input in a stimulus that asks, [N, S] -> [N, Q]."""
        first = 0 if self.sequence else self.stimulus_size - self.query_size
        return stimulus[:, first : first + self.query_size].astype(float)

    def check_task(self, latents: Latents) -> None:
        """Chances are probabilities; examples and query are in the range of the stimulus."""
        require_within("chances", latents["chances"], 0.0, 1.0)
        for name in ("examples", "query"):
            require_within(name, latents[name], *self.stimulus_range)
        require_below("trial", latents["trial"], self.horizon + 1)


def nearest(points: Array, centres: Array) -> Array:
    """Index of the centre nearest to each point: [N, m, F], [N, P, F] -> [N, m]."""
    overlap = points @ centres.transpose(0, 2, 1)
    index: Array = (2.0 * overlap - (centres**2).sum(axis=2)[:, None]).argmax(axis=2)
    return index


def _points(crn: CommonRandomNumbers, stream: str, count: int, features: int) -> Array:
    """Uniform in the cube [-1, 1], [N, count, features]."""
    u = crn.uniform(stream, 0, np.arange(count * features)[None])
    return (2.0 * u - 1.0).astype(np.float32).reshape(len(crn), count, features)
