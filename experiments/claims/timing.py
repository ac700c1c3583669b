"""Can weights that learn at every timestep do what recurrence does? The same RL online for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent, Array, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.replicas.agent import OnlineAgent
from metalocus.agents.rollout import TUNING_SEED, fresh_keys, rollout
from metalocus.agents.trainers.online import TRAINER
from metalocus.envs import Setting
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.instruments.interventions import EveryTrial
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import BANDIT, REVERSAL, NamedSetting
from metalocus.experiments.scoring.score import return_bounds, score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORYLESS, RECURRENT = "mlp", "gru"
"""The memoryless network sees the stimulus alone, on these tasks nothing: what it does differently
from one trial to the next, its weights do. The last action and reward would be a memory of one
step, with which win-stay, lose-shift scores .6."""
NETWORKS = {MEMORYLESS: "memoryless", RECURRENT: "recurrent"}
WIDTH = 16
"""Units a layer of both; the GRU takes twice as long with 32."""
INTERVALS = (1, 5, 20, 100)
"""Steps from one update to the next."""
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of plain gradient descent: four decades."""
PPO, PPO_RATES = 20, RATES[::2]
"""Interval and rates of the PPO beside the actor-critic: a short rollout, and whole decades, as
its four passes over the same steps take three times as long."""
FEW_INTERVAL, FEW_RATES = {MEMORYLESS: 1, RECURRENT: 5}, (1.0,)
"""In a preset that is not full. These intervals and this rate did best at seed 900, which no claim
uses; which of them is whose was seen at seeds 0 to 2 of that preset, where each chose this. The
plane is cut and not the training: after 5,000 steps a recurrent network that updates every fifth
scores a third of what it scores in the end."""
REPLICAS = 64
"""Independent networks at every point of the plane."""
PART = 1 / 250
"""Of the usual steps, for each replica: 16,000 of 4M."""
CHOOSING, CHOOSING_SEED = 256, 6000
"""Episodes of each point by which the best is chosen, and what their seed is above those of
tuning, so that nothing else plays them. The plane that is drawn is measured on them."""
MOST_EPISODES = 2048
"""On which the chosen points are measured: 32 of each replica."""
MARGIN = 0.02
"""As in the other comparisons of scores."""
INTACT, ROLLED, ACTIVITY, STATE, BOTH = "intact", "rolled back", "activity", "state", "both"
HELD, SWAPPED = ("reset", ("weights",)), ("resample", ("state", "context"))
LESIONS: Mapping[str, Sequence[tuple[str, tuple[str, ...]]]] = {
    INTACT: (),
    ROLLED: (HELD,),
    ACTIVITY: (SWAPPED,),
    STATE: (("resample", ("state",)),),
    BOTH: (HELD, SWAPPED),
}
"""What is put in place of which stores before every act."""
LOSSES = {ROLLED: "lost by rollback", ACTIVITY: "lost without activity"}
"""Lesions that are measured at every point, with the titles of their maps."""
MAPPED = (INTACT, *LOSSES)
"""All that is measured at every point."""
BESIDE = {"wsls": "win-stay, lose-shift", "rescorla_wagner": "Rescorla-Wagner"}
"""Rules whose scores stand beside the planes."""
Point = tuple[str, int]
"""A way of updating, by name, and the number of a rate."""
Plane = Mapping[str, Mapping[str, Array]]
"""Scores [R] of every rate, by way of updating and lesion."""


