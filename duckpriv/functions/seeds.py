"""Random numbers that parties agree on."""

from __future__ import annotations

import pyarrow as pa

from ..columns import seeds
from ..columns.keygen import KEY_INFO as KEY_INFO_TYPE
from .declaration import Function, Parameter, Udf
from .parameters import KEY_INFO, volatile_udf

_PART = Parameter("name", "VARCHAR", "your part of a seed")
_NEW = Parameter("name", "VARCHAR", "the name that the seed gets in your keyring")
_MAKE_PARTS = ("CALL seed_keygen('mine')", "CALL seed_keygen('theirs')")
_MAKE_SEED = (
    *_MAKE_PARTS,
    "SELECT agreed_seed('ours', 'mine', 'theirs', seed_commitment('theirs'), seed_part('theirs'))",
)

SEEDS: tuple[Function, ...] = (
    Function(
        name="seed_keygen",
        kind="call",
        parameters=(
            Parameter("name", "VARCHAR", "the name of your part; the peer has to know it"),
        ),
        returns="TABLE(name VARCHAR, kind VARCHAR, bits BIGINT, fingerprint VARCHAR)",
        about="Makes your part of a seed (an X25519 key) in the keyring.",
        reveals="Nothing leaves.",
        example="CALL seed_keygen('mine')",
        udfs=(volatile_udf(seeds.seed_keygen, ("VARCHAR",), KEY_INFO, KEY_INFO_TYPE),),
        body="seeds.sql",
        randomised=True,
    ),
    Function(
        name="seed_commitment",
        kind="scalar",
        parameters=(_PART,),
        returns="BLOB",
        about="The commitment to your part. Send it, and show the part only when you have the "
        "peer's commitment: then neither can choose the seed.",
        reveals="Nothing: the hash of a part with 32 random bytes.",
        example="SELECT octet_length(seed_commitment('mine')) AS bytes",
        setup=_MAKE_PARTS,
        udfs=(Udf(seeds.seed_commitment, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="seed_part",
        kind="scalar",
        parameters=(_PART,),
        returns="BLOB",
        about="What the peer needs of your part: a public key. It opens your commitment.",
        reveals="A public key: nothing of the seed to anybody but the peer.",
        example="SELECT octet_length(seed_part('mine')) AS bytes",
        setup=_MAKE_PARTS,
        udfs=(Udf(seeds.seed_part, ("VARCHAR",), "BLOB", pa.binary()),),
    ),
    Function(
        name="agreed_seed",
        kind="scalar",
        parameters=(
            _NEW,
            Parameter("own_name", "VARCHAR", "your part of it"),
            Parameter("peer_name", "VARCHAR", "the name that the peer gave its part"),
            Parameter("commitment", "BLOB", "the peer's commitment, received before its part"),
            Parameter("part", "BLOB", "the peer's part"),
        ),
        returns="VARCHAR",
        about="Checks the peer's part against its commitment, and keeps the seed that both parts "
        "make (X25519, HKDF). Returns its name. Nobody who sees the messages can tell the seed.",
        reveals="Nothing leaves.",
        example="SELECT agreed_seed('ours', 'mine', 'theirs', seed_commitment('theirs'), "
        "seed_part('theirs')) AS seed",
        setup=_MAKE_PARTS,
        udfs=(
            volatile_udf(
                seeds.agreed_seed,
                ("VARCHAR", "VARCHAR", "VARCHAR", "BLOB", "BLOB"),
                "VARCHAR",
                pa.string(),
            ),
        ),
    ),
    Function(
        name="seed_combine",
        kind="scalar",
        parameters=(_NEW, Parameter("seeds", "VARCHAR[]", "seeds in your keyring, in order")),
        returns="VARCHAR",
        about="Keeps a seed that is made of several; returns its name.",
        reveals="Nothing leaves.",
        example="SELECT seed_combine('all', ['ours']) AS seed",
        setup=_MAKE_SEED,
        udfs=(volatile_udf(seeds.seed_combine, ("VARCHAR", "VARCHAR[]"), "VARCHAR", pa.string()),),
    ),
    Function(
        name="seed_seal",
        kind="scalar",
        parameters=(
            Parameter("name", "VARCHAR", "a seed in your keyring"),
            Parameter("under", "VARCHAR", "a seed that the receiver has too"),
        ),
        returns="BLOB",
        about="A seed, encrypted under another one for who has that (ChaCha20-Poly1305).",
        reveals="The seed, to who has the other one; to others nothing.",
        example="SELECT octet_length(seed_seal('ours', 'ours')) AS bytes",
        setup=_MAKE_SEED,
        udfs=(volatile_udf(seeds.seed_seal, ("VARCHAR", "VARCHAR"), "BLOB", pa.binary()),),
        randomised=True,
    ),
    Function(
        name="seed_open",
        kind="scalar",
        parameters=(
            Parameter("name", "VARCHAR", "the seed's name, as the sender has it"),
            Parameter("under", "VARCHAR", "the seed under which it was sealed"),
            Parameter("sealed", "BLOB", "what seed_seal gave"),
        ),
        returns="VARCHAR",
        about="Decrypts a sealed seed and keeps it; returns its name.",
        reveals="Nothing leaves.",
        example="SELECT seed_open('ours', 'ours', seed_seal('ours', 'ours')) AS seed",
        setup=_MAKE_SEED,
        udfs=(
            volatile_udf(seeds.seed_open, ("VARCHAR", "VARCHAR", "BLOB"), "VARCHAR", pa.string()),
        ),
    ),
    Function(
        name="batch_key",
        kind="scalar",
        parameters=(
            Parameter("value", "ANY", "a row's id"),
            Parameter("seed", "VARCHAR", "a seed in your keyring"),
            Parameter("epoch", "BIGINT", "which pass over the rows"),
        ),
        returns="BLOB",
        about="16 bytes by which to sort: an order of the rows that all holders of the seed have "
        "in common, and another one in each epoch (keyed BLAKE2b).",
        reveals="Nothing leaves. Without the seed the order is like a random one.",
        example="SELECT i FROM range(4) t(i) ORDER BY batch_key(i, 'ours', 0)",
        setup=_MAKE_SEED,
        udfs=(Udf(seeds.batch_key, ("VARCHAR", "VARCHAR", "BIGINT"), "BLOB", pa.binary()),),
        body="seeds.sql",
    ),
    Function(
        name="batch_select",
        kind="table",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table with a column pid, all different"),
            Parameter("seed", "VARCHAR", "a seed in your keyring"),
            Parameter("iteration", "BIGINT", "which step, from 1 on"),
            Parameter("size", "BIGINT", "how many rows at most"),
        ),
        returns="TABLE(position BIGINT, pid ANY)",
        about="The rows of a step's batch, in an order that all holders of the seed have in "
        "common. An epoch has each row once.",
        reveals="Nothing leaves.",
        example="FROM batch_select('people', 'ours', 1, 2)",
        setup=(
            *_MAKE_SEED,
            "CREATE OR REPLACE TEMP TABLE people AS SELECT i AS pid FROM range(4) t(i)",
        ),
        body="seeds.sql",
    ),
)
