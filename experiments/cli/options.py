"""Options that several commands have: their types, each with the help that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from metalocus.experiments.cli.texts import Texts

Json = Annotated[bool, arg(help="print as JSON.")]
Quiet = Annotated[bool, arg(help="show no progress.")]
EnvKwargs = Annotated[Texts, arg(help="arguments of the environment, as name=value.")]

# Of what is asked about one agent.
AgentOrRun = Annotated[
    str,
    arg(
        help="a run directory; a zip of SequencePPO, PPO, A2C, DQN, RecurrentPPO or QRDQN; or the"
        " name of a reference, an online rule or a control."
    ),
]
Episodes = Annotated[int, arg(help="fresh episodes to play.")]
EpisodesSeed = Annotated[int, arg(help="of the episodes; all agents meet the same ones.")]
ItsEnv = Annotated[str | None, arg(help="id, of a zip or a name: what it was trained on or plays.")]
Algo = Annotated[str | None, arg(help="of a zip: the class that wrote it.")]
ZipPolicy = Annotated[
    str | None, arg(help="of a zip, if not MlpPolicy, or MlpLstmPolicy for RecurrentPPO.")
]
ZipPolicyKwargs = Annotated[
    Texts, arg(help="arguments of a zip's policy, as name=value, if the zip does not tell them.")
]

# Of everything that trains or measures much.
ExecutorName = Annotated[
    Literal["local", "ray", "slurm"],
    arg(
        name="executor",
        help="where runs are made: processes here, a Ray cluster (extra cluster), Slurm (extra"
        " slurm).",
    ),
]
Address = Annotated[
    str | None,
    arg(help="of the Ray cluster, such as auto or ray://head:10001; a new one here if left out."),
]
Workers = Annotated[
    int | None, arg(help="runs at once; one a core, or of Slurm 200 jobs, if left out.")
]

# Of the debate and its claims.
PresetName = Annotated[
    str,
    arg(help="quick (three seeds, minutes), full (ten seeds, hours), or smoke (does it run?)."),
]
AskedAgent = Annotated[str | None, arg(help="that is asked about; the LSTM if left out.")]
AskedAgentKwargs = Annotated[Texts, arg(help="arguments of that agent, as for `metalocus train`.")]
AskedSetting = Annotated[
    Texts,
    arg(
        help="that it is judged on: bandit, reversal or another short name, or the id of an"
        " environment and its arguments as name=value; if left out, the tasks of each claim."
    ),
]
AskedClaims = Annotated[
    Texts,
    arg(
        help="numbers or names of the claims to ask, alone, or curves, development; if left out,"
        " those of the preset. See `metalocus list claims`."
    ),
]
DebateFolder = Annotated[
    Path,
    arg(
        help="folder for runs, verdicts and report; started again, it goes on where it was. Give"
        " another question another folder."
    ),
]
