"""Interchange interventions on a GRU: by our stores and by pyvene, on the same weights.

pyvene is no dependency of metalocus: ``pip install pyvene`` in an environment of its own that has
metalocus, then ``python docs/probes/pyvene_interchange.py``.

A base and a source batch of episodes are played. What the source carries into a trial is put into
the base, whose later observations, actions and rewards stay as they were. Ours replaces stores
between two trials. pyvene hooks PyTorch's own ``nn.GRU``, unrolled into one submodule a trial, and
replaces what the step before has put out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from metalocus.agents.agent import Array, Stores
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import Trace, Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting
from metalocus.envs.layout import action_space, observation_space
from metalocus.experiments.instruments.subspace import Swap, random_directions

SETTING = Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=40)
EPISODES, TRIAL, RANK = 64, 20, 8
EPISODE, LATER = 1, 10
"""Shown in numbers: of this episode, and of all so many trials after the exchange."""
READ = 100.0
"""Factor of the read-out; SB3 begins with one that makes all choices almost uniform."""
STATE, ALL, DIRECTIONS = "state", "all stores", f"{RANK} directions of the state"


@dataclass(frozen=True)
class Played:
    """Episodes as they were played.

    Attributes:
        trials: with the stores that were read, one a trial.
        trace: with the actions and rewards, [T, N].
    """

    trials: Sequence[Trial]
    trace: Trace

    def observations(self, agent: TrainedAgent) -> Array:
        """What the agent saw, [N, T, D]."""
        seen = [agent.observation(trial.stimulus, trial.stores) for trial in self.trials]
        return np.stack(seen, axis=1)


def network() -> TrainedAgent:
    """An untrained GRU of the default size."""
    layout = SETTING.layout
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = SequencePolicy(
            observation_space(layout),
            action_space(layout),
            lambda _: 0.0,
            **TRAINABLES["gru"].arguments(layout),
        )
    read_out: Any = policy.action_net
    with torch.no_grad():
        read_out.weight *= READ
    return TrainedAgent(policy, layout)


def play(agent: TrainedAgent, seed: int) -> Played:
    """The episodes of a seed."""
    trials: list[Trial] = []
    trace = rollout(agent, fresh_episodes(SETTING, EPISODES, seed), observe=trials.append)
    return Played(trials, trace)


def basis(agent: TrainedAgent) -> Array:
    """A rotation drawn at random [H, H]; what lies along its first directions is exchanged."""
    size = agent.policy.cell.output_size
    return random_directions((size, size), 0)


def ours(agent: TrainedAgent, base: Played, source: Played) -> dict[str, Array]:
    """Probabilities from the exchange on, by what is exchanged, [T - TRIAL, N, K]."""
    own, donor = base.trials[TRIAL].stores, source.trials[TRIAL].stores
    h, swap = own.state["h"], Swap(basis(agent)[:, :RANK])
    moved = h + swap.change(h, donor.state["h"])
    exchanged = {
        STATE: own.restore(donor, ["state"]),
        ALL: donor,
        DIRECTIONS: own.updated(Stores(state={"h": moved.astype(h.dtype)})),
    }
    return {name: _replay(agent, base, stores) for name, stores in exchanged.items()}


def _replay(agent: TrainedAgent, base: Played, stores: Stores) -> Array:
    """Probabilities [T - TRIAL, N, K] from given stores; actions and rewards are the base's."""
    found = []
    for t in range(TRIAL, len(base.trials)):
        stimulus = base.trials[t].stimulus
        probs, stores = agent.act(stimulus, stores)
        stores = agent.learn(stores, stimulus, base.trace.action[t], base.trace.reward[t])
        found.append(probs)
    return np.stack(found)


class Step(nn.Module):
    """One step of PyTorch's GRU: x [N, I], h [N, H] -> h [N, H]."""

    def __init__(self, layer: nn.GRU) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """The next hidden state."""
        after: Tensor = self.layer(x[None], h[None])[1]
        return after[0]


class Unrolled(nn.Module):
    """A policy over T trials, with a submodule for each: obs [N, T, D] -> probabilities [T, N, K].

    The read-out of a trial reads what its step puts out.
    """

    config = None  # which pyvene asks for

    def __init__(self, policy: SequencePolicy, trials: int) -> None:
        super().__init__()
        layer: Any = policy.cell.layer
        self.policy, self.steps = policy, nn.ModuleList(Step(layer) for _ in range(trials))

    def forward(self, obs: Tensor) -> Tensor:
        """Probabilities of every trial."""
        h = self.policy.cell.initial(len(obs))["h"]
        found = []
        # copied, since pyvene writes into what a hooked module is given
        for step, x in zip(self.steps, self.policy.cell_inputs(obs).clone().unbind(1), strict=True):
            h = step(x, h)
            choice: Any = self.policy.choice(h)
            found.append(choice.log_probs.exp())
        return torch.stack(found)


def theirs(agent: TrainedAgent, base: Played, source: Played) -> list[tuple[str, str, Array]]:
    """What is exchanged, by which of pyvene's interventions, and probabilities as of `ours`."""
    pyvene: Any = import_module("pyvene")  # here, so that `ours` runs without it
    turn, before = basis(agent), f"steps[{TRIAL - 1}].output"
    plain, size = pyvene.VanillaIntervention, len(turn)
    low = pyvene.LowRankRotatedSpaceIntervention(embed_dim=size, low_rank_dimension=RANK)
    full = pyvene.RotatedSpaceIntervention(embed_dim=size)
    full.set_interchange_dim(RANK)
    for rotated, directions in ((low, turn[:, :RANK]), (full, turn)):
        rotated.rotate_layer.weight = torch.from_numpy(directions.astype(np.float32))
    cases: list[tuple[str, dict[str, Any]]] = [
        (STATE, {before: plain()}),
        (ALL, {before: plain(), f"steps[{TRIAL}].input": plain()}),
        (DIRECTIONS, {before: low}),
        (DIRECTIONS, {before: full}),
    ]
    obs, donors = (
        {"obs": torch.from_numpy(played.observations(agent))} for played in (base, source)
    )
    found = []
    for name, places in cases:
        config = [{"component": place, "intervention": each} for place, each in places.items()]
        model = pyvene.IntervenableModel(config, Unrolled(agent.policy, len(base.trials)))
        with torch.no_grad():
            probs = model(obs, [donors])[1][TRIAL:].numpy()
        found.append((name, type(places[before]).__name__, probs))
    return found


def summary(probs: Array, plain: Array) -> str:
    """Of probabilities [T - TRIAL, N, K], with the mean changes from those without exchange."""
    change = np.abs(probs - plain).mean(axis=(1, 2))
    first = " ".join(f"{p:.6f}" for p in probs[0, EPISODE])
    return f"{first}, mean change {change[0]:.6f}, {LATER} trials later {change[LATER]:.6f}"


def main() -> None:
    """Print the numbers of both, and how far any two probabilities are apart."""
    agent = network()
    base, source = (play(agent, seed) for seed in (0, 1))
    mine, plain = ours(agent, base, source), base.trace.probs[TRIAL:]
    print(f"nothing: {summary(plain, plain)}")
    for name, kind, probs in theirs(agent, base, source):
        print(f"{name}, ours: {summary(mine[name], plain)}")
        print(f"  {kind}: {summary(probs, plain)}")
        print(f"  largest difference: {np.abs(probs - mine[name]).max():.1e}")


if __name__ == "__main__":
    main()
