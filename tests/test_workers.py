"""Column functions as workers of a cluster have them: the same as SQL's, with one secret each, and
Parquet files through them, killed and gone on with."""

from __future__ import annotations

import datetime
import os
import pickle
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pyarrow.fs import FileSelector, _MockFileSystem

import duckpriv
from duckpriv import DuckprivError, InvalidValue, KeyNotFound, Keyring, ProtocolError
from duckpriv.crypto.parallel import cores
from duckpriv.integrations.partitions import run_partitions
from duckpriv.integrations.workers import _WORK, ColumnFunction, column_function
from tests.test_docs import blocks

T = TypeVar("T")
IDS = ["ann", None, "Zoë", "x" * 3000, "", "bob"]
ROOT = Path(__file__).parent.parent
# What each function gets: its key, its rows as a query, and SQL for what it returns. `id` is here
# no column of the functions' own names, to show that columns can be named.
CASES = {
    "psi_id": (None, "SELECT who AS id FROM people", "psi_id(id)"),
    "oprf_token": ("oprf", "SELECT who AS id FROM people", "oprf_token(id, 'oprf')"),
    "oprf_blind": ("server", "SELECT who AS id FROM people", "oprf_blind(id, 'server')"),
    "oprf_evaluate": (
        "oprf",
        "SELECT list(oprf_blind(who, 'server') ORDER BY who) AS blinded FROM people "
        "WHERE who IS NOT NULL GROUP BY len(who) > 3 UNION ALL SELECT NULL",
        "oprf_evaluate(blinded, 'oprf').evaluated",
    ),
    "oprf_finalize": (
        "server",
        "SELECT ids, blinded, e.evaluated AS evaluated, e.proof AS proof FROM ("
        "  SELECT ids, blinded, oprf_evaluate(blinded, 'oprf') AS e FROM ("
        "    SELECT list(who) AS ids, list(oprf_blind(who, 'server')) AS blinded FROM people "
        "    WHERE who IS NOT NULL GROUP BY len(who) > 3))",
        "list_transform(ids, lambda x: oprf_token(x, 'oprf'))",
    ),
    "rsa_token": ("mine", "SELECT who AS id FROM people", "rsa_token(id, 'mine')"),
    "rsa_blind": ("host", "SELECT who AS id FROM people", "rsa_blind(id, 'host')"),
    "blind_sign": (
        "mine",
        "SELECT rsa_blind(who, 'host') AS blinded FROM people",
        "blind_sign(blinded, 'mine')",
    ),
    "rsa_finalize": (
        "host",
        "SELECT who AS id, blind_sign(rsa_blind(who, 'host'), 'mine') AS signed FROM people",
        "rsa_token(id, 'mine')",
    ),
    "paillier_encrypt": ("paillier", "SELECT x FROM (VALUES (1.5), (NULL), (-2)) t(x)", "x"),
}


def pickled_and_read(value: T) -> T:
    return pickle.loads(pickle.dumps(value))  # noqa: S301, of our own


@pytest.fixture
def bank(party: duckpriv.Party) -> duckpriv.Party:
    """The party with the public half of 'oprf' imported as 'server', as a peer would have it."""
    party.keyring.import_public("server", party.keyring.oprf.public("oprf").encoded, "oprf")
    return party


def made(party: duckpriv.Party, name: str, **more) -> ColumnFunction:
    key = CASES[name][0]
    how = {} if key is None else {"key": key, "session": "s1", "me": "bank"}
    return column_function(name, party.keyring, **how, **more)


def rows_of(party: duckpriv.Party, name: str) -> pa.Table:
    party.con.execute("CREATE OR REPLACE TEMP TABLE people AS SELECT unnest($1) AS who", [IDS])
    return party.con.sql(CASES[name][1]).to_arrow_table()


