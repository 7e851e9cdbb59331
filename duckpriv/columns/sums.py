"""he_sum as SQL functions: one stages ciphertexts and gives DuckDB handles, which it collects by
group, and the other multiplies what the handles of each group stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .. import stopping
from ..crypto.parallel import ByteMatrix
from ..errors import InvalidValue
from ..keys import HomomorphicPublicKey
from .ciphertext import Layout, by_layout, refuse, refuse_other_key
from .context import Context
from .homomorphic import fitting, key_named, of_sum, send, shifted
from .staging import Found, Rows

_CHECKED_AT_ONCE = 4096
_Statement = tuple[int, tuple[int, int]]
Groups = NDArray[np.int64]  # where each begins among the chosen rows, and where the last one ends


def he_stage(context: Context, cts: pa.Array, key: pa.Array, *statement: pa.Array) -> pa.Array:
    """Keep ciphertexts until he_sum adds them; return a handle for each."""
    public = key_named(context, key)
    handles = np.empty(len(cts), np.int64)
    with context.staging.begin(*_statement(*statement)) as staged:
        for layout, rows, bodies in by_layout(cts, public):
            handles[rows] = staged.add(public, layout, bodies)
    return pa.array(handles)


def he_part(context: Context, lists: pa.Array, key: pa.Array, *statement: pa.Array) -> pa.Array:
    """Add as he_sum does, and return a handle for each sum, which is not re-randomised: it is to be
    added further."""
    public = key_named(context, key)
    some, layouts, bodies = _added(context, lists, public, _statement(*statement))
    handles = np.empty(len(some), np.int64)
    with context.staging.found(*_statement(*statement)) as staged:
        for layout in set(layouts):
            rows = [i for i, one in enumerate(layouts) if one == layout]
            handles[rows] = staged.add(public, layout, bodies[rows])
    return _spread(pa.array(handles), some, len(lists))


def he_sum(context: Context, lists: pa.Array, key: pa.Array, *statement: pa.Array) -> pa.Array:
    """Add all ciphertexts of each list, of handles from this statement; NULLs take no part, and of
    nothing else the sum is NULL."""
    public = key_named(context, key)
    some, layouts, bodies = _added(context, lists, public, _statement(*statement))
    sums = send(public, layouts, bodies) if len(some) else pa.array([], pa.binary())
    return _spread(sums, some, len(lists))


def _added(
    context: Context, lists: pa.Array, public: HomomorphicPublicKey, statement: _Statement
) -> tuple[NDArray[np.intp], list[Layout], ByteMatrix]:
    """Return which lists have handles, and the layouts and bodies of the sums of these."""
    handles, groups = _without_nulls(lists)
    some = np.flatnonzero(np.diff(groups))
    if not len(some):
        return some, [], np.empty((0, 0), np.uint8)
    with context.staging.found(*statement) as staged:
        found = staged.find(handles)
        return some, *_sums(found, np.append(groups[some], len(handles)), public)


def _spread(sums: pa.Array, some: NDArray[np.intp], count: int) -> pa.Array:
    """Return so many rows, NULL but where there is a sum."""
    order = np.full(count, -1)
    order[some] = np.arange(len(some))
    return sums.take(pa.array(order, mask=order < 0))


def _statement(connections: pa.Array, queries: pa.Array, times: pa.Array) -> _Statement:
    """Return a connection's number, and what tells its statements apart. DuckDB 1.5 gives a
    prepared one the same number each time, but transactions begin at other times."""
    return connections[0].as_py(), (queries[0].as_py(), times[0].as_py())


def _without_nulls(lists: pa.Array) -> tuple[NDArray[np.int64], Groups]:
    """Return the lists' handles one after the other, and where each list begins."""
    flat = lists.flatten()
    ends = np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False))
    groups = np.concatenate([[0], ends]).astype(np.int64)
    if flat.null_count:
        valid = flat.is_valid()
        before = np.concatenate([[0], np.cumsum(valid.to_numpy(zero_copy_only=False))])
        return flat.filter(valid).to_numpy(), before[groups]
    return flat.to_numpy(), groups


