"""ristretto255 by each engine that is here, against RFC 9496, RFC 9380 and Python's integers."""

from __future__ import annotations

import hashlib
import json
import random
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.crypto import columnhashing, ristretto
from duckpriv.crypto.bytecolumns import from_rows, rows_of
from duckpriv.crypto.modarith import choice
from duckpriv.crypto.ristretto import BASE, ORDER, libsodium
from duckpriv.crypto.ristretto.choice import engine as chosen_engine
from duckpriv.errors import InvalidValue
from tests.crypto import plain_ristretto as plain
from tests.effort import examples, some

P = plain.P
KERNELS = tuple(dict.fromkeys((*choice.KERNELS, "portable")))
fixed = settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def module_of(name: str):
    if name == "libsodium":
        if not libsodium.available():
            pytest.skip("no libsodium was found")
        return libsodium
    try:
        module = import_module(f"duckpriv.crypto._ristretto.{name}")
    except ImportError:
        pytest.skip("it was not compiled when duckpriv was installed")
    if not module.available():
        pytest.skip("this processor does not run it")
    return module


@pytest.fixture(params=[*KERNELS, "libsodium"])
def engine(request, monkeypatch):
    """The test runs once with each engine that is here."""
    module = module_of(request.param)
    monkeypatch.setattr(ristretto, "engine", lambda: module)
    return module


@pytest.fixture(params=KERNELS)
def kernel(request):
    """The test runs once with each back end of the kernel that is here."""
    return module_of(request.param)


def scalars_of(values):
    return from_rows([value.to_bytes(32, "little") for value in values], 32)


def hexed(rows) -> list[str]:
    return [row.hex() for row in rows_of(rows)]


@cache
def expected(scalar: int, point: bytes) -> bytes:
    decoded = plain.decode(point)
    assert decoded is not None
    return plain.encode(plain.multiply(scalar, decoded))


def expected_sum(scalars, points) -> bytes:
    total = plain.IDENTITY
    for scalar, point in zip(scalars, points, strict=True):
        decoded = plain.decode(point)
        assert decoded is not None
        total = plain.add(total, plain.multiply(scalar, decoded))
    return plain.encode(total)


# RFC 9496, appendix A.1 to A.3.
VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9496.json").read_text())
MULTIPLES: list[str] = VECTORS["multiples of the generator"]
BAD: list[str] = VECTORS["bad encodings"]
MAPPED: dict[str, str] = dict(VECTORS["mapped"])


def test_multiples_of_the_generator(engine) -> None:
    assert bytes.fromhex(MULTIPLES[1]) == BASE
    assert hexed(ristretto.multiply_base(scalars_of(range(16)))) == MULTIPLES


def test_bad_encodings_are_counted_and_refused(engine) -> None:
    bad = [bytes.fromhex(row) for row in BAD]
    good = [bytes.fromhex(row) for row in MULTIPLES[1:]]
    for row in (*bad, bytes(32)):
        assert ristretto.invalid(from_rows([row], 32)) == 1
    mixed = from_rows([*good, *bad, bytes(32), *good], 32)
    one = scalars_of([1] * len(mixed))
    assert ristretto.invalid(mixed) == len(bad) + 1
    with pytest.raises(InvalidValue, match=rf"{len(bad) + 1} of {len(mixed)} values"):
        ristretto.multiply(mixed, one)
    with pytest.raises(InvalidValue, match=rf"{len(bad) + 1} of {len(mixed)} values"):
        ristretto.weighted_sum(mixed, one)
    assert ristretto.invalid(from_rows(good, 32)) == 0


def test_the_map(engine) -> None:
    uniform = from_rows([bytes.fromhex(row) for row in MAPPED], 64)
    assert hexed(ristretto.map_to_group(uniform)) == list(MAPPED.values())


