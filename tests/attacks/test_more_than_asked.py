"""A party that asks for more to be decrypted than a number of its gradient."""

from __future__ import annotations

from dataclasses import replace

import gmpy2
import numpy as np
import pytest
from duckdb.sqltypes import BLOB

from duckpriv import ProtocolError
from duckpriv.columns.ciphertext import HEADER_BYTES, layout_of
from tests.attacks.evil import HiddenRows, changed
from tests.effort import takes_long, thorough
from tests.test_lr_joint_key import BothLack


def test_what_a_peer_packs_into_a_number_beyond_its_bound_is_not_opened(party) -> None:
    """Thirty encrypted residuals in a ciphertext that says it holds one number. The peer takes its
    part off, and the asker decrypts by hand, with no check of the bound."""
    con, keyring = party.con, party.keyring
    ((packed,),) = con.execute(
        "SELECT he_pack(list(ct ORDER BY i), 'part1', slot_bits := 64) FROM (SELECT i, "
        "joint_encrypt(i + 1, 'part1', scale := 0, bound := 32) AS ct FROM range(30) t(i))"
    ).fetchall()
    ((one,),) = con.execute(
        "SELECT he_mul(joint_encrypt(1, 'part1', scale := 0, bound := 60), 1, 'part1', bound := 36)"
    ).fetchall()
    assert (layout_of(one).count, layout_of(one).bound) == (1, 96)
    disguised = one[:HEADER_BYTES] + packed[HEADER_BYTES:]
    ((answer,),) = con.execute("SELECT partial_decrypt($1, 'part2')", [disguised]).fetchall()
    key, layout = keyring.joint.public("part1").key, layout_of(answer)
    body = answer[HEADER_BYTES:]
    c1, c2, partial = (
        int.from_bytes(body[start:stop], "big")
        for start, stop in ((0, 256), (256, 768), (768, 1024))
    )
    n, square = key.modulus, key.square
    own = gmpy2.powmod(c1, 2 * keyring.joint.part("part1").x, n)
    hiding = gmpy2.powmod(own * partial % n, n, square)
    m = int((c2 * gmpy2.invert(hiding, square) % square - 1) // n)
    m >>= layout.doublings
    values = [(m >> 64 * i) % 2**64 for i in range(30)]
    assert values[0] == 1  # what the header allows
    assert sum(value == i + 1 for i, value in enumerate(values)) <= 3


@takes_long
@pytest.mark.parametrize(
    "lie", [{"bound": 200}, *thorough({"doublings": 9}, {"doublings": 1000}, {"count": 2})]
)
def test_a_host_that_asks_for_a_wider_window_is_refused(tmp_path, lie: dict) -> None:
    """With doublings of 2,000 nothing was closed, and a guest read 1,000 of 1,000 labels."""
    rows = HiddenRows(tmp_path, np.ones(40, bool), host=1, guest=1)

    def prepare(host) -> None:
        def wider(ct: bytes) -> bytes:
            layout = layout_of(ct)
            room = {"slot_bits": 1000} if "count" in lie else {}
            return replace(layout, **lie, **room).header() + ct[HEADER_BYTES:]

        host.con.create_function("wider", wider, [BLOB], BLOB, side_effects=True)

    evil = changed(
        "lr_joint_key/host",
        tmp_path,
        (
            "$$ SELECT feature, ct FROM lr_gradient ORDER BY feature $$",
            "$$ SELECT feature, wider(ct) AS ct FROM lr_gradient ORDER BY feature $$",
        ),
    )
    _, guest = rows.train(evil, prepare, iterations=1, loss_every=0, noise=1)
    assert isinstance(guest, ProtocolError)
    assert "asks for more than a number of a gradient" in str(guest)
    assert "lr.partial-1" not in rows.sent("guest", "host")


@takes_long
def test_which_rows_a_host_has_is_not_read_from_what_it_sends_encrypted(tmp_path) -> None:
    """A guest that has the host's 1 or 0 of single rows decrypted in the place of its gradient sees
    them with noise, the same whenever it asks."""
    training = BothLack(tmp_path, 20, 15, 15)
    gradient = "FROM lr_encrypted_gradient('lr_residuals', 'lr_batch', getvariable('joint'));"
    opened = "SELECT require((SELECT list(feature ORDER BY feature) FROM lr_opened)"
    evil = changed(
        "lr_joint_key/guest",
        tmp_path,
        (
            gradient,
            "SELECT row AS feature, m.ct, m.mask FROM (SELECT row, joint_mask(ct, "
            "getvariable('joint')) AS m FROM lr_mask WHERE row <= 4);",
        ),
        (opened, f"CREATE TABLE IF NOT EXISTS seen (feature BIGINT, total DOUBLE);\n{opened}"),
        (
            "-- update\n",
            "INSERT INTO seen SELECT feature, total FROM lr_opened;\n-- update\n",
        ),
    )
    settings = {"iterations": 2, "loss_every": 0, "accept_disclosure": "yes", "noise": 0.5}
    results = training.run(
        "s1",
        host=("lr_joint_key/host", {"peer": "guest", "label": "y", **settings}),
        guest=(str(evil), {"peer": "host", **settings}),
    )
    assert not isinstance(results["host"], BaseException), results
    seen = training.query("guest", "SELECT feature, total FROM seen ORDER BY feature")
    values = [{total for row, total in seen if row == i} for i in range(1, 5)]
    assert all(len(one) == 1 for one in values)
    off = [min(abs(value - m) for m in (0, 1)) for one in values for value in one]
    assert max(off) > 0.02
