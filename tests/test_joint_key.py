"""Joint keys in SQL: making one, what is refused, and arithmetic under it."""

from __future__ import annotations

import secrets

import duckdb
import gmpy2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duckpriv.keys import JointModulus, JointPublicKey, KeyShare
from tests.effort import examples

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x * 2**20) / 2**20)


def value(con, query: str, *arguments: object):
    return con.execute(query, list(arguments)).fetchall()[0][0]


@pytest.fixture
def parts(connect):
    """Two parties, each with its part of a key."""
    bank, shop = connect("bank"), connect("shop")
    for party, name in ((bank, "b"), (shop, "s")):
        party.con.execute("CALL joint_keygen($1)", [name]).fetchall()
    return bank, shop


def combine(party, name: str, peer_name: str, commitment: bytes, share: bytes) -> str:
    return value(
        party.con, "SELECT joint_combine($1, $2, $3, $4)", name, peer_name, commitment, share
    )


def shown(party, name: str) -> tuple[bytes, bytes]:
    """A party's commitment and key share."""
    return party.con.execute("SELECT joint_commitment($1), joint_key_share($1)", [name]).fetchall()[
        0
    ]


def test_two_parties_make_one_key_and_need_both_parts(parts) -> None:
    bank, shop = parts
    fingerprint = combine(bank, "b", "s", *shown(shop, "s"))
    assert combine(shop, "s", "b", *shown(bank, "b")) == fingerprint
    assert combine(bank, "b", "s", *shown(shop, "s")) == fingerprint  # again changes nothing
    ct = value(bank.con, "SELECT joint_encrypt(-2.5, 'b')")
    half = value(shop.con, "SELECT partial_decrypt($1, 's')", ct)
    assert value(bank.con, "SELECT joint_decrypt($1, 'b')", half) == -2.5
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: a partial decryption does not"):
        value(shop.con, "SELECT joint_decrypt($1, 's')", half)  # its own part twice
    with pytest.raises(duckdb.Error, match="joint key, and this operation takes joint key, part"):
        value(bank.con, "SELECT joint_decrypt($1, 'b')", ct)
    kinds = {info.name: info.kind for info in bank.keyring.list()}
    assert kinds == {"b": "joint key"}


