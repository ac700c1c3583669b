"""A finished run as an agent."""

from __future__ import annotations

import warnings
from pathlib import Path

from metalocus.agents.ppo.files import Corrupt, read_record, read_tensors
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.experiments.runs.build import build_policy, fill
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.folder import META, WEIGHTS
from metalocus.experiments.runs.records import AGAIN, IDENTITY, load_manifest, read_config


def load_agent(folder: str | Path, results: bool = True) -> tuple[TrainedAgent, RunConfig]:
    """The trained agent of a finished run; nothing is unpickled.

    Warns if the run was made by another version of the source that decides its result.

    Args:
        folder: of the run.
        results: whether the measurements made during training must be whole too.

    Raises:
        NotARun: no finished run is there.
        Corrupt: one of its files is damaged or of another run, or the folder bears the name of
            another run.
    """
    folder = Path(folder)
    manifest, config = load_manifest(folder, results), read_config(folder)
    tensors, header = read_tensors(folder / WEIGHTS)
    meta = read_record(folder / META, AGAIN)
    for name, record in ((META, meta), (WEIGHTS, header)):
        for entry in (*IDENTITY, "sha256"):
            if record.get(entry) != manifest[entry]:
                raise Corrupt(f"{folder / name} is of another run; {AGAIN}")
    if manifest["source"] != config.source:
        made = manifest["versions"]["metalocus"]
        warnings.warn(
            f"{folder} was made by other code (metalocus {made}): trained again, it may differ",
            stacklevel=2,
        )
    policy = build_policy(config)
    try:
        fill(policy, tensors)
    except ValueError as error:
        raise Corrupt(f"{folder / WEIGHTS} does not fit its config ({error}); {AGAIN}") from None
    return TrainedAgent(policy, config.setting.layout), config
