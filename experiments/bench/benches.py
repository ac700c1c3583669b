"""What ``metalocus bench`` measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from metalocus.experiments.bench.base import Row
from metalocus.experiments.bench.env import bench_env
from metalocus.experiments.bench.probe import bench_probe
from metalocus.experiments.bench.train import bench_train

BENCHES: Mapping[str, Callable[..., list[Row]]] = {
    "env": bench_env,
    "train": bench_train,
    "probe": bench_probe,
}