@pytest.mark.parametrize("name", CASES)
def test_a_worker_computes_what_sql_does(bank, name: str) -> None:
    rows = rows_of(bank, name)
    function = pickled_and_read(made(bank, name))
    frame = function(rows)
    assert frame.column_names == [*rows.column_names, function.result]
    assert frame.schema == function.schema(rows.schema)
    (batch,) = function.batches(iter(rows.combine_chunks().to_batches()))
    assert batch.schema == frame.schema
    shown = {
        "oprf_evaluate": f"{function.result}.evaluated",
        "paillier_encrypt": f"paillier_decrypt({function.result}, 'paillier')",
    }.get(name, function.result)
    got = bank.con.execute(f"SELECT {shown}, {CASES[name][2]} FROM frame").fetchall()
    assert len(got) == len(rows) and all(ours == theirs for ours, theirs in got)
    if name == "oprf_evaluate":
        verified = (
            f"oprf_verify(blinded, {function.result}.evaluated, {function.result}.proof, 'server')"
        )
        holds = bank.con.execute(f"SELECT {verified} FROM frame").fetchall()
        assert sorted(holds, key=str) == [(None,), (True,), (True,)]
    if name != "paillier_encrypt":
        random = {"oprf_evaluate"}
        again = batch.column(function.result), frame[function.result].combine_chunks()
        assert name in random or again[0].equals(again[1])


def test_every_function_is_tried() -> None:
    assert {*CASES} == {*_WORK}


IDS_BY_TYPE = {
    "texts": (pa.array([" Ann@X", "e\u0301", None, "  "]), "VARCHAR"),
    "large texts": (pa.array(["a", None], pa.large_string()), "VARCHAR"),
    "integers": (pa.array([-1, None, 7]), "BIGINT"),
    "dates": (pa.array([datetime.date(1990, 1, 2), datetime.date(900, 1, 2)]), "DATE"),
    "uuids": (pa.array([uuid.UUID(int=7).bytes], pa.uuid()), "UUID"),
    "lists": (pa.array([["a", "B"], ["a", None], [], None]), "VARCHAR[]"),
}


@pytest.mark.parametrize("what", IDS_BY_TYPE)
@pytest.mark.parametrize("kind", ["raw", "email", "phone"])
def test_ids_have_the_text_that_they_have_in_sql(bank, what: str, kind: str) -> None:
    ids, sql_type = IDS_BY_TYPE[what]
    frame = pa.table({"id": ids})
    ours = column_function("psi_id", kind=kind)(frame)["psi_id"].to_pylist()
    theirs = bank.con.execute(f"SELECT psi_id(id::{sql_type}, '{kind}') FROM frame").fetchall()
    assert ours == [text for (text,) in theirs]


def test_ids_of_several_columns(bank) -> None:
    people = pa.table({"mail": [" A@x", "b", None], "born": [1990, None, 3], "n": [1, 2, 3]})
    function = column_function("psi_id", columns=["mail", "born"], kind="email,raw")
    theirs = bank.con.execute(
        "SELECT psi_id FROM psi_ids('people', 'mail, born', kind := 'email, raw')"
    )
    assert function(people)["psi_id"].to_pylist() == [text for (text,) in theirs.fetchall()]


def secrets_in(keyring: Keyring) -> dict[str, list[bytes]]:
    """Every private file of a keyring, as it stands there and with its numbers in bytes."""
    found = {}
    for file in keyring.path.iterdir():
        data = file.read_bytes()
        if ".public" in file.name or file.name.endswith(".modulus"):
            continue
        forms = [data]
        if data.startswith(b"-----BEGIN"):
            numbers = load_pem_private_key(data, None).private_numbers()
            for x in (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1):
                length = (x.bit_length() + 7) // 8
                forms += [x.to_bytes(length, "big"), x.to_bytes(length, "little")]
        else:
            forms.append(data[-32:])
        found[file.name] = forms
    return found


