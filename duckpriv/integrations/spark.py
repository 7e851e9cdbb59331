"""Column functions on a Spark cluster: `pip install 'duckpriv[spark]'`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from ..errors import InvalidValue, from_text
from .partitions import Done, Partition
from .partitions import run_partitions as run_partitions_with
from .workers import ColumnFunction

try:
    from pyspark.sql import types
except ImportError:
    raise InvalidValue("PySpark is not installed; pip install 'duckpriv[spark]'") from None


def apply(frame: Any, function: ColumnFunction) -> Any:
    """Return the Spark DataFrame with the column that `function` computes; lazy, as Spark is.

    `spark.sql.execution.arrow.maxRecordsPerBatch` says how many rows a worker has at a time; for
    lists of thousands of values each, set it to 16 or so.
    """
    names = [*frame.schema.names]
    function.schema(pa.schema([(name, pa.null()) for name in names]))
    added = types.StructField(function.result, _spark_type(function.added.type))
    return frame.mapInArrow(function.batches, types.StructType([*frame.schema.fields, added]))


def run_partitions(
    spark: Any,
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    function: ColumnFunction,
    *,
    batch: int | None = None,
    filesystem: Any = None,
    progress: bool = True,
    at_once: int | None = None,
) -> list[Done]:
    """As `partitions.run_partitions`: each file is a job of one task, `at_once` of them at a time
    (by default as many as the cluster has cores). All of its machines need to see the files. With
    several threads a function, set `spark.task.cpus` to as many."""
    return run_partitions_with(
        *(inputs, output, function),
        batch=batch,
        filesystem=filesystem,
        progress=progress,
        runs=partial(_on_spark, spark, at_once),
    )


def _on_spark(spark: Any, at_once: int | None, work: list[Partition]) -> Iterator[Done]:
    context = spark.sparkContext
    with ThreadPoolExecutor(at_once or context.defaultParallelism) as pool:
        jobs = [pool.submit(_job, context, partition) for partition in work]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            for job in jobs:
                job.cancel()


def _job(context: Any, work: Partition) -> Done:
    done: Done | InvalidValue
    try:
        (done,) = context.parallelize([work], 1).map(_run).collect()
    except Exception as error:
        if (ours := from_text(str(error))) is None:
            raise
        raise ours from None
    if isinstance(done, InvalidValue):
        raise done
    return done


def _run(work: Partition) -> Done | InvalidValue:
    """A refusal comes back as a value: Spark would try an exception again."""
    try:
        return work.run()
    except InvalidValue as error:
        return error


def _spark_type(type_: pa.DataType) -> types.DataType:
    """Return the type that Spark has for what a function returns."""
    if pat.is_list(type_):
        return types.ArrayType(_spark_type(type_.value_type))
    if pat.is_struct(type_):
        return types.StructType(
            [types.StructField(field.name, _spark_type(field.type)) for field in type_]
        )
    return types.StringType() if pat.is_string(type_) else types.BinaryType()
