"""What goes wrong around a run, the disk, the database, the terminal, says what to do; and what is
refused is refused before anything is sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import duckdb
import pytest

import duckpriv
from duckpriv import InvalidValue, KeyMismatch, Keyring
from duckpriv.cli import main
from duckpriv.cli.output import _Output
from duckpriv.disk import at, explained
from duckpriv.keys import Identity
from duckpriv.parser import statements
from duckpriv.scripts import load
from tests.effort import some, takes_long
from tests.parties import make_table
from tests.test_cli import DUCKPRIV, party, start

NAMESPACE = ["unshare", "--map-root-user", "--mount"]


def sent(folder: Path) -> list[Path]:
    """The manifests below a mailbox."""
    return [file for file in folder.rglob("*.json") if file.name != "status.json"]


def database(path: Path, ids: list) -> Path:
    with duckdb.connect(path) as con:
        make_table(con, ids)
    return path


# A database for reading only


@takes_long
def test_a_database_for_reading_only_and_both_ways_around_it(tmp_path) -> None:
    """The error's own SQL makes a view in a database that the command line takes; and a connection
    in memory works with the file attached."""
    bank = database(tmp_path / "their bank.duckdb", ["a", "b"])
    shop = database(tmp_path / "their shop.duckdb", ["b", "c"])
    settings = {"keyring": tmp_path / "bank.keys", "session": "s1", "unprotected": True}
    with (
        duckdb.connect(shop, read_only=True) as con,
        pytest.raises(InvalidValue, match="open for reading only; results") as refused,
    ):
        duckpriv.register(con, **settings)
    create = re.search(r"CREATE VIEW t AS FROM read_duckdb\(.*?\)", str(refused.value))
    with duckdb.connect(tmp_path / "shop.duckdb") as con:
        con.execute(create[0].replace("'t'", "'people'").replace("VIEW t", "VIEW people"))
    before = {file: file.read_bytes() for file in (bank, shop)}

    guest = start(tmp_path, *party("guest"))
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{bank}' AS data (READ_ONLY)")
        host = duckpriv.register(con, me="bank", exchange=f"dir:{tmp_path}/mailbox", **settings)
        host.run("psi/host", peer="shop", table="data.people", id="id", bits=2048)
        assert con.execute("SELECT id FROM alignment ORDER BY id").fetchall() == [("a",), ("b",)]
        host.close()
    output, errors = guest.communicate(timeout=60)
    assert guest.returncode == 0, errors
    assert "matched 1, host_only 1" in output
    assert before == {file: file.read_bytes() for file in (bank, shop)}


def test_a_database_that_is_used_and_attached_for_reading_only(tmp_path) -> None:
    file = database(tmp_path / "x.duckdb", ["a"])
    settings = {"keyring": tmp_path / "k", "session": "s", "me": "bank", "unprotected": True}
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{file}' AS data (READ_ONLY); USE data")
        duckpriv.register(con, keyring=tmp_path / "k", session="s")  # nothing is to be written
        assert con.execute("SELECT duckpriv.psi_id(id) FROM people").fetchall() == [("a",)]
        with pytest.raises(InvalidValue, match="for reading only"):
            duckpriv.register(con, exchange=f"dir:{tmp_path}/mailbox", **settings)
        con.execute("USE memory")
        with duckpriv.register(con, exchange=f"dir:{tmp_path}/mailbox", **settings) as one:
            con.execute("USE data")
            with pytest.raises(InvalidValue, match="for reading only"):
                one.run("psi/host", peer="shop", table="people", id="id")
    assert not sent(tmp_path)


def test_a_database_that_others_have_open(tmp_path) -> None:
    file = database(tmp_path / "x.duckdb", ["a"])
    program = f"import duckdb; con = duckdb.connect({str(file)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(InvalidValue, match=r"PID \d+.*; another process has it open: end that"):
            duckpriv.connect(file, keyring=tmp_path / "k")
        other.communicate(b"\n")
    with (
        duckdb.connect(file, read_only=True),
        pytest.raises(InvalidValue, match="close the connection that this process has"),
    ):
        duckpriv.connect(file, keyring=tmp_path / "k")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("folder", None, "is a folder; name a DuckDB file, such as .*folder/own.duckdb"),
        ("junk.duckdb", b"junk" * 5000, "not a valid DuckDB.*CREATE TABLE t AS FROM"),
        ("empty.duckdb", b"", "not a valid DuckDB.*CREATE TABLE t AS FROM"),
        ("no/x.duckdb", None, "make the folder .*no first"),
    ],
)
def test_a_file_that_is_no_database(tmp_path, name: str, content: bytes | None, text: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    elif name == "folder":
        (tmp_path / name).mkdir()
    with pytest.raises(InvalidValue, match=text):
        duckpriv.connect(tmp_path / name, keyring=tmp_path / "k")


# An open transaction


@pytest.mark.parametrize("failed", [False, True])
def test_an_open_transaction_is_refused_and_stays_as_it_is(tmp_path, failed: bool) -> None:
    settings = {
        **{"me": "bank", "exchange": f"dir:{tmp_path}/mailbox", "keyring": tmp_path / "k"},
        **{"session": "s", "unprotected": True, "timeout": 1},
    }
    text = "open transaction; COMMIT or ROLLBACK it first"
    with duckdb.connect(database(tmp_path / "x.duckdb", ["a"])) as con:

        def begin() -> None:
            con.execute("BEGIN; INSERT INTO people VALUES ('new', 1)")
            if failed:
                with pytest.raises(duckdb.Error):
                    con.execute("SELECT error('no')")

        begin()
        for about in (settings, {"keyring": tmp_path / "k"}):
            with pytest.raises(InvalidValue, match=text):
                duckpriv.register(con, **about)
        con.execute("ROLLBACK" if failed else "COMMIT")
        names = "SELECT count(*) FROM duckdb_databases() WHERE database_name = 'duckpriv'"
        assert con.execute(names).fetchall() == [(0,)]
        with duckpriv.register(con, **settings) as one:
            begin()
            with pytest.raises(InvalidValue, match=text):
                one.run("psi/host", peer="shop", table="people", id="id", bits=2048)
            con.execute("ROLLBACK")
            found = con.execute("SELECT count(*) FILTER (id = 'new') FROM people").fetchall()
            assert found == [(0 if failed else 1,)]
            assert not list((tmp_path / "k").glob("psi-*"))
            assert not sent(tmp_path)
            with pytest.raises(duckpriv.ExchangeTimeout):  # and now it runs
                one.run("psi/host", peer="shop", table="people", id="id", bits=2048)


# A full disk


@takes_long
def test_disks_that_are_full_or_closed_are_named_and_nothing_is_half_sent(tmp_path) -> None:
    if not shutil.which("unshare") or subprocess.run([*NAMESPACE, "true"]).returncode:
        pytest.skip("this system lets nobody mount a small file system of one's own")
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.disks", str(tmp_path)],
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    full = "DuckprivError: DUCKPRIV_ERROR: No space left on device: {}; make room there"
    temporary = full.format(tmp_path / "temporary")
    assert found["temporary"].startswith(f"{temporary}, or set the variable TMPDIR to another")
    assert found["left"] == []
    assert found["after"] == [[20000]]
    mailbox = tmp_path / "full-mailbox" / "s2" / "bank" / "shop"
    assert found["mailbox"] == f"{full.format(mailbox)}, and run again"
    assert set(found["half"]) <= {"status.json"}
    assert (found["again"], found["sent"]) == ("nothing", ["large.arrow", "large.json"])
    assert f"{tmp_path}/disk/x.duckdb" in found["database"]
    assert "make room there, and run again" in found["database"]
    assert found["nothing"] == []
    assert found["keyring"].startswith(full.format(tmp_path / "full-keys" / "keys"))
    assert "--keyring or DUCKPRIV_KEYRING names another folder" in found["keyring"]
    assert set(found["keys"]) <= {"keys"}
    assert f"temporary folder is {tmp_path}/spill/t: make room" in found["spill"]
    assert "SET temp_directory" in found["spill"]
    closed = tmp_path / "closed"
    view = f"CREATE VIEW t AS FROM read_duckdb('{closed}/x.duckdb', table_name := 't')"
    assert "Read-only file system; results and a journal" in found["closed database"]
    assert view in found["closed database"]
    assert "there is nothing to report" in found["closed report"]
    assert found["closed runs"] == "no runs are noted here\n"
    assert f"you may not write into {closed}, where messages" in found["closed mailbox"]
    assert found["closed keyring"] == (
        f"OSError: Read-only file system: {closed}/keys; see who may read and write there; "
        "--keyring or DUCKPRIV_KEYRING names another folder for keys"
    )


def test_an_error_of_writing_gets_the_name_that_it_lacks(tmp_path) -> None:
    private = Path(tempfile.gettempdir()) / "duckpriv-x" / "file"
    for path, text in (
        (tmp_path / "x" / "y", f"No space left on device: {tmp_path}/x; make room there, and run"),
        (private, f"device: {tempfile.gettempdir()}; make room there, or set the variable TMPDIR"),
    ):
        with pytest.raises(OSError, match="some detail") as raised, at(path, "or do so"), at(path):
            raise OSError(28, "some detail of a library")
        assert text in explained(raised.value)
        assert explained(raised.value).endswith("; or do so")
    assert explained(PermissionError(13, "x", "/a/.b.partial")) == (
        "Permission denied: /a; see who may read and write there"
    )
    assert explained(OSError("of a library")) == "input/output error: of a library"


def test_a_keyring_or_mailbox_that_is_a_file(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValue, match="the keyring .*file is a file; name a folder"):
        Keyring(tmp_path / "file").create_identity("bank")
    for path in ("file", "file/in"):
        with pytest.raises(
            InvalidValue, match=f"{path} cannot be a folder, since .*file is a file"
        ):
            duckpriv.connect(
                exchange=f"dir:{tmp_path}/{path}", me="bank", session="s", unprotected=True
            )


# Terminals, pipes and encodings

NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


@takes_long
def test_a_run_in_ascii_into_a_pipe_that_nobody_reads(tmp_path) -> None:
    """Names of files, tables and columns and ids are not ASCII; all output is."""
    environment = {**NO_UTF8, "TMPDIR": str(tmp_path / "tëmp")}
    (tmp_path / "tëmp").mkdir()
    for me in ("bänk", "shöp"):
        with duckdb.connect(tmp_path / f"{me}.duckdb") as con:
            con.execute("CREATE TABLE leüte AS SELECT 'ü' || i AS größe FROM range(3) t(i)")
    about = ("--set", "table=leüte", "--set", "id=größe")

    def command(role: str, name: str) -> subprocess.Popen[str]:
        more = ("--db", f"{name}.duckdb", "--keyring", f"{name}.keys", "--exchange", "dir:böx")
        bits = ("--set", "bits=2048") if role == "host" else ()
        return start(tmp_path, *party(role), *more, *about, *bits, **environment)

    host, guest = command("host", "bänk"), command("guest", "shöp")
    host.stdout.close()
    output, errors = guest.communicate(timeout=60)
    assert guest.returncode == 0, errors
    assert "matched 3, host_only 0" in output
    assert (output + errors).isascii()
    assert "host_key" in output
    assert "..." in output
    assert (host.wait(60), "Error" in host.stderr.read()) == (0, False)
    host.stderr.close()
    with duckdb.connect(tmp_path / "shöp.duckdb") as con:
        assert (
            len(con.execute("SELECT größe FROM leüte JOIN alignment ON id = größe").fetchall()) == 3
        )


@pytest.mark.parametrize("name", ["scripts", "functions"])
def test_listings_in_other_encodings(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["duckpriv", name])
    found = {}
    for encoding in ("utf-8", "latin-1", "ascii"):
        file = tmp_path / encoding
        with file.open("w", encoding=encoding) as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code == 0
        found[encoding] = file.read_text(encoding)
    for encoding in ("latin-1", "ascii"):
        expected = found["utf-8"].replace("…", "...").replace("→", "->")
        if encoding == "ascii":
            expected = expected.replace("·", "*")  # also where it multiplies
        expected = expected.encode(encoding, "backslashreplace").decode(encoding)
        assert found[encoding].split() == expected.split()


def test_output_that_cannot_be_written(tmp_path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([DUCKPRIV, "functions"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "not all output could be written: No space left on device; the command was carried out\n"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([DUCKPRIV, "functions"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    output, data, found = _Output(write, "wb"), bytes(range(256)) * 4000, bytearray()

    def reading() -> None:
        while chunk := os.read(read, 1 << 16):
            found.extend(chunk)

    reader = threading.Thread(target=reading)
    done = output.write(data)  # as much as fits
    assert 0 < done < len(data)
    reader.start()
    while done < len(data):
        done += output.write(data[done:])
    output.close()
    reader.join()
    os.close(read)
    assert found == data


@pytest.mark.parametrize("setting", [b"kind=\xfc", b"t\xfcr=x"])
def test_an_argument_in_another_encoding(tmp_path, setting: bytes) -> None:
    database(tmp_path / "shop.duckdb", ["a"])
    done = subprocess.run(
        [DUCKPRIV, *party("guest"), "--set", setting], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 2
    assert b"is not text in UTF-8" in done.stderr


# Nothing matched


def notes(tmp_path: Path, ids: list, matched: bool = False, **settings: str) -> list[str]:
    """What psi/guest would say of `ids`, by its own statements."""
    said: list[str] = []
    with duckpriv.connect(keyring=tmp_path / "k", session="s") as one:
        con = one.con
        for name, value in {"id": "id", "kind": "raw", **settings}.items():
            con.execute(f"SET VARIABLE {name} = '{value}'")
        con.execute("SET VARIABLE id_keys = duckpriv_key_columns(getvariable('id'))")
        con.execute("SET VARIABLE keys = len(getvariable('id_keys'))")
        con.execute("CREATE TABLE alignment (id VARCHAR)")
        if matched:
            con.execute("INSERT INTO alignment VALUES ('x')")
        con.execute("CREATE TABLE people (i INTEGER, id VARCHAR, b VARCHAR)")
        rows = [[i, *(x if isinstance(x, tuple) else (x, None))] for i, x in enumerate(ids)]
        if rows:
            con.executemany("INSERT INTO people VALUES ($1, $2, $3)", rows)
        con.execute(
            "CREATE TABLE psi_sequence AS SELECT row_number() OVER () AS seq, psi_id FROM "
            "(SELECT DISTINCT unnest(psi_ids) AS psi_id FROM psi_keys('people', getvariable('id'), "
            "kind := getvariable('kind'))) WHERE psi_id IS NOT NULL"
        )
        text = SHARED.read_text("utf-8").replace('"${result}"', "alignment")
        for statement in statements(text):
            said = [row[0] for row in con.execute(statement).fetchall()]
    return said


SHARED = Path(__file__).parent.parent / "sql" / "psi" / "shared" / "no_match.sql"
HINTS = {
    "unseen": (["a\u00a0b1", "\ufeffb2", "c\u200b3", "d4"], {}, "3 of 4 ids hold characters that"),
    "spaces": (["a ", "b", "\u3000c"], {}, "2 of 3 ids begin or end with a space; kind=trimmed"),
    "email": (
        ["Ann@x.org", "b@y.de", "c"],
        {},
        "2 of 3 ids look like e-mail addresses; kind=email",
    ),
    "no email": (["Ann@x.org", "bob"], {"kind": "email"}, "1 of 2 ids do not look like e-mail"),
    "letters": (["Ann", "12"], {"kind": "trimmed"}, "1 of 2 ids have letters, and kind=trimmed"),
    "phone": (["+49 170 1234", "0170/123456", "(030) 12345", "7"], {}, "3 of 4 ids look like tele"),
    "country": (["0170 123", "+49 170 124"], {"kind": "phone"}, "1 of 2 ids begin with 0, so they"),
    "zeros": (["007", "12", "x"], {}, "1 of 3 ids are digits that begin with 0; where the host"),
    "numbers": (["7", "12"], {}, "2 of 2 ids are digits that do not begin with 0; where the host"),
    "fractions": (["7.0", "1e+06", "7.5"], {}, "2 of 3 ids are written as fractions"),
    "dates": (["31.12.2024", "2024-12-31", "1/2/24", "2024-12-31 00:00:00"], {}, "3 of 4 ids look"),
    "wide": (["\uff11\uff12", "\u0661", "12"], {}, "2 of 3 ids hold wide or other digits"),
    "typographic": (["o\u2019neill", "a\u2013b", "c"], {}, "2 of 3 ids hold typographic dashes"),
    "quotes": (['"a"', "'b'", "c"], {}, "2 of 3 ids stand in quotation marks"),
    "columns": (
        [("Ann", "007"), ("bob", "08")],
        {"id": "id, b", "kind": "lower,raw"},
        "2 of 2 ids (b) are",
    ),
    "keys": (
        [("x@y.de", "030 1234567"), (None, "040/1234567")],
        {"id": "id; b", "kind": "email; lower"},
        "2 of 2 ids (b) look like telephone numbers; kind=phone",
    ),
}


@pytest.mark.parametrize("name", some(HINTS, 5))
def test_what_may_have_kept_ids_from_matching(tmp_path, name: str) -> None:
    ids, settings, text = HINTS[name]
    said = notes(tmp_path, ids, **settings)
    assert re.match("none of the [23456] ids is one of the host's", said[0])
    assert [note for note in said if note.startswith(text)], said
    parts = [part for id in ids for part in (id if isinstance(id, tuple) else (id,)) if part]
    shown = re.sub(r"^\d+ of \d+ |none of the \d+ ", "", "\n".join(said), flags=re.MULTILINE)
    assert not [part for part in parts if len(part) > 3 and part in shown and part != "2024-12-31"]
    assert notes(tmp_path, ids, matched=True, **settings) == []


def test_ids_that_show_nothing_odd(tmp_path) -> None:
    assert len(notes(tmp_path, ["a1", "b2"], kind="lower")) == 1
    assert notes(tmp_path, []) == []
    plain = notes(tmp_path, ["123.45", "2024-12-31"])
    assert len(plain) == 1, plain


def test_no_match_is_said_to_the_guest_alone(tmp_path) -> None:
    database(tmp_path / "bank.duckdb", ["007", "008"])
    database(tmp_path / "shop.duckdb", ["7", "8", "9"])
    host, guest = (
        start(tmp_path, *party("host", "--set", "bits=2048")),
        start(tmp_path, *party("guest")),
    )
    said, errors = zip(*(one.communicate(timeout=60) for one in (host, guest)), strict=True)
    assert (host.returncode, guest.returncode) == (0, 0), errors
    assert "nothing matched; what our own ids look like" in said[1]
    text = " ".join(said[1].split())
    assert "none of the 3 ids is one of the host's. Ask the host how it writes them" in text
    assert (
        "3 of 3 ids are digits that do not begin with 0; where the host keeps them as text" in text
    )
    assert "matched 0, host_only 2" in said[1].splitlines()[-1]
    assert "nothing matched" not in said[0]
    assert "of 2 ids" not in said[0]


# Fingerprints


@pytest.mark.parametrize(
    "form",
    [
        "{0}",
        "{0.upper}",
        "{colons}",
        "  {groups}\n",
        "SHA256:{0}",
        "sha256: {colons}",
        "SHA-256 {groups}",
        "ab12: {groups}",
        "{dashes}",
        "{groups}\u00a0",
    ],
)
def test_fingerprints_as_people_write_them(tmp_path, form: str) -> None:
    peer, other = (Identity.generate("ab12").public for _ in range(2))
    for identity in (peer, other):
        digits = identity.fingerprint
        pairs = [digits[i : i + 2] for i in range(0, 64, 2)]
        text = form.replace("{0.upper}", digits.upper()).format(
            digits,
            colons=":".join(pairs).upper(),
            dashes="-".join(pairs),
            groups=" ".join(digits[i : i + 4] for i in range(0, 64, 4)),
        )
        if identity is peer:
            Keyring(tmp_path / "k").trust(peer, text)
        else:
            with pytest.raises(KeyMismatch, match="not the one you gave"):
                Keyring(tmp_path / "other").trust(peer, text)
    assert Keyring(tmp_path / "k").trusted("ab12") == peer


def test_what_is_no_fingerprint_says_which_form_is_wanted(tmp_path) -> None:
    peer = Identity.generate("bank").public
    digits = peer.fingerprint
    for text in ("", digits[:32], digits + "0", "sha512:" + digits, "x" * 64, peer.text):
        with pytest.raises(InvalidValue, match="64 digits .*identity show --fingerprint"):
            Keyring(tmp_path / "k").trust(peer, text)
    Keyring(tmp_path / "k").trust(peer, digits)
    another = Identity.generate("bank").public
    with pytest.raises(KeyMismatch, match="another identity of 'bank'.*keys remove identity-bank"):
        Keyring(tmp_path / "k").trust(another, another.fingerprint)


# The first hour


def test_scripts_as_editors_write_them(tmp_path, connect) -> None:
    text = "-- About it\n-- set n = 2  a number\n\n-- müde\nSELECT getvariable('n') AS n;\n"
    for name, data in {
        "bom.sql": text.encode("utf-8-sig"),
        "crlf.sql": text.replace("\n", "\r\n").encode(),
        "both.sql": text.replace("\n", "\r\n").encode("utf-8-sig"),
    }.items():
        (tmp_path / name).write_bytes(data)
        script = load(str(tmp_path / name))
        assert (script.about, [v.name for v in script.variables]) == ("About it", ["n"])
        assert script.statements[0].title == "müde"
        assert connect(name[:3]).run(script) == [{"n": "2"}]
    for data, problem in (
        (text.encode("utf-16"), "not a text file in UTF-8; save it as one"),
        (b"-- nothing\n", "there is no statement in"),
        (b"", "there is no statement in"),
        (b"BEGIN; SELECT 1;", "leave this out"),
    ):
        (tmp_path / "bad.sql").write_bytes(data)
        with pytest.raises(InvalidValue, match=problem):
            load(str(tmp_path / "bad.sql"))
    with pytest.raises(InvalidValue, match="did you mean 'psi/guest'"):
        load("psi/guest.sql")


def test_no_home(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(OSError, match="set HOME") as raised:
        Keyring("~/keys")
    assert "nobody knows your home folder; set HOME" in explained(raised.value)