NEEDED = {
    "psi_id": set(),
    "oprf_token": {"oprf.oprf.private"},
    "oprf_evaluate": {"oprf.oprf.private"},
    "oprf_blind": {"blinding-s1-bank.secret"},
    "oprf_finalize": {"blinding-s1-bank.secret"},
    "rsa_token": {"mine.private.pem", "paillier.paillier.private.pem"},  # with the same p and q
    "blind_sign": {"mine.private.pem", "paillier.paillier.private.pem"},
    "rsa_blind": {"blinding-s1-bank.secret"},
    "rsa_finalize": {"blinding-s1-bank.secret"},
    "paillier_encrypt": set(),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pickled_function_has_the_secret_that_it_needs_and_no_other(bank, name: str) -> None:
    keyring = bank.keyring
    keyring.oprf.generate("another")
    keyring.create_identity("bank")
    keyring.journal_secret()
    for session in ("s1", "s2"):
        keyring.secret(f"blinding-{session}-bank")
    made(bank, name)(rows_of(bank, name))  # what it remembers does not go along
    pickled = pickle.dumps(made(bank, name))
    held = secrets_in(keyring)
    assert len(held) > 12
    assert {file for file, forms in held.items() if any(f in pickled for f in forms)} == NEEDED[
        name
    ]
    function = made(bank, name)
    for shown in (repr(function), str(function), function.digest):
        assert not any(
            repr(form)[2:-1] in shown or form.hex() in shown
            for forms in held.values()
            for form in forms
        )


REFUSED = {
    "an unknown function": (("oprf_keygen",), {}, "do not know the function 'oprf_keygen'"),
    "no key": (("oprf_token",), {}, "needs a keyring, the name of a key and a session"),
    "no party": (("oprf_blind",), {"key": "server", "session": "s1"}, "blinds for one party"),
    "too many columns": (
        ("oprf_token",),
        {"key": "oprf", "session": "s1", "columns": ["a", "b"]},
        "reads 1 columns: id",
    ),
    "an unknown setting": (("psi_id",), {"sort": "email"}, "no setting 'sort'; it has kind"),
    "an unknown kind": (("psi_id",), {"kind": "fax"}, "the kinds are raw"),
    "no threads": (("psi_id",), {"threads": 0}, "threads is a number from 1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused(bank, what: str) -> None:
    (name,), how, error = REFUSED[what]
    with pytest.raises(InvalidValue, match=error):
        column_function(name, bank.keyring, **how)


def test_a_key_that_is_not_there(bank) -> None:
    with pytest.raises(KeyNotFound, match="needs a private key"):
        column_function("oprf_token", bank.keyring, key="server", session="s1")


def test_rows_that_do_not_fit(bank) -> None:
    function = made(bank, "oprf_token")
    for rows, error in (
        (pa.table({"a": ["x"]}), "reads the column 'id', and there is none"),
        (pa.table({"id": ["x"], "token": [1]}), "have a column 'token' already"),
        (pa.table({"id": [1.5]}), "type double cannot be matched here"),
    ):
        with pytest.raises(InvalidValue, match=error):
            function(rows)
    evaluate = made(bank, "oprf_evaluate")
    with pytest.raises(InvalidValue, match="the column 'blinded' is of the Arrow type string"):
        evaluate(pa.table({"blinded": ["x"]}))
    with pytest.raises(DuckprivError, match="encode no element") as caught:
        evaluate(pa.table({"blinded": [[b"\xff" * 32]]}))
    again = pickled_and_read(caught.value)
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_errors_of_all_kinds_pickle() -> None:
    for error in (InvalidValue("a"), ProtocolError("b"), KeyNotFound("c")):
        again = pickled_and_read(error)
        assert (type(again), str(again), again.message) == (type(error), str(error), error.message)


def test_a_worker_computes_on_its_own_number_of_threads(bank, monkeypatch) -> None:
    seen = []
    monkeypatch.setenv("DUCKPRIV_THREADS", "7")
    monkeypatch.setattr(
        "duckpriv.integrations.workers.id_texts", lambda ids, kind: seen.append(cores()) or ids
    )
    for number in (1, 3):
        made(bank, "psi_id", threads=number)(pa.table({"id": ["a"]}))
    assert seen == [1, 3]
    assert cores() == 7


# Partitions.


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    ring = Keyring(tmp_path / "keys")
    ring.oprf.generate("oprf")
    ring.oprf.generate("other")
    return ring


def token(keyring: Keyring, key: str = "oprf", session: str = "s1") -> ColumnFunction:
    return column_function("oprf_token", keyring, key=key, session=session)


def write_ids(folder: Path, files: int = 3, rows: int = 5) -> list[str]:
    folder.mkdir()
    for i in range(files):
        ids = pa.table({"id": [f"p{i}-{j}" for j in range(rows)]})
        pq.write_table(ids, folder / f"part-{i}.parquet")
    return [f"p{i}-{j}" for i in range(files) for j in range(rows)]


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def tokens_in(folder: Path) -> dict[str, bytes]:
    with duckdb.connect() as con:
        rows = con.execute(f"SELECT id, token FROM read_parquet('{folder}/*.parquet')").fetchall()
    assert len(rows) == len(dict(rows))
    return dict(rows)


def tokens_of(ids: list[str], keyring: Keyring) -> dict[str, bytes]:
    """By DuckDB."""
    with duckpriv.connect(keyring=keyring.path, session="s1") as party:
        return dict(
            party.con.execute(
                "SELECT id, oprf_token(id, 'oprf') FROM (SELECT unnest($1) AS id)", [ids]
            ).fetchall()
        )


KILLED = """
import os, signal, sys
from duckpriv import Keyring
from duckpriv.integrations import partitions
from tests.test_workers import token
flush, files = partitions._flush, []
def dies(file):
    files.append(file)
    if len(files) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(file)
partitions._flush = dies
partitions.run_partitions("in/*.parquet", "out", token(Keyring("keys")), batch=2)
"""


def test_a_run_that_was_killed_goes_on(tmp_path: Path, keyring: Keyring) -> None:
    ids = write_ids(tmp_path / "in")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert killed.returncode == -signal.SIGKILL
    out = tmp_path / "out"
    first, second = out / "part-0.parquet", out / "part-1.parquet"
    assert first.exists() and not second.exists()
    assert len([*out.glob(".part-1.parquet.*.partial")]) == 1
    before = first.stat()
    done = run_partitions(f"{tmp_path}/in/*.parquet", out, token(keyring), progress=False)
    assert [(Path(one.target).name, one.rows, one.skipped) for one in done] == [
        ("part-0.parquet", 5, True),
        ("part-1.parquet", 5, False),
        ("part-2.parquet", 5, False),
    ]
    assert first.stat().st_mtime_ns == before.st_mtime_ns
    assert names_in(out) == [f"part-{i}.parquet" for i in range(3)]
    assert tokens_in(out) == tokens_of(ids, keyring)


def test_a_file_that_fails_is_not_there(tmp_path: Path, keyring: Keyring) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"id": [1.5]}), tmp_path / "in" / "a.parquet")
    with pytest.raises(InvalidValue, match="cannot be matched here"):
        run_partitions(tmp_path / "in/a.parquet", tmp_path / "out", token(keyring))
    assert names_in(tmp_path / "out") == []