# Numbers in which carries go far, and those at the edges of limbs, words and p.
EDGES = sorted(
    {
        value % 2**255
        for power in (0, 51, 52, 64, 102, 104, 128, 153, 156, 192, 204, 208, 254, 255)
        for distance in (-38, -20, -19, -18, -2, -1, 0, 1, 2, 18, 19)
        for value in (2**power + distance, P - 2**power + distance)
    }
    | {sum(2**51 - 1 << 51 * i for i in range(5) if mask >> i & 1) for mask in range(32)}
)


@cache
def edge_points() -> list[bytes]:
    rows = [value.to_bytes(32, "little") for value in EDGES if value]
    return [row for row in rows if plain.decode(row) is not None]


HALF = pow(2, -1, ORDER)
EDGE_SCALARS = [
    *(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, ORDER - 1, ORDER - 2, ORDER - 8, ORDER // 2, ORDER // 2 + 1),
    *(2**252, 2**252 - 1, 2**128, 2**251, 2**64 - 1),
    # All digits alike, before and after the kernel halves the scalar.
    *(int(digit * 63, 16) % ORDER for digit in "123456789abcdef"),
    *(2 * int(digit * 63, 16) % ORDER for digit in "123456789abcdef"),
    *(int(byte * 31, 16) for byte in ("7f", "80", "81", "ff", "01")),
]


def test_edges_of_encodings(engine) -> None:
    rows = [value.to_bytes(32, "little") for value in EDGES]
    assert len(edge_points()) > 20
    assert ristretto.invalid(from_rows(rows, 32)) == len(rows) - len(edge_points())
    for row in rows:
        good = plain.decode(row) is not None and row != bytes(32)
        assert ristretto.invalid(from_rows([row], 32)) == (not good)


def test_edges_of_the_map(engine) -> None:
    rows = [value.to_bytes(32, "little") for value in EDGES]
    uniform = [a + b for a, b in zip(rows, rows[::-1], strict=True)] + [a + a for a in rows]
    found = rows_of(ristretto.map_to_group(from_rows(uniform, 64)))
    assert found == [plain.encode(plain.map_to_group(row)) for row in uniform]


def test_edges_of_products(engine) -> None:
    """Each scalar with a few points, each point with a few scalars."""
    points, source = edge_points(), random.Random(1)
    pairs = [(scalar, source.choice(points)) for scalar in EDGE_SCALARS]
    pairs += [(scalar, BASE) for scalar in EDGE_SCALARS]
    pairs += [(source.choice(EDGE_SCALARS), point) for point in points]
    pairs += [(source.randrange(ORDER), point) for point in points]
    found = ristretto.multiply(
        from_rows([point for _, point in pairs], 32), scalars_of([scalar for scalar, _ in pairs])
    )
    assert rows_of(found) == [expected(scalar, point) for scalar, point in pairs]
    scalars, rows = zip(*pairs, strict=True)
    found_sum = ristretto.weighted_sum(from_rows(rows, 32), scalars_of(scalars))
    assert found_sum == expected_sum(scalars, rows)


@pytest.mark.parametrize("scalar", [0, 1, ORDER - 1, 2**252, int("8" * 63, 16) % ORDER])
def test_one_scalar_for_all(engine, scalar: int) -> None:
    points = [bytes.fromhex(row) for row in MULTIPLES[1:]]
    found = ristretto.multiply(from_rows(points, 32), scalars_of([scalar]))
    assert rows_of(found) == [expected(scalar, point) for point in points]


@pytest.mark.parametrize("count", some([0, 1, 5, 8, 17, 3, 4, 7, 9, 15, 16, 31, 33], 5))
def test_every_number_of_lanes(engine, count: int) -> None:
    source = random.Random(count)
    scalars = [source.randrange(ORDER) for _ in range(count)]
    messages = [source.randbytes(9) for _ in range(count)]
    points = ristretto.hash_to_group(messages, b"tag")
    plain_points = [plain.map_to_group(row) for row in rows_of(ristretto.expand(messages, b"tag"))]
    assert rows_of(points) == [plain.encode(point) for point in plain_points]
    products = [
        plain.encode(plain.multiply(k, point))
        for k, point in zip(scalars, plain_points, strict=True)
    ]
    assert rows_of(ristretto.multiply(points, scalars_of(scalars))) == products
    assert rows_of(ristretto.hash_and_multiply(messages, b"tag", scalars_of(scalars))) == products
    assert ristretto.invalid(points) == 0
    assert ristretto.weighted_sum(points, scalars_of(scalars)) == expected_sum(
        scalars, rows_of(points)
    )
    assert ristretto.multiply_base(scalars_of(scalars)).shape == (count, 32)
    if count:
        one = ristretto.hash_and_multiply(messages, b"tag", scalars_of(scalars[:1]))
        assert rows_of(one)[0] == products[0]


def test_many_rows_on_all_cores(kernel, monkeypatch) -> None:
    """Several blocks and slices: twice, by different ways, and a few rows in Python."""
    monkeypatch.setattr(ristretto, "engine", lambda: kernel)
    count = 3000
    source = np.random.default_rng(1)
    scalars = ristretto.reduce(source.integers(0, 256, (count, 64), np.uint8))
    messages = [b"%d" % i for i in range(count)]
    points = ristretto.hash_to_group(messages, b"tag")
    products = ristretto.multiply(points, scalars)
    assert np.array_equal(ristretto.hash_and_multiply(messages, b"tag", scalars), products)
    for i in range(0, count, 501):
        scalar = int.from_bytes(scalars[i].tobytes(), "little")
        assert products[i].tobytes() == expected(scalar, points[i].tobytes())
    total = ristretto.weighted_sum(products, scalars_of([1] * count))
    assert ristretto.weighted_sum(points, scalars) == total
    damaged = products.copy()
    damaged[::7, 31] |= 128
    assert ristretto.invalid(damaged) == len(damaged[::7])


def test_sums_that_vanish(engine) -> None:
    points = from_rows([BASE] * 2, 32)
    assert ristretto.weighted_sum(points, scalars_of([1, ORDER - 1])) == bytes(32)
    assert ristretto.weighted_sum(points, scalars_of([0, 0])) == bytes(32)
    many = from_rows([BASE] * 5000, 32)
    assert ristretto.weighted_sum(many, scalars_of([1, ORDER - 1] * 2500)) == bytes(32)


def test_reduce(engine) -> None:
    source = random.Random(1)
    values = [source.getrandbits(512) for _ in range(50)]
    edges = [0, 1, 2**512 - 1, 2**511, 2**256, 2**252, ORDER**2, 2**512 // ORDER * ORDER]
    values += [v + d for v in edges for d in (-1, 0, 1) if 0 <= v + d < 2**512]
    values += [k * ORDER + d for k in (1, 2, 3, 15, 16, 2**64, 2**259) for d in (-1, 0, 1)]
    found = ristretto.reduce(from_rows([v.to_bytes(64, "little") for v in values], 64))
    assert rows_of(found) == [(v % ORDER).to_bytes(32, "little") for v in values]


@given(st.lists(st.tuples(st.integers(0, ORDER - 1), st.binary(max_size=40)), max_size=20))
@fixed
def test_products_of_sums(engine, rows) -> None:
    """a (b P) is (a b) P, and a P + b P is (a + b) P."""
    if not rows:
        return
    a = [scalar for scalar, _ in rows]
    b = [3 * scalar % ORDER or 1 for scalar in reversed(a)]
    points = ristretto.hash_to_group([message for _, message in rows], b"tag")
    by_b = ristretto.multiply(points, scalars_of(b))
    product = [x * y % ORDER for x, y in zip(a, b, strict=True)]
    assert np.array_equal(
        ristretto.multiply(by_b, scalars_of(a)), ristretto.multiply(points, scalars_of(product))
    )
    for i, point in enumerate(rows_of(points)):
        both = ristretto.weighted_sum(from_rows([point, point], 32), scalars_of([a[i], b[i]]))
        total = scalars_of([(a[i] + b[i]) % ORDER])
        assert both == ristretto.multiply(from_rows([point], 32), total).tobytes()


LIMB_EDGES = [0, 1, 2, 2**50, 2**51 - 19, 2**51 - 1, 2**51, 2**51 + 2**16 - 1, 2**52 - 1]


def test_field_at_its_bounds(kernel) -> None:
    """Limbs as large as a product takes them, and all that lead to long carries."""
    source = random.Random(1)
    limbs = [[limb] * 5 for limb in LIMB_EDGES]
    limbs += [[source.choice(LIMB_EDGES) for _ in range(5)] for _ in range(1500)]
    limbs += [[source.getrandbits(52) for _ in range(5)] for _ in range(500)]
    limbs += [[P >> 51 * i & (2**51 - 1) for i in range(5)]]
    others = [source.choice(limbs[:600]) for _ in limbs]
    out = np.empty((len(limbs), 19), np.uint64)
    kernel.field(out, np.array(limbs, np.uint64), np.array(others, np.uint64))

    def number(row) -> int:
        return sum(limb << 51 * i for i, limb in enumerate(row))

    for a, b, row in zip(map(number, limbs), map(number, others), out.tolist(), strict=True):
        assert number(row[:5]) % P == a * b % P
        assert number(row[5:10]) % P == a * a % P
        assert number(row[10:15]) % P == (a - b) % P
        assert max(row[:15]) < 2**51 + 2**16
        assert sum(word << 64 * i for i, word in enumerate(row[15:])) == a * b % P


XMD_TAG = b"QUUX-V01-CS02-with-expander-SHA512-256"


def expand_plainly(message: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9380, section 5.3.1, with SHA-512."""
    dst += bytes([len(dst)])
    b_0 = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + b"\0" + dst).digest()
    blocks = [hashlib.sha512(b_0 + b"\1" + dst).digest()]
    for i in range(2, -(-length // 64) + 1):
        mixed = bytes(x ^ y for x, y in zip(b_0, blocks[-1], strict=True))
        blocks.append(hashlib.sha512(mixed + bytes([i]) + dst).digest())
    return b"".join(blocks)[:length]


@pytest.mark.parametrize(
    "message, length, digest",
    [
        (b"", 32, "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba"),
        (b"abc", 32, "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc"),
        (
            b"abcdef0123456789",
            32,
            "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58",
        ),
        (
            b"q128_" + b"q" * 128,
            32,
            "7336234ee9983902440f6bc35b348352013becd88938d2afec44311caf8356b3",
        ),
        (
            b"a512_" + b"a" * 512,
            32,
            "57b5f7e766d5be68a6bfe1768e3c2b7f1228b3e4b3134956dd73a59b954c66f4",
        ),
        (
            b"",
            128,
            "41b037d1734a5f8df225dd8c7de38f851efdb45c372887be655212d07251b921b052b62eaed99b46f72f2e"
            "f4cc96bfaf254ebbbec091e1a3b9e4fb5e5b619d2e0c5414800a1d882b62bb5cd1778f098b8eb6cb399d5d"
            "9d18f5d5842cf5d13d7eb00a7cff859b605da678b318bd0e65ebff70bec88c753b159a805d2c89c55961",
        ),
    ],
)
def test_expand_message_xmd_of_rfc_9380(message: bytes, length: int, digest: str) -> None:
    """Appendix K.3. The length is hashed, too, and no vector has 64 bytes: so these are vectors for
    what the columns are compared with."""
    assert expand_plainly(message, XMD_TAG, length).hex() == digest


@pytest.mark.parametrize("by", ["compiled", "hashlib"])
@pytest.mark.parametrize("before", [b"", b"x", b"y" * 127, b"z" * 300])
def test_expand(by: str, before: bytes, monkeypatch) -> None:
    if by == "hashlib":
        monkeypatch.setattr(columnhashing, "_compiled", lambda: None)
    elif columnhashing._compiled() is None:
        pytest.skip("not compiled")
    messages = [bytes(n) + b"m" for n in range(300)]
    for dst in (XMD_TAG, b"t", b"t" * 255):
        found = rows_of(ristretto.expand(messages, dst, before))
        assert found == [expand_plainly(before + m, dst, 64) for m in messages]
    assert ristretto.expand([], XMD_TAG).shape == (0, 64)
    for dst in (b"", b"t" * 256):
        with pytest.raises(ValueError, match="tag"):
            ristretto.expand(messages, dst)


def test_scalars_have_to_be_below_the_order(engine) -> None:
    points = from_rows([BASE] * 9, 32)
    for value in (ORDER, ORDER + 1, 2**253, 2**256 - 1):
        bad = scalars_of([1] * 8 + [value])
        for call in (
            lambda bad=bad: ristretto.multiply(points, bad),
            lambda bad=bad: ristretto.multiply(points, bad[8:]),
            lambda bad=bad: ristretto.hash_and_multiply([b""] * 9, b"tag", bad),
            lambda bad=bad: ristretto.weighted_sum(points, bad),
        ):
            with pytest.raises(ValueError, match="below the group's order"):
                call()
    for count in (0, 2, 8, 10):
        with pytest.raises(ValueError):
            ristretto.multiply(points, scalars_of([1] * count))
        with pytest.raises(ValueError):
            ristretto.weighted_sum(points, scalars_of([1] * count))


def test_wrong_buffers_are_refused(kernel) -> None:
    """The extension itself checks lengths: nothing is read or written beyond them."""
    row, other, two = np.zeros((1, 32), np.uint8), np.zeros((1, 31), np.uint8), bytes(64)
    for call in (
        lambda: kernel.multiply(row, two, row),
        lambda: kernel.multiply(row, row, other),
        lambda: kernel.multiply(row, row, b""),
        lambda: kernel.multiply(row, row, two),
        lambda: kernel.multiply(row, other, row),
        lambda: kernel.multiply(other, row, row),
        lambda: kernel.map_multiply(row, row, row),
        lambda: kernel.map_multiply(row, two + two, row),
        lambda: kernel.map_multiply(row, two, two),
        lambda: kernel.map(row, row),
        lambda: kernel.map(other, two),
        lambda: kernel.bad(other),
        lambda: kernel.weighted_sum(row, two, row),
        lambda: kernel.weighted_sum(other, row, row),
        lambda: kernel.weighted_sum(row, row, two),
        lambda: kernel.reduce(row, row),
        lambda: kernel.reduce(other, two),
        lambda: kernel.field(row, bytes(40), bytes(40)),
        lambda: kernel.field(np.zeros(152, np.uint8), bytes(40), bytes(39)),
    ):
        with pytest.raises(ValueError, match="lengths"):
            call()
    with pytest.raises(TypeError, match="2 arguments instead of 3"):
        kernel.multiply(row, row)
    with pytest.raises((BufferError, TypeError)):
        kernel.multiply(bytes(32), row, row)
    with pytest.raises(TypeError):
        kernel.multiply(row, "", row)


def test_the_engine_is_the_one_that_modarith_chose(computed_by) -> None:
    name = chosen_engine().__name__.rpartition(".")[2]
    if computed_by in choice.KERNELS:
        assert name == computed_by
    else:
        assert name in ("portable", "libsodium")


def test_without_any_engine_an_error_says_what_to_install(monkeypatch) -> None:
    chosen_engine.cache_clear()
    monkeypatch.setattr(ristretto.choice, "import_module", _not_there)
    monkeypatch.setattr(libsodium, "available", lambda: False)
    with pytest.raises(InvalidValue, match="install libsodium"):
        chosen_engine()
    chosen_engine.cache_clear()


def _not_there(name: str):
    raise ImportError(name)
