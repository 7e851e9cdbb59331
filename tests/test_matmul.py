"""The product of two private matrices: both orientations, exact, checked, and what is seen."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import duckpriv
from duckpriv import DuckprivError, ExchangeTimeout, InvalidValue, ProtocolError
from duckpriv.columns.ciphertext import read_masked
from tests.effort import THOROUGH, examples, takes_long, thorough
from tests.plain import integer_product

RING = 2**64


def multiply(side: str, folder: str, matrix: list, columns: int, **variables: object) -> dict:
    """Run one side in this process; return its tables, or the error."""
    other = "right" if side == "left" else "left"
    base = Path(folder)
    with duckpriv.connect(
        base / f"{side}.duckdb",
        me=side,
        exchange=f"dir:{base / 'mailbox'}",
        keyring=base / f"{side}.keys",
        session="s",
        timeout=float(variables.pop("timeout", 60)),
        unprotected=True,
    ) as party:
        names = ", ".join(f"c{i} DOUBLE" for i in range(columns))
        party.con.execute(f"CREATE TABLE m (name VARCHAR, {names})")
        for i, row in enumerate(matrix):
            marks = ", ".join("?" for _ in range(columns + 1))
            party.con.execute(f"INSERT INTO m VALUES ({marks})", [f"{side}-{i:03}", *row])
        variables.setdefault("bits", 2048)
        try:
            summary = party.run(
                f"matmul/{side}", **{"peer": other, "table": "m", "id": "name", **variables}
            )
        except DuckprivError as error:
            return {"error": error}
        return {
            "summary": summary[0],
            "share": party.con.execute("FROM product_share ORDER BY id").fetchall(),
            "product": party.con.execute("FROM product ORDER BY id").fetchall(),
        }


@pytest.fixture(scope="module")
def processes():
    context = get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as left,
        ProcessPoolExecutor(1, mp_context=context) as right,
    ):
        yield left, right


@pytest.fixture
def two(processes, tmp_path_factory):
    """Run left and right, each in a process of its own."""

    def run(x, w, columns=None, folder=None, left=None, right=None, **both):
        where = str(folder or tmp_path_factory.mktemp("matmul"))
        sizes = columns or (len(x[0]), len(w[0]))
        jobs = [
            process.submit(multiply, side, where, matrix, size, **both, **(own or {}))
            for process, side, matrix, size, own in zip(
                processes, ("left", "right"), (x, w), sizes, (left, right), strict=True
            )
        ]
        return tuple(job.result() for job in jobs)

    return run


def check(left: dict, right: dict, x, w) -> None:
    assert "error" not in left, left
    assert "error" not in right, right
    scale = left["summary"]["scale"]
    assert right["summary"]["scale"] == scale
    expected = integer_product(x, w, scale)
    for a, b, row in zip(left["share"], right["share"], expected, strict=True):
        assert [(u + v) % RING for u, v in zip(a[1], b[1], strict=True)] == [e % RING for e in row]
    for side in (left, right):
        for (_, values), row in zip(side["product"], expected, strict=False):
            assert values == [e / 2 ** (2 * scale) for e in row]  # bit for bit


values = st.floats(-1000, 1000, allow_nan=False) | st.sampled_from([0.0, -0.0, 1e-7, -999.9999])


@st.composite
def matrices(draw):
    m, k, n = (draw(st.integers(low, 7)) for low in (0, 1, 1))
    element = draw(st.sampled_from([values, st.just(0.0), st.sampled_from([1.0, -1.0])]))
    x, w = (
        [[draw(element) for _ in range(columns)] for _ in range(rows)]
        for rows, columns in ((m, k), (k, n))
    )
    return x, w, (k, n)


@takes_long
@settings(max_examples=examples(1), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=matrices(), bits=st.sampled_from([2048, 2048, 3072]))
@example(data=([], [[1.0], [2.0]], (2, 1)), bits=2048)
@example(data=([[1.5, -2.5]], [[0.5] * 30, [-0.25] * 30], (2, 30)), bits=3072)
def test_any_matrices(two, data, bits: int) -> None:
    x, w, columns = data
    left, right = two(x, w, columns=columns, bits=bits, reveal="both")
    check(left, right, x, w)
    assert len(left["product"]) == len(right["product"]) == len(x)


SHAPES = {"left": (3, 4, 9), "right": (9, 4, 3)}


@pytest.mark.parametrize("encrypts", SHAPES)
@pytest.mark.parametrize("reveal", ["both", *thorough("left", "none", "right")])
def test_who_encrypts_and_who_sees_what(two, tmp_path, encrypts: str, reveal: str) -> None:
    m, k, n = SHAPES[encrypts]
    random = np.random.default_rng(1)
    x, w = random.normal(size=(m, k)).tolist(), random.normal(size=(k, n)).tolist()
    share_ids = "yes" if reveal == "right" else "no"
    left, right = two(x, w, folder=tmp_path, reveal=reveal, share_ids=share_ids)
    check(left, right, x, w)
    assert left["summary"]["encrypted"] == right["summary"]["encrypted"] == encrypts
    assert len(left["product"]) == (m if reveal in ("left", "both") else 0)
    assert len(right["product"]) == (m if reveal in ("right", "both") else 0)
    assert [id_ for id_, _ in left["share"]] == [f"left-{i:03}" for i in range(m)]
    rows = [f"left-{i:03}" if share_ids == "yes" else str(i + 1) for i in range(m)]
    assert [id_ for id_, _ in right["share"]] == rows
    # Only what reveal and share_ids allow is in the mailbox.
    mailbox = tmp_path / "mailbox/s"

    def sent(place: str) -> int:
        return pa.ipc.open_stream((mailbox / f"{place}.arrow").read_bytes()).read_all().num_rows

    assert sent("left/right/matmul.left-share") == (m if reveal in ("right", "both") else 0)
    assert sent("right/left/matmul.right-share") == (m if reveal in ("left", "both") else 0)
    assert sent("left/right/matmul.ids") == (m if share_ids == "yes" else 0)
    assert sent("left/right/matmul.left-encrypted") == (k if encrypts == "left" else 0)
    assert sent("right/left/matmul.right-encrypted") == (k if encrypts == "right" else 0)
    assert sent("left/right/matmul.left-masked") == (m if encrypts == "right" else 0)
    assert sent("right/left/matmul.right-masked") == (n if encrypts == "left" else 0)


@pytest.mark.parametrize("encrypts", ["right", *thorough("left")])
def test_what_comes_back_is_masked_modulo_n(two, tmp_path, encrypts: str) -> None:
    """For a product that is all zeros. tests/test_masking.py shows that masks are uniform."""
    m, k, n = SHAPES[encrypts]
    x, w = [[0.0] * k for _ in range(m)], [[0.0] * n for _ in range(k)]
    two(x, w, folder=tmp_path)
    evaluator = "right" if encrypts == "left" else "left"
    file = tmp_path / f"mailbox/s/{evaluator}/{encrypts}/matmul.{evaluator}-masked.arrow"
    blobs = pa.ipc.open_stream(file.read_bytes()).read_all()["ct"].to_pylist()
    assert len(set(blobs)) == len(blobs)
    private = duckpriv.Keyring(tmp_path / f"{encrypts}.keys").paillier.private(
        f"matmul-s-{encrypts}"
    )
    _, bodies = read_masked(blobs, private.public)
    n = private.public.key.modulus
    assert all(m % n > n >> 40 for m in private.key.decrypt(bodies))


@takes_long
def test_shares_are_uniform_and_fresh(two) -> None:
    shares = []
    for _ in range(2):
        left, right = two([[1.0, 2.0]] * 3, [[1.0] * 6] * 2)
        shares.append([u for _, row in (*left["share"], *right["share"]) for u in row])
    assert not set(shares[0]) & set(shares[1])
    assert max(shares[0]) > 2**62


BAD = {
    "dimensions": ([[1.0, 2.0]], [[1.0]] * 3, {}, ProtocolError, "2 columns and W 3 rows"),
    "too large": ([[1.0, 2.0**13]], [[1.0]] * 2, {}, ProtocolError, "stand in column 2 of"),
    "NaN": ([[float("nan")]], [[1.0]], {}, ProtocolError, "no NULL, NaN"),
    "infinity": ([[float("inf")]], [[1.0]], {}, ProtocolError, "no NULL, NaN"),
    "NULL": ([[None]], [[1.0]], {}, ProtocolError, "no NULL, NaN"),
    "reveal": ([[1.0]], [[1.0]], {"reveal": "all"}, ProtocolError, "reveal is"),
    "sigma": ([[1.0]], [[1.0]], {"sigma": 20}, InvalidValue, "sigma is 20"),
    "scale": ([[1.0]], [[1.0]], {"scale": -3}, ProtocolError, "use a scale of 0 to 500"),
    "bits": ([[1.0]], [[1.0] * 3], {"bits": 1024}, InvalidValue, "1024 bits"),
}


@pytest.mark.parametrize("name", BAD if THOROUGH else ["dimensions", "NULL"])
def test_bad_input_at_the_left(two, name: str) -> None:
    x, w, variables, error, text = BAD[name]
    same = {name: value for name, value in variables.items() if name in ("sigma", "scale")}
    left, right = two(x, w, timeout=2, left=variables, right=same)
    assert isinstance(left["error"], error), left
    assert text in str(left["error"])
    assert "error" in right


@pytest.mark.parametrize(
    "x, w, bound, scale",
    [
        (2.0**31 - 1, 2.0**31 - 1, 51, 0),
        *thorough(
            (-5000.0, 2000.0, 33, 18),
            (5000.0, 2000.0, 33, 18),
            (4096.0, 2048.0, 33, 18),
            (50_000.0, 100.0, 36, 15),
        ),
    ],
)
def test_large_products_are_right(two, x, w, bound, scale) -> None:
    """5000 by 2000 gave -6777216: the product had 64 bits at scale 40."""
    left, right = two([[x]], [[w]], reveal="left", bound=bound)
    check(left, right, [[x]], [[w]])
    assert left["summary"]["scale"] == scale
    assert left["product"][0][1] == [x * w]


def test_products_that_no_scale_fits_are_refused(two) -> None:
    left, right = two([[1.0] * 4], [[1.0]] * 4, bound=52, timeout=2)
    for result in (left, right):
        assert "do not fit into shares of 64 bits" in str(result["error"])


def test_different_settings_are_named(two) -> None:
    left, right = two(
        [[1.0]], [[1.0]], timeout=2, left={"reveal": "left"}, right={"reveal": "none"}
    )
    for result in (left, right):
        assert isinstance(result["error"], ProtocolError | ExchangeTimeout)
    assert any(
        "reveal=left" in str(r["error"]) and "reveal=none" in str(r["error"]) for r in (left, right)
    )


def test_a_repeated_id_is_refused(connect) -> None:
    party = connect("left", timeout=0.2)
    party.con.execute("CREATE TABLE m AS SELECT 1 AS id, 2.0 AS x UNION ALL SELECT 1, 3.0")
    with pytest.raises(ProtocolError, match="an id of its own"):
        party.run("matmul/left", peer="right", table="m", id="id")
