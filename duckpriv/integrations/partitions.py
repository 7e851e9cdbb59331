"""Parquet files through a column function, one by one: a run that was ended goes on.

Each input file becomes one output file of the same name, whole or not at all. Its footer says of
what input (SHA-256) and by which function it was made, in hashes without secrets. A second run
skips what is there, and refuses what belongs to something else. Files are local, or in an object
store that pyarrow knows (s3://…, gs://…, abfs://…) or fsspec does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import Progress

from ..errors import DuckprivError, InvalidValue, disk_errors_explained, unexpected
from ..names import partial_of, partials_of
from ..visible import visible
from .workers import ColumnFunction

_FOOTER = b"duckpriv"
_CHUNK = 1 << 20
_TELL_SECONDS = 10.0
# Runs partitions somewhere, and gives what became of each when it is done, in any order.
Runs = Callable[[list["Partition"]], Iterator["Done"]]


@dataclass(frozen=True)
class Done:
    """A partition that is there: its rows, and whether it was there before."""

    target: str
    rows: int
    skipped: bool


@dataclass(frozen=True)
class Partition:
    """An input file, the output file, and what makes the one of the other."""

    source: str
    target: str
    function: ColumnFunction
    batch: int
    filesystem: Any = None

    def run(self) -> Done:
        """Write the output file, unless it is there. Raises InvalidValue where that is another
        one's."""
        try:
            with disk_errors_explained():
                return self._run()
        except DuckprivError:
            raise
        except pa.ArrowInvalid:
            raise InvalidValue(f"{self.source} is damaged, or no Parquet file") from None
        except Exception as error:
            raise unexpected(self.function.function, error) from None

    def _run(self) -> Done:
        source_store, source = _place(self.source, self.filesystem)
        store, target = _place(self.target, self.filesystem)
        with source_store.open_input_file(source) as file:
            made_of = json.dumps(
                {
                    "version": 1,
                    "function": self.function.function,
                    "session": self.function.session,
                    "made_by": self.function.digest,
                    "input_sha256": _sha256(file),
                }
            ).encode()
            rows = _rows_there(store, target, made_of)
            if rows is not None:
                return Done(self.target, rows, skipped=True)
            file.seek(0)
            return Done(self.target, self._write(file, store, target, made_of), skipped=False)

    def _write(self, file: Any, store: pafs.FileSystem, target: str, made_of: bytes) -> int:
        local = isinstance(store, pafs.LocalFileSystem)
        # Beside the output, since a rename stays on one disk; for a store in a folder that goes.
        near: AbstractContextManager[Any]
        near = nullcontext(Path(target).parent) if local else tempfile.TemporaryDirectory()
        with near as folder:
            name, beside = PurePosixPath(target).name, Path(folder)
            partial = beside / partial_of(name)
            for left in beside.glob(partials_of(name)):  # of a run that was killed
                left.unlink(missing_ok=True)
            try:
                rows = self._compute(file, partial, made_of)
                if local:
                    _flush(partial)
                    partial.replace(target)
                else:
                    pafs.copy_files(
                        str(partial), target, pafs.LocalFileSystem(), store, use_threads=False
                    )
            finally:
                partial.unlink(missing_ok=True)
        return rows

    def _compute(self, file: Any, partial: Path, made_of: bytes) -> int:
        parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=_CHUNK)
        schema = self.function.schema(parquet.schema_arrow)
        schema = schema.with_metadata({**(schema.metadata or {}), _FOOTER: made_of})
        rows = 0
        with pq.ParquetWriter(partial, schema, use_dictionary=False) as writer:
            for batch in parquet.iter_batches(self.batch, use_threads=False):
                done = self.function(batch)
                writer.write_batch(done)
                rows += len(done)
        return rows


def run_partitions(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    function: ColumnFunction,
    *,
    batch: int | None = None,
    filesystem: Any = None,
    progress: bool = True,
    runs: Runs | None = None,
) -> list[Done]:
    """Give each Parquet file of `inputs` (files, or a pattern such as 'ids/*.parquet') to
    `function`, and write what comes out into the folder `output`, under the same name.

    Files that an earlier run has written are skipped. Raises InvalidValue, before anything is
    computed, where the folder has Parquet files of other inputs; and where a file belongs to
    another input, function, key or session. `batch` is how many rows are in memory at a time. A
    pyarrow or fsspec `filesystem` is for paths without a scheme. This process computes, unless
    `runs` does so elsewhere (`integrations.ray`, `integrations.spark`).
    """
    work = _partitions(inputs, output, function, batch, filesystem)
    done = []
    with _Shown(len(work), progress) as shown:
        for one in (runs or _here)(work):
            done.append(one)
            shown.add(one)
    return sorted(done, key=lambda one: one.target)


def _here(work: list[Partition]) -> Iterator[Done]:
    return (partition.run() for partition in work)