class Timing(Claim):
    """Scores over the plane of update interval and rate, with weights or activity blocked.

    A memoryless and a recurrent network of equal width are trained by the same online RL, 64
    independent replicas at each point. Weights are never reset and go on learning in the test
    episodes. There they are rolled back to the episode's start at every trial, or all that is
    carried beside them is replaced by that of another episode of the same replica.
    """

    number: ClassVar[int] = 5
    most_seeds: ClassVar[int | None] = 5
    name: ClassVar[str] = "timing"
    statement: ClassVar[str] = (
        "Trained by the same online RL, whose updates come as often as every step, a memoryless "
        "network whose weights never stop learning does as well as a recurrent one."
    )
    holds: ClassVar[Mapping[str, str]] = {
        WEIGHTS: "at some rate and interval updates of the weights do within an episode what the "
        "recurrent updates do",
        RECURRENCE: "within an episode activity learns; the weights learn across episodes, and no "
        "rate or interval of the same RL makes up for activity",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "difference": "score of the best memoryless point minus that of the best recurrent point",
        "rollback": "what the best recurrent point loses of its score when its weights are rolled "
        "back to the episode's start at every trial",
        "activity": "part of its score that the best recurrent point loses when its state, and "
        "the last action and reward that it sees, are those of another episode of the same replica",
        "state": "part of its score that the best recurrent point loses when its state alone is "
        "that of another episode of the same replica",
        "both": "part of its score that the best recurrent point loses with weights rolled back "
        "and activity of another episode",
        "memoryless_rollback": "part of its score that the best memoryless point loses when its "
        "weights are rolled back to the episode's start at every trial",
        "memoryless": "score of the best memoryless point",
        "recurrent": "score of the best recurrent point",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "difference",
            ">=",
            -MARGIN,
            "some rate and interval make the memoryless network as good as the recurrent one",
            "the margin at which rules in the weights are compared with the agent; Rescorla-Wagner "
            "falls short of the best by more",
        ),
        Prediction(
            RECURRENCE,
            "difference",
            "<=",
            -MARGIN,
            "no rate and interval make the memoryless network as good as the recurrent one",
            "the same border",
        ),
        Prediction(
            RECURRENCE,
            "rollback",
            "<=",
            MARGIN,
            "rolling back the weights of the recurrent network costs nothing",
            "what counts as nothing where scores are compared; intervals of whole episodes are "
            "left out, since after them there is nothing to roll back",
        ),
        Prediction(
            RECURRENCE,
            "activity",
            ">=",
            0.9,
            "without its own activity the recurrent network loses all that it earns",
            "nine tenths, as weights that update within the episode could still earn the rest; "
            "the last action and reward go with the state, as they were caused by it and tell of "
            "it",
        ),
        Prediction(
            WEIGHTS,
            "memoryless_rollback",
            ">=",
            0.9,
            "the memoryless network's loss is all in the rollback",
            "a network that sees nothing has nothing else; the rest is the luck of the tasks",
            by_construction=True,
        ),
    )
    settings = (BANDIT, REVERSAL)
    players = tuple(BESIDE)
    small: ClassVar[Mapping[str, Any]] = {
        "REPLICAS": 2,
        "INTERVALS": (3, 100),
        "RATES": (0.1, 1.0),
        "PPO": 5,
        "PPO_RATES": (1.0,),
        "WIDTH": 2,
    }

    def why_not(self, preset: Preset) -> str | None:
        """Also another agent, and tasks of which a memoryless network sees anything."""
        if preset.agent not in (Preset.agent, RECURRENT) or preset.agent_kwargs:
            return f"timing is a claim on {RECURRENT} and {MEMORYLESS} of {WIDTH} units alone"
        for setting in self.asked_on(preset):
            if setting.layout.indices(("stimulus",)):
                return (
                    "timing is a claim on tasks that show nothing, so that only weights can learn"
                )
            if setting.family.horizon == 1:
                return "timing is a claim on learning within episodes, and these have one trial"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """One for each network, way of updating and task, all rates in it."""
        return {
            f"{network}/{name}/{setting.name}": _run(preset, network, setting, seed, rule)
            for setting in self.asked_on(preset)
            for network in NETWORKS
            for name, rule in updates(preset, network).items()
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The plane of each network, and more of its best points, on other episodes."""
        found: dict[str, Any] = {name: {} for name in self.quantities}
        found[SHOWN] = {}
        for setting in self.asked_on(preset):
            own = {
                network: {
                    name: agents[f"{network}/{name}/{setting.name}"]
                    for name in updates(preset, network)
                }
                for network in NETWORKS
            }
            planes = _Planes(setting, preset, seed, own)
            for quantity, value in planes.quantities().items():
                found[quantity][setting.name] = value
            found[SHOWN][setting.title] = planes.shown()
        return found

    def drawn(self, shown: list[Any]) -> Figure:
        """Over interval and rate: score, what is lost by rollback and without activity."""
        from metalocus.experiments.claims.plane import planes

        return planes(shown, LOSSES, INTACT)


def updates(preset: Preset, network: str) -> dict[str, dict[str, Any]]:
    """A network's ways of updating that are compared, by name: arguments of training."""
    if preset.part < 1:
        few = FEW_INTERVAL[network]
        return {str(few): {"interval": few, "rate": FEW_RATES}}
    found: dict[str, dict[str, Any]] = {
        str(each): {"interval": each, "rate": RATES} for each in INTERVALS
    }
    return {**found, f"{PPO} PPO": {"interval": PPO, "rate": PPO_RATES, "loss": "ppo"}}


def _run(
    preset: Preset, network: str, setting: NamedSetting, seed: int, rule: Mapping[str, Any]
) -> RunConfig:
    """The training of a network's replicas of all rates, each for as many steps in every preset."""
    run = preset.run(
        network,
        setting,
        seed,
        PART / preset.part,
        agent_kwargs={"hidden_size": WIDTH},
        train_kwargs={**rule, "rate": list(rule["rate"])},
        trainer=TRAINER.name,
    )
    n = REPLICAS * len(rule["rate"])
    return replace(run, n_envs=n, steps=n * run.steps)


def updates_within(interval: int, horizon: int) -> bool:
    """Whether updates ever fall within an episode; else rollback costs nothing by construction.

    Training ends with an episode, so that an interval of whole episodes begins with one.
    """
    return interval % horizon != 0


def fraction(loss: float, intact: float) -> float | None:
    """A loss as a part of a score; None where the score is too small to lose a part of."""
    return loss / intact if intact > MARGIN else None


def best(plane: Plane, among: Iterable[str]) -> Point:
    """The point of the greatest score without lesion."""
    scores = {(name, i): each for name in among for i, each in enumerate(plane[name][INTACT])}
    return max(scores, key=lambda point: scores[point])


class Exam:
    """Fresh episodes that the replicas of every rate play.

    The i-th replica of each rate has the same ones, which no other of its rate has.

    Args:
        setting: the task.
        episodes: of all replicas of a rate, about; each has at least two, to exchange activity.
        seed: of the episodes.
    """

    def __init__(self, setting: Setting, episodes: int, seed: int) -> None:
        self.setting, self.seed = setting, seed
        self.each = max(2, episodes // REPLICAS)
        self.n = self.each * REPLICAS
        self.chance, self.best = return_bounds(setting, self.n, seed)

    def scores(self, agent: OnlineAgent, lesion: str) -> Array:
        """Of each rate [R], over its replicas and their episodes."""
        n_rates = len(agent.numbers) // REPLICAS
        keys = fresh_keys(self.n, self.seed).reshape(self.each, 1, REPLICAS)
        episodes = self.setting.episodes(keys.repeat(n_rates, axis=1).ravel())
        blocks = [EveryTrial(kind, stores, episodes.crn) for kind, stores in LESIONS[lesion]]

        def blocked(t: int, stores: Stores) -> Stores:
            for block in blocks:
                stores = block(t, stores)
            return stores

        earned = rollout(agent, episodes, self.seed, intervene=blocked).value.sum(axis=0)
        by_rate = earned.reshape(self.each, n_rates, REPLICAS).mean(axis=(0, 2))
        found: Array = (by_rate - self.chance) / (self.best - self.chance)
        return found


class _Planes:
    """The planes of both networks on one task, and what is measured at their best points.

    Args:
        setting: the task.
        preset: how many episodes are played.
        seed: of these; the remainder by ``TUNING_SEED`` is that of those a point is chosen by.
        agents: replicas of all rates, by network and way of updating.
    """

    def __init__(
        self,
        setting: NamedSetting,
        preset: Preset,
        seed: int,
        agents: Mapping[str, Mapping[str, Agent]],
    ) -> None:
        self.rules = {network: updates(preset, network) for network in agents}
        self.agents = agents
        apart = TUNING_SEED + CHOOSING_SEED + seed % TUNING_SEED
        choosing = Exam(setting, min(CHOOSING, preset.episodes), apart)
        self.planes = {
            network: {
                name: {lesion: choosing.scores(_online(agent), lesion) for lesion in MAPPED}
                for name, agent in own.items()
            }
            for network, own in agents.items()
        }
        self.exam = Exam(setting, min(MOST_EPISODES, preset.episodes), seed)

    def quantities(self) -> dict[str, float | None]:
        """Of the claim, by name."""
        memoryless, recurrent = (self._intact(network) for network in (MEMORYLESS, RECURRENT))
        activity, weights = self._lesioned(RECURRENT), self._lesioned(MEMORYLESS)
        intact = activity[INTACT]
        return {
            "difference": memoryless - recurrent,
            "rollback": intact - activity[ROLLED],
            "activity": fraction(intact - activity[ACTIVITY], intact),
            "state": fraction(intact - activity[STATE], intact),
            "both": fraction(intact - activity[BOTH], intact),
            "memoryless_rollback": fraction(weights[INTACT] - weights[ROLLED], weights[INTACT]),
            "memoryless": memoryless,
            "recurrent": recurrent,
        }

    def shown(self) -> dict[str, Any]:
        """The planes, by network, way of updating, rate and lesion; and scores beside them."""
        setting, n = self.exam.setting, self.exam.n
        beside = {title: make_named(name, setting.family) for name, title in BESIDE.items()}
        return {
            "networks": {
                NETWORKS[network]: {
                    name: {
                        f"{rate:g}": {lesion: float(by[lesion][i]) for lesion in MAPPED}
                        for i, rate in enumerate(self.rules[network][name]["rate"])
                    }
                    for name, by in plane.items()
                }
                for network, plane in self.planes.items()
            },
            "beside": {
                name: score(player, setting, n, self.exam.seed) for name, player in beside.items()
            },
        }

    def _intact(self, network: str) -> float:
        """Score of the best point."""
        point = best(self.planes[network], self.rules[network])
        return self._score(network, point, INTACT)

    def _lesioned(self, network: str) -> dict[str, float]:
        """Scores under every lesion of the best point whose updates fall within episodes."""
        horizon = self.exam.setting.family.horizon
        within = [
            name
            for name, rule in self.rules[network].items()
            if updates_within(rule["interval"], horizon)
        ]
        point = best(self.planes[network], within)
        return {lesion: self._score(network, point, lesion) for lesion in LESIONS}

    def _score(self, network: str, point: Point, lesion: str) -> float:
        """On the episodes that no point is chosen by."""
        name, rate = point
        agent = _online(self.agents[network][name])
        own = agent.only(*range(rate * REPLICAS, (rate + 1) * REPLICAS))
        return float(self.exam.scores(own, lesion)[0])


def _online(agent: Agent) -> OnlineAgent:
    """An agent of :meth:`Timing.runs`."""
    assert isinstance(agent, OnlineAgent)
    return agent