def test_what_belongs_to_something_else_is_refused(tmp_path: Path, keyring: Keyring) -> None:
    write_ids(tmp_path / "in", files=1)
    source, out = tmp_path / "in" / "part-0.parquet", tmp_path / "out"

    def refused(function: ColumnFunction, error: str) -> None:
        before = (out / "part-0.parquet").read_bytes()
        with pytest.raises(InvalidValue, match=error):
            run_partitions(source, out, function)
        assert (out / "part-0.parquet").read_bytes() == before

    run_partitions(source, out, token(keyring))
    (done,) = run_partitions(source, out, token(keyring))
    assert done.skipped
    refused(token(keyring, session="s2"), "by another session")
    refused(token(keyring, key="other"), "with another key or other settings")
    refused(column_function("psi_id"), "by another function")
    pq.write_table(pa.table({"id": ["somebody else"]}), source)
    refused(token(keyring), "of another input")
    pq.write_table(pa.table({"id": ["x"], "token": [b"x"]}), out / "part-0.parquet")
    refused(token(keyring), "by something else")
    (out / "part-0.parquet").write_bytes(b"PAR1 cut off")
    refused(token(keyring), "by something else")


def test_blinding_of_another_keyring_is_another_one(tmp_path: Path, keyring: Keyring) -> None:
    public = keyring.oprf.public("oprf").encoded
    digests = set()
    for name in ("one", "two"):
        ring = Keyring(tmp_path / name)
        ring.import_public("server", public, "oprf")
        how = {"key": "server", "session": "s1", "me": "shop"}
        digests |= {column_function("oprf_blind", ring, **how).digest for _ in range(2)}
    assert len(digests) == 2


