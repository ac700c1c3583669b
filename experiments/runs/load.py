"""A finished run as an agent."""

from __future__ import annotations

from pathlib import Path

from metalocus.agents.ppo.files import Corrupt, read_tensors
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import (
    CONFIG,
    MANIFEST,
    META,
    WEIGHTS,
    load_manifest,
    read_config,
    read_record,
)


def load_agent(folder: Path) -> tuple[TrainedAgent, RunConfig]:
    """The trained agent of a finished run; nothing is unpickled.

    Raises:
        NotARun: no finished run is there.
        Corrupt: its weights are damaged or not those that were recorded.
    """

    manifest, meta = load_manifest(folder), read_record(folder / META)
    config = read_config(folder)
    tensors, header = read_tensors(folder / WEIGHTS)
    for name, record in ((META, meta), (MANIFEST, manifest)):
        if header["sha256"] != record["sha256"]:
            raise Corrupt(f"{folder / WEIGHTS} is not the file that {name} records; train again")
    if meta.get("run") != config.name:
        raise Corrupt(f"{folder / CONFIG} is not that of these weights; restore it or train again")
    policy = build_policy(config)
    try:
        policy.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise Corrupt(f"{folder / WEIGHTS} does not fit {CONFIG} ({reason}); train again") from None
    layout = config.setting.layout
    return TrainedAgent(policy, layout), config