def _sums(
    found: Found, starts: Groups, public: HomomorphicPublicKey
) -> tuple[list[Layout], ByteMatrix]:
    """Return the layouts and all bodies of the sums of groups, none of them empty."""
    first = starts[:-1]
    lowest, highest = (reduce.reduceat(found.layout, first) for reduce in (np.minimum, np.maximum))
    common = [
        found.layouts[low]
        if low == high
        else fitting([found.layouts[i] for i in np.unique(found.layout[start:stop])])
        for low, high, start, stop in zip(
            *(column.tolist() for column in (lowest, highest, first, starts[1:])), strict=True
        )
    ]
    terms = np.diff(starts).tolist()
    layouts = [of_sum(layout, n, 0, 1) for layout, n in zip(common, terms, strict=True)]
    sums: list[ByteMatrix] = [np.empty((0, 0), np.uint8)] * len(common)
    kinds = found.kind[first]
    for kind in np.unique(kinds).tolist():
        groups = np.flatnonzero(kinds == kind)
        chosen, counted = found, starts
        if len(groups) < len(common):
            here = np.repeat(kinds == kind, np.diff(starts))
            chosen = replace(found, place=found.place[here], layout=found.layout[here])
            counted = np.concatenate([[0], np.cumsum(np.diff(starts)[groups])])
        products = _products(
            found.rows[kind], chosen, counted, [common[group].doublings for group in groups], public
        )
        for group, product in zip(groups.tolist(), products, strict=True):
            sums[group] = product.reshape(-1, public.key.width)
    return layouts, np.concatenate(sums)


def _products(
    rows: Rows, found: Found, starts: Groups, doublings: list[int], public: HomomorphicPublicKey
) -> ByteMatrix:
    """Return the sums of the groups of one kind of rows, doubled as often as is said of each."""
    refuse_other_key(rows.fingerprint, public)
    done = np.array([layout.doublings for layout in found.layouts])[found.layout]
    if (done == done[0]).all():
        return _checked(rows, found.place, starts, public)
    # What was doubled equally often is added first, and doubled as often as it is behind.
    group = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((done, group))
    done, group = done[order], group[order]
    new = np.flatnonzero((np.diff(done) != 0) | (np.diff(group) != 0)) + 1
    parts = np.concatenate([[0], new, [len(order)]])
    products = _checked(rows, found.place[order], parts, public)
    behind = np.array(doublings)[group[parts[:-1]]] - done[parts[:-1]]
    times = np.repeat(behind, rows.width // public.key.width)
    bodies = shifted(products.reshape(-1, public.key.width), times, public)
    together = np.searchsorted(group[parts[:-1]], np.arange(len(starts)))
    whole = Rows(rows.fingerprint, rows.width, [bodies.reshape(products.shape)])
    return _checked(whole, np.arange(len(products)), together, public)


def _checked(
    rows: Rows, chosen: NDArray[np.int64], starts: Groups, public: HomomorphicPublicKey
) -> ByteMatrix:
    """Return for each group the products of its rows' bodies. Raises InvalidValue where one of
    those is no ciphertext: a product is prime to N if and only if all its factors are."""
    width = public.key.width
    try:
        products = np.concatenate(
            [
                public.key.sums(rows.blocks, offset, chosen, starts)
                for offset in range(0, rows.width, width)
            ],
            axis=1,
        )
        if not public.key.invalid(products.reshape(-1, width)):
            return products
    except ValueError:  # a number is out of range
        pass
    wrong, different, per_block = 0, np.unique(chosen), len(rows.blocks[0])
    for start in range(0, len(different), _CHECKED_AT_ONCE):
        stopping.check()
        numbers = different[start : start + _CHECKED_AT_ONCE].tolist()
        bodies = np.stack([rows.blocks[at // per_block][at % per_block] for at in numbers])
        wrong += public.key.invalid(bodies.reshape(-1, width))
    refuse(wrong, len(different) * rows.width // width, "ciphertext bodies")
    raise InvalidValue("a sum of ciphertexts is not valid under the key")
