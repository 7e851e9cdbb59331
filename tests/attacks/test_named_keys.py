"""A ciphertext counts under the key that the protocol names, and under no other of the keyring."""

from __future__ import annotations

import secrets

import gmpy2
import numpy as np
import pyarrow as pa
import pytest
from duckdb.sqltypes import BIGINT, BLOB, DOUBLE

from duckpriv import InvalidValue, KeyMismatch, Keyring
from duckpriv.columns.ciphertext import Layout
from duckpriv.crypto import joint_elgamal
from duckpriv.crypto.moduli import RSA_2048
from duckpriv.keys import JointModulus, JointPublicKey
from tests.attacks.evil import HiddenRows, changed
from tests.effort import takes_long
from tests.parties import Folder, at_once


@pytest.fixture(scope="module")
def rogue() -> JointPublicKey:
    """A joint key whose whole secret one party has."""
    x = secrets.randbits(256)
    h = int(gmpy2.powmod(joint_elgamal.generator(RSA_2048), 2 * x, RSA_2048))
    return JointPublicKey(joint_elgamal.PublicKey(RSA_2048, h))


def test_a_joint_key_does_not_come_in_through_a_product(tmp_path, rogue) -> None:
    """The right party of a matrix product sends a joint key where a Paillier key belongs."""
    parties = Folder(tmp_path)
    parties.make_table("left", pa.table({"id": [1, 2, 3], "a": [1.0, 2.0, 3.0]}))
    parties.make_table("right", pa.table({"id": [1], "b": [0.5]}))
    evil = changed(
        "matmul/right", tmp_path, ("paillier_public_key(getvariable('key'))", "rogue_key(1)")
    )

    def right() -> object:
        with parties.connect("right", "m1") as party:
            party.con.create_function("rogue_key", lambda _: rogue.encoded, [BIGINT], BLOB)
            return party.run(str(evil), peer="left", table="t", id="id", bits=2048)

    def left() -> object:
        with parties.connect("left", "m1") as party:
            return party.run("matmul/left", peer="right", table="t", id="id", bits=2048)

    found, _ = at_once(left, right)
    assert isinstance(found, InvalidValue)
    assert Keyring(tmp_path / "left.keys").list() == []


@takes_long
def test_residuals_under_another_key_of_the_keyring_are_refused(tmp_path, rogue) -> None:
    """Even where the guest has imported that key for something else: nothing is answered."""
    rows = HiddenRows(tmp_path, np.arange(40) % 3 > 0, host=2, guest=2)
    Keyring(tmp_path / "guest.keys").import_public("older", rogue.encoded, "joint")

    def prepare(host) -> None:
        def encrypt(value: float) -> bytes:
            key = rogue.key
            layout = Layout(2, rogue.fingerprint_bytes, 20, key.bits - 2, 32, 1)
            return layout.header() + key.encrypt([round(value * 2**20)]).tobytes()

        host.con.create_function("under", encrypt, [DOUBLE], BLOB, side_effects=True)

    value = "present * lr_residual(score, y) + gaussian_noise(row, getvariable('noise'))"
    evil = changed(
        "lr_joint_key/host",
        tmp_path,
        (
            f"joint_encrypt({value}, getvariable('joint'),\n"
            "                              scale := 20, bound := 32)",
            f"under({value})",
        ),
    )
    _, guest = rows.train(evil, prepare, iterations=1, loss_every=0, noise=1)
    assert isinstance(guest, KeyMismatch)
    assert "lr.intermediate-1" not in rows.sent("guest", "host")


def test_a_key_is_imported_as_the_kind_that_is_expected(party, rogue) -> None:
    keyring = party.keyring
    keys = {
        "rsa": keyring.rsa.public("mine").der,
        "paillier": keyring.paillier.public("paillier").encoded,
        "joint": rogue.encoded,
        "modulus": JointModulus(keyring.paillier.public("paillier")).encoded,
    }
    for kind, key in keys.items():
        for expected in keys:
            if kind != expected:
                with pytest.raises(InvalidValue):
                    keyring.import_public("new", key, expected)
        with pytest.raises(InvalidValue, match="the kind of a key is one of"):
            keyring.import_public("new", key, "any")
        assert keyring.import_public(f"new-{kind}", key, kind).fingerprint


@pytest.mark.parametrize(
    "call",
    [
        "he_add(ct, ct, 'other')",
        "he_sub(ct, ct, 'other')",
        "he_add_plain(ct, 1, 'other')",
        "he_mul(ct, 1, 'other')",
        "(SELECT he_sum(ct, 'other'))",
        "he_dot([ct], [1], 'other')",
        "he_pack([ct], 'other')",
        "joint_mask(ct, 'other')",
        "partial_decrypt(ct, 'other')",
        "lr_residual_add(ct, 1, 'other')",
        "lr_residual_add(joint_encrypt(1, 'other'), 1, 'other', weight := ct)",
    ],
)
def test_no_function_takes_a_ciphertext_under_another_key(party, rogue, call: str) -> None:
    for name in ("other", "others"):
        party.keyring.joint.generate(name, "rsa-2048")
    share = party.keyring.joint.part("others").share
    party.keyring.joint.join("other", "others", share.commitment("others"), share.encoded)
    party.con.execute("CREATE TEMP TABLE c AS SELECT joint_encrypt(1, 'part1') AS ct")
    with pytest.raises(Exception, match="DUCKPRIV_KEY_MISMATCH"):
        party.con.execute(f"SELECT {call} FROM c").fetchall()
