"""What a worker does, a process of its own: one training run; and what is imported before."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Sequence

import torch
from PIL import Image

from metalocus.agents.catalogue import REFERENCES
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.trainers.base import TRAINERS
from metalocus.envs import FAMILIES
from metalocus.envs.discovery import load
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.progress import write_progress
from metalocus.experiments.runs.config import ENGINE, RunConfig
from metalocus.experiments.runs.source import source_digest
from metalocus.experiments.sweeps.errors import judged
from metalocus.experiments.sweeps.order import DONE, Order
from metalocus.experiments.training.train import train


def prepare(files: Sequence[str] = ()) -> None:
    """Import and look up what every run needs, so that forks of this process share it.

    Args:
        files: from outside the package, to be loaded.

    Raises:
        InvalidTask: a file or an installed plugin cannot be loaded.
    """
    import torch._dynamo  # by every optimizer, half a second
    from torch.utils.tensorboard import SummaryWriter  # noqa: F401

    torch.set_num_threads(1)
    Image.preinit()
    load(*files)
    for registry in (TRAINABLES, TRAINERS, FAMILIES, REFERENCES):
        list(registry)
    source_digest(ENGINE)  # parses thirty files, as every worker would to check its order
    gc.freeze()  # what is shared with the workers stays so


def work(order: Order) -> tuple[int, str]:
    """Make the run: exit code, and in one line why it is not done, or its warnings if it is."""
    torch.set_num_threads(1)
    try:
        config = RunConfig.from_json(order.config)
        if config.name != order.name:
            raise WrongUse(
                "the source of the run has changed since the command began, or the command runs"
                " another copy of metalocus than the installed one: start it from another folder"
            )
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("default", UserWarning)
            train(config, order.out, lambda progress: write_progress(order.folder, progress))
    except Exception as error:
        return judged(error)
    return DONE, "; ".join(dict.fromkeys(str(each.message) for each in told))