def test_folders_that_mix_are_refused_before_anything_is_computed(tmp_path, keyring) -> None:
    write_ids(tmp_path / "in", files=2)
    write_ids(tmp_path / "more", files=1)
    out = tmp_path / "out"
    out.mkdir()
    pq.write_table(pa.table({"id": ["left over"]}), out / "part-7.parquet")
    everything = f"{tmp_path}/in/*.parquet"
    for inputs, output, error in (
        (everything, out, "has part-7.parquet, which is of none of these inputs"),
        ([everything, tmp_path / "more/part-0.parquet"], tmp_path / "new", "have the name part-0"),
        (everything, tmp_path / "in", "would replace the input"),
        (f"file://{everything}", f"file://{tmp_path}/in", "would replace the input"),
        (f"{tmp_path}/in/*.csv", tmp_path / "new", "no input file"),
    ):
        with pytest.raises(InvalidValue, match=error):
            run_partitions(inputs, output, token(keyring))
    assert names_in(out) == ["part-7.parquet"]


def test_a_footer_tells_no_secret(tmp_path: Path, keyring: Keyring) -> None:
    keyring.import_public("server", keyring.oprf.public("oprf").encoded, "oprf")
    write_ids(tmp_path / "in", files=1)
    blind = column_function("oprf_blind", keyring, key="server", session="s1", me="shop")
    for name, function in (("tokens", token(keyring)), ("blinded", blind)):
        run_partitions(tmp_path / "in/part-0.parquet", tmp_path / name, function)
        written = (tmp_path / name / "part-0.parquet").read_bytes()
        assert b'"session": "s1"' in written
        for forms in secrets_in(keyring).values():
            assert not any(f in written or f.hex().encode() in written for f in forms)


def test_files_in_a_store_that_cannot_rename(tmp_path: Path, keyring: Keyring) -> None:
    ids = write_ids(tmp_path / "local", files=2)
    store = _MockFileSystem()
    store.create_dir("bucket/in")
    for file in (tmp_path / "local").iterdir():
        with store.open_output_stream(f"bucket/in/{file.name}") as stream:
            stream.write(file.read_bytes())
    for skipped in (False, True):
        done = run_partitions("bucket/in/*.parquet", "bucket/out", token(keyring), filesystem=store)
        assert [one.skipped for one in done] == [skipped] * 2
    found = store.get_file_info(FileSelector("bucket/out"))
    assert sorted(info.base_name for info in found) == ["part-0.parquet", "part-1.parquet"]
    table = pa.concat_tables(pq.read_table(store.open_input_file(info.path)) for info in found)
    assert dict(zip(table["id"].to_pylist(), table["token"].to_pylist(), strict=True)) == tokens_of(
        ids, keyring
    )


def test_names_in_an_address_stand_for_themselves(tmp_path: Path) -> None:
    function = column_function("psi_id", columns=["id"])
    given = {"a%41.parquet": "first", "aA.parquet": "second", "x%2F..%2Fb c.parquet": "third"}
    for name, value in given.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        pq.write_table(pa.table({"id": [value]}), tmp_path / "in" / name)
    where = tmp_path.as_uri()
    done = run_partitions(f"{where}/in/*.parquet", f"{where}/out", function, progress=False)
    assert not any(one.skipped for one in done)
    made = {f.name: pq.read_table(f)["psi_id"].to_pylist() for f in (tmp_path / "out").iterdir()}
    assert made == {name: [value] for name, value in given.items()}
    with pytest.raises(InvalidValue, match="no password") as caught:
        run_partitions("s3://KEY:SECRET/x@bucket/*.parquet", "out", function, progress=False)
    assert "SECRET" not in str(caught.value)


def test_the_first_snippet_of_the_page_on_scale_runs(tmp_path: Path) -> None:
    code = blocks((ROOT / "docs" / "scale.md").read_text(), "python")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "token: binary" in done.stdout
    assert len(tokens_in(tmp_path / "tokens")) == 4000


def test_the_sql_on_that_page_is_in_the_example() -> None:
    (quoted,) = blocks((ROOT / "docs" / "scale.md").read_text(), "sql")
    script = re.sub(r"\s+", "", (ROOT / "examples/scale/sql/guest_send.sql").read_text())
    for part in quoted.split("\n\n"):
        head, *body = part.splitlines()
        assert re.sub(r"\s+", "", head) in script
        assert re.sub(r"\s+", "", "\n".join(body)) in script
