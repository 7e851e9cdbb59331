"""Column functions on a Ray cluster: `pip install 'duckpriv[ray]'`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ..errors import DuckprivError, InvalidValue
from .partitions import Done, Partition
from .partitions import run_partitions as run_partitions_with
from .workers import ColumnFunction

try:
    import ray
    from ray.exceptions import RayTaskError
except ImportError:
    raise InvalidValue("Ray is not installed; pip install 'duckpriv[ray]'") from None


def apply(dataset: Any, function: ColumnFunction, *, batch: int | None = None, **how: Any) -> Any:
    """Return the Ray dataset with the column that `function` computes; lazy, as Ray Data is.

    `batch` is how many rows a worker has at a time; `how` goes to `Dataset.map_batches`.
    """

    def work(rows: pa.Table) -> pa.Table:
        return function(rows)

    work.__name__ = function.function  # as Ray's progress and plans show it
    return dataset.map_batches(
        work,
        batch_format="pyarrow",
        batch_size=batch or function.batch,
        zero_copy_batch=True,
        **{"num_cpus": function.threads, **how},
    )


def run_partitions(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    function: ColumnFunction,
    *,
    batch: int | None = None,
    filesystem: Any = None,
    progress: bool = True,
) -> list[Done]:
    """As `partitions.run_partitions`: each file is a task of the cluster that `ray.init` has
    joined, on as many of its cores as the function has threads. All of its machines need to see
    the files."""
    return run_partitions_with(
        *(inputs, output, function),
        batch=batch,
        filesystem=filesystem,
        progress=progress,
        runs=_on_ray,
    )


def _on_ray(work: list[Partition]) -> Iterator[Done]:
    task = ray.remote(_run).options(num_cpus=work[0].function.threads)
    waiting = [task.remote(partition) for partition in work]
    try:
        while waiting:
            finished, waiting = ray.wait(waiting, fetch_local=False)
            for one in finished:
                yield _got(one)
    finally:
        for one in waiting:
            ray.cancel(one, force=True)


def _got(one: Any) -> Done:
    try:
        done: Done = ray.get(one)
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, DuckprivError) else error) from None
    return done


def _run(partition: Partition) -> Done:
    return partition.run()
