"""The settings file: what it says is used, what is wrong is named, and nothing of the user's is
lost."""

from __future__ import annotations

import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckpriv.errors import InvalidValue
from duckpriv.settingsfile import FILE, Agreed, Peer, SettingsFile, parsed, read
from tests.effort import examples

names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
paths = texts.filter(lambda text: "\0" not in text)
addresses = st.builds("{}:{}".format, st.sampled_from(["dir", "grpc+tls"]), names)
runs = st.dictionaries(
    texts,
    st.builds(Agreed, st.none() | names, st.dictionaries(texts, st.text(max_size=5), max_size=2)),
    max_size=2,
)
files = st.builds(
    SettingsFile,
    st.just(Path(FILE)),
    *(st.none() | part for part in (names, paths, paths, addresses, addresses)),
    st.dictionaries(names, st.builds(Peer, st.none() | addresses, runs), max_size=3),
)


@settings(max_examples=examples(100), deadline=None)
@given(file=files)
def test_what_is_written_is_read(file: SettingsFile) -> None:
    assert parsed(file.text, file.path) == file
    tomllib.loads(file.text)


OWN = """# ours
me = "bank"  # as they know us
database = 'bank.duckdb'
exchange = "dir:mailbox"

# the shop
[peers.shop]
exchange = "grpc+tls://shop.example:7443"

[peers.shop.runs."psi/host"]
session = "s1"
# and the clinic
[peers.clinic]

[peers.clinic.runs."psi/host"] # theirs
session = "s2"
"""


@settings(max_examples=examples(30), deadline=None)
@given(name=names, exchange=st.none() | addresses, runs=runs)
def test_a_peer_is_added_and_comments_stay(tmp_path_factory, name, exchange, runs) -> None:
    path = tmp_path_factory.mktemp("own") / FILE
    path.write_text(OWN)
    for peer in (name, "shop"):
        before = read(path)
        added = before.with_peer(peer, exchange, runs)
        added.write(added.text_with_peers())
        assert read(path) == added
        assert {*before.peers} <= {*added.peers}
    for comment in ("# ours", "# as they know us", "# the shop", "# and the clinic", "# theirs"):
        assert comment in path.read_text()
    assert read(path).peers["clinic"].runs["psi/host"] == Agreed("s2")


def test_what_has_another_form_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text('me = "bank"\npeers = { shop = {} }\n')
    with pytest.raises(InvalidValue, match=r"\[peers.NAME\] of its own"):
        read(path).with_peer("clinic", None, {}).text_with_peers()
    assert path.read_text() == 'me = "bank"\npeers = { shop = {} }\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mee = 'bank'", "did you mean 'me'"),
        ("db = 'bank.duckdb'", "no setting 'db'; it takes me, database,"),
        ("passphrase = 'x'", "no setting 'passphrase'"),
        ("me = 'Bank'", "me is not a name"),
        ("me = 3", "me has to be a text"),
        ("exchange = 'mailbox'", "'mailbox' is no address"),
        ("peers = 'shop'", r"has to be a table: \[peers\]"),
        ("[peers.Shop]", "the name of a peer"),
        ("[peers.shop]\nexchanges = 'dir:x'", "peers.shop has no setting 'exchanges'; did you"),
        ("[peers.shop.runs.'psi/host']\nsesion = 's1'", "did you mean 'session'"),
        ("[peers.shop.runs.'psi/host']\nsession = '../x'", "session is not a name"),
        ("[peers.shop.runs.'psi/host'.set]\ntotals = true", "set.totals has to be a text in"),
        ("me = ", "is not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / FILE
    path.write_text(text)
    with pytest.raises(InvalidValue, match=problem) as refused:
        read(path)
    assert str(path) in refused.value.message


def test_numbers_may_stand_without_quotes() -> None:
    file = parsed("[peers.shop.runs.'psi/host'.set]\nbits = 2048\nepsilon = 0.5\n", Path(FILE))
    assert file.peers["shop"].runs["psi/host"].settings == {"bits": "2048", "epsilon": "0.5"}


def test_the_command_line_counts_more_than_the_environment_and_that_more_than_the_file(
    tmp_path: Path, command
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / FILE).write_text('me = "bank"\nkeyring = "file.keys"\ndatabase = "bank.duckdb"\n')
    one = ["--config", f"below/{FILE}", "keys", "list"]
    assert "below/file.keys" in command(tmp_path, *one)[1]
    assert "env.keys" in command(tmp_path, *one, DUCKPRIV_KEYRING="env.keys")[1]
    more = command(tmp_path, *one, "--keyring", "line.keys", DUCKPRIV_KEYRING="env.keys")
    assert "line.keys" in more[1]
    found = command(tmp_path, "runs", "list", DUCKPRIV_CONFIG=f"below/{FILE}")
    assert "there is no database below/bank.duckdb" in found[2]
    assert "bank.duckdb" in command(below, "runs", "list")[2]
    missing = command(tmp_path, "--config", "nothing.toml", "keys", "list")
    assert "there is no settings file nothing.toml" in missing[2]
    (below / FILE).write_text("exchagne = 'dir:x'")
    code, _, errors = command(below, "keys", "list")
    assert code == 1
    assert "did you mean 'exchange'" in errors


RUNS = """me = "bank"
database = ":memory:"
exchange = "dir:mailbox"
serve = "grpc+tls://localhost:1"

[peers.shop]
[peers.shop.runs."psi/host"]
session = "s1"
set = { kind = "email", table = "people", id = "mail" }

[peers.clinic]
exchange = "dir:theirs"
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        # Only the shop has an agreement on this script.
        (["psi/host"], "session s1, peer=shop, kind=email, table=people, id=mail"),
        (["psi/host"], "psi/1 kind=email columns=N"),
        (["psi/host", "--set", "kind=lower"], "psi/1 kind=lower columns=N"),
        (["psi/host", "--set", "kind=lower"], "session s1, peer=shop, table=people, id=mail"),
        (["psi/host", "--peer", "clinic"], "Missing option '--session'"),
        (["psi/guest", "--set", "table=t", "--set", "id=i"], "several peers: choose one with"),
        (["lr_helper/helper", "--session", "x"], "lr_helper/helper sends"),
    ],
)
def test_a_run_takes_what_was_agreed(tmp_path: Path, command, arguments, shown) -> None:
    (tmp_path / FILE).write_text(RUNS)
    _, output, errors = command(tmp_path, "run", *arguments, "--dry-run")
    assert shown in " ".join((output + errors).split())