def _partitions(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    function: ColumnFunction,
    batch: int | None,
    filesystem: Any,
) -> list[Partition]:
    given = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    paths = [_absolute(os.fspath(one), filesystem) for one in given]
    sources = [file for path in paths for file in _matching(path, filesystem)]
    if not sources:
        raise InvalidValue("there is no input file; give Parquet files, or a pattern for them")
    folder = _absolute(os.fspath(output), filesystem).rstrip("/")
    names = [PurePosixPath(_place(source, filesystem)[1]).name for source in sources]
    twice = [name for name in names if names.count(name) > 1] if len({*names}) < len(names) else []
    if twice:
        raise InvalidValue(
            f"two input files have the name {twice[0]}, and their output would, too; rename one"
        )
    store, path = _place(folder, filesystem)
    if any(_place(s.rpartition("/")[0], filesystem) == (store, path) for s in sources):
        raise InvalidValue("the output would replace the input; name another folder")
    with disk_errors_explained():
        store.create_dir(path, recursive=True)
        there = store.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    foreign = sorted({i.base_name for i in there if i.base_name.endswith(".parquet")} - {*names})
    if foreign:
        raise InvalidValue(
            f"the folder {folder} has {foreign[0]}, which is of none of these inputs, and whoever "
            "reads the folder would read it, too; remove it, or name another folder"
        )
    rows = function.batch if batch is None else batch
    if rows < 1:
        raise InvalidValue("batch is a number of rows, 1 at least")
    return [
        Partition(source, _joined(folder, name), function, rows, filesystem)
        for source, name in zip(sources, names, strict=True)
    ]


def _matching(pattern: str, filesystem: Any) -> list[str]:
    """Return the files of a pattern, whose last part may have *, ? and […]; a file itself."""
    folder, _, name = pattern.rpartition("/")
    if not any(sign in name for sign in "*?["):
        return [pattern]
    store, path = _place(folder, filesystem)
    with disk_errors_explained():
        found = store.get_file_info(pafs.FileSelector(path))
    names = sorted(
        info.base_name
        for info in found
        if info.is_file and fnmatch(info.base_name, name) and not info.base_name.startswith(".")
    )
    return [_joined(folder, one) if folder else one for one in names]


def _joined(folder: str, name: str) -> str:
    """Return a file's path; in an address, a % or ? of its name stands for itself."""
    return f"{folder}/{quote(name) if '://' in folder else name}"


def _absolute(path: str, filesystem: Any) -> str:
    """Return a local path from the root: a worker may be in another folder."""
    return path if "://" in path or filesystem is not None else str(Path(path).absolute())


def _place(path: str, filesystem: Any) -> tuple[pafs.FileSystem, str]:
    """Return the store of a path, and the path in it."""
    if "://" in path:
        if re.search(r"//.*:.*@|[?#]", path):
            raise InvalidValue(
                "an address of files has no password, ? or #; credentials belong into the "
                "environment, and other settings into filesystem="
            )
        with disk_errors_explained():
            store, inside = pafs.FileSystem.from_uri(path)
        return store, inside
    if filesystem is None:
        return pafs.LocalFileSystem(), path
    if isinstance(filesystem, pafs.FileSystem):
        return filesystem, path
    return pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), path


def _sha256(file: Any) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _rows_there(store: pafs.FileSystem, target: str, made_of: bytes) -> int | None:
    """Return how many rows the output file has, None where there is none."""
    (info,) = store.get_file_info([target])
    if info.type == pafs.FileType.NotFound:
        return None
    said = None
    with suppress(pa.ArrowInvalid, OSError), store.open_input_file(target) as file:
        footer = pq.read_metadata(file)
        said = (footer.metadata or {}).get(_FOOTER)
    if said != made_of:
        raise InvalidValue(
            f"{target} is there and was made {_difference(said, made_of)}; remove it, or name "
            "another folder"
        )
    return int(footer.num_rows)


def _difference(said: bytes | None, made_of: bytes) -> str:
    try:
        theirs, ours = json.loads(said or b"{}"), json.loads(made_of)
    except ValueError:
        theirs = {}
    if not isinstance(theirs, dict) or not {*theirs} >= {*ours}:
        return "by something else"
    if theirs["input_sha256"] != ours["input_sha256"]:
        return "of another input"
    for name in ("function", "session"):
        if theirs[name] != ours[name]:
            return f"by another {name}"
    return "with another key or other settings"


def _flush(file: Path) -> None:
    """Have the content on the disk, so that after a power cut too the name stands for all of it."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


class _Shown:
    """Files and rows done: a bar on a terminal, elsewhere a line every ten seconds."""

    def __init__(self, files: int, wanted: bool) -> None:
        self._console = Console(stderr=True)
        self._files, self._done, self._skipped, self._rows = files, 0, 0, 0
        self._bar = (
            Progress(console=self._console) if wanted and self._console.is_terminal else None
        )
        self._tells = wanted and self._bar is None
        self._began = self._told = time.monotonic()

    def __enter__(self) -> _Shown:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._text(), total=self._files)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, one: Done) -> None:
        """A file is done."""
        self._done += 1
        self._skipped += one.skipped
        self._rows += 0 if one.skipped else one.rows
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=self._text())
        elif self._tells and time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            self._console.print(visible(self._text()), highlight=False, markup=False)

    def _text(self) -> str:
        rate = self._rows / max(time.monotonic() - self._began, 1e-3)
        skipped = f" ({self._skipped} were there)" if self._skipped else ""
        return f"{self._done} of {self._files} files{skipped} · {self._rows:,} rows, {rate:,.0f}/s"