def test_somebody_else_can_encrypt_but_not_decrypt(parts, connect) -> None:
    bank, shop = parts
    combine(bank, "b", "s", *shown(shop, "s"))
    other = connect("other")
    value(
        other.con,
        "SELECT key_import('k', $1, 'joint')",
        value(bank.con, "SELECT joint_public_key('b')"),
    )
    ct = value(other.con, "SELECT joint_encrypt(7, 'k')")
    for function in ("partial_decrypt", "joint_decrypt"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_KEY_NOT_FOUND: key 'k' is a joint public"):
            value(other.con, f"SELECT {function}($1, 'k')", ct)


def test_rogue_key_shares_are_refused(parts, connect) -> None:
    bank, shop = parts
    commitment, share = shown(shop, "s")
    own_commitment, own_share = shown(bank, "b")
    third = connect("third")
    third.con.execute("CALL joint_keygen('s')").fetchall()
    own = KeyShare.from_bytes(own_share, "b")
    # h_G = g^z / h_H would make the joint key one that the guest knows; it cannot prove it.
    cancelling = pow(own.h, -1, own.modulus) * 16 % own.modulus
    rogue = KeyShare(own.modulus, cancelling, own.proof, own.nonce)
    cases = [
        (b"\0" * 32, share, "KEY_MISMATCH: the key share of 's' is not the one it committed to"),
        (commitment, shown(third, "s")[1], "KEY_MISMATCH: the key share of 's' is not the one"),
        (rogue.commitment("s"), rogue.encoded, "its proof of knowledge for 's' does not hold"),
        (own_commitment, own_share, "its proof of knowledge for 's' does not hold"),
        (commitment, share[:-1], "INVALID_VALUE: the key share is damaged"),
        (commitment, b"", "INVALID_VALUE: the key share is damaged"),
        (commitment, share[:5] + b"\xff\xff" + share[7:], "shorter than it says"),
    ]
    for given_commitment, given_share, text in cases:
        with pytest.raises(duckdb.Error, match=text):
            combine(bank, "b", "s", given_commitment, given_share)
    with pytest.raises(duckdb.Error, match="this is your own key share"):
        combine(bank, "b", "b", own_commitment, own_share)
    with pytest.raises(duckdb.Error, match="was not joined with the peer's"):
        value(bank.con, "SELECT joint_encrypt(1, 'b')")
    combine(bank, "b", "s", commitment, share)
    with pytest.raises(duckdb.Error, match="is part of another joint key already"):
        combine(bank, "b", "s", *shown(third, "s"))


def test_nobody_uses_a_modulus_that_it_has_the_factors_of(connect) -> None:
    bank, shop, helper = connect("bank"), connect("shop"), connect("helper")
    modulus = value(helper.con, "FROM joint_modulus(bits := 2048)")
    assert JointModulus.from_bytes(modulus).key.key.bits == 2048
    assert helper.keyring.list() == []
    for party, name in ((bank, "b"), (shop, "s")):
        value(party.con, "SELECT key_import('modulus', $1, 'modulus')", modulus)
        party.con.execute("CALL joint_keygen($1, modulus := 'modulus')", [name]).fetchall()
    combine(bank, "b", "s", *shown(shop, "s"))
    combine(shop, "s", "b", *shown(bank, "b"))
    half = value(shop.con, "SELECT partial_decrypt(joint_encrypt(1.5, 's'), 's')")
    assert value(bank.con, "SELECT joint_decrypt($1, 'b')", half) == 1.5

    bank.con.execute("CALL paillier_keygen('mine', bits := 2048)").fetchall()
    with pytest.raises(duckdb.Error, match="no key 'mine'|KEY_NOT_FOUND"):
        bank.con.execute("CALL joint_keygen('x', modulus := 'mine')").fetchall()
    bank.con.execute("CALL joint_keygen('x')").fetchall()
    with pytest.raises(duckdb.Error, match="parts of the joint key have different moduli"):
        combine(bank, "x", "s", *shown(shop, "s"))


def test_key_parts_stay_in_the_keyring(parts, tmp_path) -> None:
    bank, shop = parts
    combine(bank, "b", "s", *shown(shop, "s"))
    secret = bank.keyring.joint.part("b").x
    forms = [secret.to_bytes(32, "big"), str(secret).encode(), f"{secret:x}".encode()]
    texts = [*shown(bank, "b"), value(bank.con, "SELECT joint_public_key('b')")]
    texts.append(str(bank.keyring.list()).encode())
    assert not any(form in text for form in forms for text in texts)
    for file in bank.keyring.path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


def test_damaged_public_keys_are_refused(party) -> None:
    good = party.keyring.joint.public("part1").encoded
    for data in (
        good[:-1],
        good + b"\0",
        good[:20],
        JointPublicKey.MAGIC,
        good[:-256] + bytes(256),
    ):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
            value(party.con, "SELECT key_import('x', $1, 'joint')", data)


def opened(ct: str) -> str:
    return f"joint_decrypt(partial_decrypt({ct}, 'part2'), 'part1')"


@settings(
    max_examples=examples(3),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(numbers, numbers, st.integers(-1000, 1000))
def test_the_he_functions_work_under_a_joint_key(party, x: float, y: float, k: int) -> None:
    con = party.con
    con.execute(
        "CREATE OR REPLACE TEMP TABLE c AS SELECT joint_encrypt($1, 'part1') AS a, "
        "joint_encrypt($2, 'part2') AS b",
        [x, y],
    )
    for query, expected in (
        ("he_add(a, b, 'part1')", x + y),
        ("he_sub(a, b, 'part1')", x - y),
        ("he_add_plain(a, 0.5, 'part1')", x + 0.5),
        (f"he_mul(a, {k}, 'part1')", x * k),
        (f"he_dot([a, b], [{k}, 0.25], 'part1', scale := 2)", x * k + y / 4),
    ):
        assert value(con, f"SELECT {opened(query)} FROM c") == expected
    total = "he_sum(ct, 'part1')"
    assert value(con, f"SELECT {opened(total)} FROM (SELECT unnest([a, b]) AS ct FROM c)") == (
        x + y
    )


@pytest.mark.parametrize(
    "encrypt, decrypt",
    [
        ("paillier_encrypt({}, 'paillier')", "paillier_decrypt_list({}, 'paillier')"),
        (
            "joint_encrypt({}, 'part1')",
            "joint_decrypt_list(partial_decrypt({}, 'part2'), 'part1')",
        ),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 15, 16, 33])
def test_packing_ciphertexts(party, encrypt: str, decrypt: str, count: int) -> None:
    key = "paillier" if "paillier" in encrypt else "part1"
    cts = encrypt.format("i - 7.5")
    packed = f"he_pack(list({cts} ORDER BY i), '{key}', slot_bits := 128)"
    query = f"SELECT {decrypt.format(packed)} FROM range({count}) t(i)"
    assert value(party.con, query) == [i - 7.5 for i in range(count)]


def test_a_mask_hides_and_comes_off_again(party) -> None:
    con = party.con
    con.execute(
        "CREATE TEMP TABLE m AS SELECT i, joint_mask(joint_encrypt(i, 'part1'), 'part1') AS m "
        "FROM range(3) t(i)"
    )
    half = "partial_decrypt(m.ct, 'part2')"
    query = f"SELECT joint_decrypt({half}, 'part1', mask := m.mask) FROM m ORDER BY i"
    assert con.execute(query).fetchall() == [(0.0,), (1.0,), (2.0,)]
    for mask in ("NULL", "(SELECT m.mask FROM m WHERE i = 1)"):
        with pytest.raises(duckdb.Error, match="beyond its ciphertext's bound|does not hold what"):
            con.execute(
                f"SELECT joint_decrypt({half}, 'part1', mask := {mask}) FROM m WHERE i = 0"
            ).fetchall()
    for mask in ("'x'::BLOB", "m.mask[:40]", "m.ct"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
            con.execute(f"SELECT joint_decrypt({half}, 'part1', mask := {mask}) FROM m").fetchall()


@pytest.mark.parametrize("field", ["scale", "bound", "slot_bits", "count", "doublings"])
def test_an_answer_with_another_header_is_refused(party, field: str) -> None:
    """The peer could change what it sends back; a changed scale would change the number."""
    masked = party.con.execute(
        "SELECT m.ct, m.mask FROM (SELECT joint_mask(joint_encrypt(1, 'part1'), 'part1') AS m)"
    ).fetchall()[0]
    half = bytearray(value(party.con, "SELECT partial_decrypt($1, 'part2')", masked[0]))
    at = {"scale": 21, "slot_bits": 23, "bound": 25, "doublings": 27, "count": 31}[field]
    half[at] ^= 0x20 if field in ("bound", "doublings") else 1
    if field == "count":
        half[at] = 2
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
        value(party.con, "SELECT joint_decrypt($1, 'part1', mask := $2)", bytes(half), masked[1])


def test_schemes_do_not_mix(party) -> None:
    con = party.con
    con.execute(
        "CREATE TEMP TABLE c AS SELECT joint_encrypt(1, 'part1') AS j, "
        "paillier_encrypt(1, 'paillier') AS p"
    )
    for query, text in (
        ("he_add(j, p, 'part1')", "KEY_MISMATCH: a ciphertext is under key"),
        ("partial_decrypt(p, 'part1')", "KEY_MISMATCH"),
        ("joint_mask(p, 'part1')", "KEY_MISMATCH"),
        ("paillier_decrypt(j, 'paillier')", "KEY_MISMATCH"),
        (
            "he_add(j, partial_decrypt(j, 'part2'), 'part1')",
            "partially decrypted, and this operation takes",
        ),
    ):
        with pytest.raises(duckdb.Error, match=text):
            value(con, f"SELECT {query} FROM c")


def test_altered_ciphertexts_are_refused(party) -> None:
    good = value(party.con, "SELECT joint_encrypt(1, 'part1')")
    half = value(party.con, "SELECT partial_decrypt($1, 'part2')", good)
    n = party.keyring.joint.public("part1").key.modulus
    for bad in (
        good[:-1],
        good + b"\0",
        good[:32],
        good[:32] + bytes(256) + good[288:],
        good[:32] + n.to_bytes(256, "big") + good[288:],
        good[:-512] + bytes(512),
    ):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
            value(party.con, "SELECT partial_decrypt($1, 'part1')", bad)
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
        value(party.con, "SELECT joint_decrypt($1, 'part1')", half[:-256] + bytes(256))
    with pytest.raises(duckdb.Error, match="DUCKPRIV_PROTOCOL: a partial decryption does not"):
        square = pow(secrets.randbelow(n), 2, n).to_bytes(256, "big")
        value(party.con, "SELECT joint_decrypt($1, 'part1')", half[:-256] + square)
    no_square = next(x for x in range(2, 100) if gmpy2.jacobi(x, n) == -1).to_bytes(256, "big")
    with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE.* a square"):
        value(party.con, "SELECT joint_decrypt($1, 'part1')", half[:-256] + no_square)


def test_a_residual_becomes_0_where_there_is_no_record(party) -> None:
    con = party.con
    con.execute(
        "CREATE TEMP TABLE r AS SELECT i, "
        "joint_encrypt(0.5, 'part1', scale := 20, bound := 32) AS ct FROM range(4) t(i)"
    )
    con.execute(
        "CREATE TEMP TABLE d AS SELECT i, "
        "lr_residual_add(ct, i, 'part1', present := i < 2, noise := i = 3) AS ct FROM r"
    )
    query = f"SELECT {opened('ct')} FROM d ORDER BY i"
    assert con.execute(query).fetchall() == [(0.5,), (0.75,), (0.0,), (1.25,)]
    assert len(con.execute("SELECT DISTINCT ct[:32] FROM d").fetchall()) == 1  # one header


def test_a_score_counts_as_often_as_the_peer_says(party) -> None:
    con = party.con
    con.execute(
        "CREATE TEMP TABLE r AS SELECT i, joint_encrypt(0.5, 'part1', scale := 20, bound := 32) "
        "AS ct, joint_encrypt(i, 'part1', scale := 8, bound := 15) AS w FROM range(3) t(i)"
    )
    con.execute(
        "CREATE TEMP TABLE d AS SELECT i, lr_residual_add(ct, 10, 'part1', weight := w) AS ct, "
        "lr_residual_add(ct, 10, 'part1', present := false, weight := w) AS nothing, "
        "lr_residual_add(ct, 10, 'part1') AS plain FROM r"
    )
    query = f"SELECT {opened('ct')}, {opened('nothing')} FROM d ORDER BY i"
    assert con.execute(query).fetchall() == [(0.5, 0.0), (3.0, 0.0), (5.5, 0.0)]
    layouts = "SELECT DISTINCT unnest([ct[:32], nothing[:32], plain[:32]]) FROM d"
    assert len(con.execute(layouts).fetchall()) == 1  # one header
    for weight in ("joint_encrypt(1, 'part1')", "CASE WHEN i > 0 THEN w END"):
        with pytest.raises(duckdb.Error, match="DUCKPRIV_INVALID_VALUE"):
            con.execute(f"SELECT lr_residual_add(ct, 1, 'part1', weight := {weight}) FROM r")


def test_a_gradient_needs_the_features_of_every_row(party) -> None:
    con = party.con
    con.execute(
        "CREATE TEMP TABLE r AS SELECT i AS row, joint_encrypt(1, 'part1') AS ct FROM range(3) t(i)"
    )
    con.execute("CREATE TEMP TABLE x AS SELECT i AS row, [i, 1]::DOUBLE[] AS x FROM range(5) t(i)")
    opened_ = "joint_decrypt(partial_decrypt(ct, 'part2'), 'part1', mask := mask)"
    query = f"SELECT {opened_} FROM lr_encrypted_gradient('r', 'x', 'part1') ORDER BY feature"
    assert con.execute(query).fetchall() == [(3.0,), (3.0,)]
    con.execute("DELETE FROM x WHERE row = 1")
    with pytest.raises(duckdb.Error, match="equally many numbers, or one is NULL"):
        con.execute(query).fetchall()
    con.execute("INSERT INTO x VALUES (1, [1])")
    with pytest.raises(duckdb.Error, match="equally many numbers, or one is NULL"):
        con.execute(query).fetchall()
