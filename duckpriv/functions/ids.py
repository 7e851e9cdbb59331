"""Record ids and their matching."""

from __future__ import annotations

import pyarrow as pa

from ..columns import ids
from .declaration import Function, Parameter, Udf

IDS: tuple[Function, ...] = (
    Function(
        name="psi_id",
        kind="scalar",
        parameters=(
            Parameter(
                "value",
                "VARCHAR, integer, UUID, DATE, BLOB or a list of one of these",
                "the id, or the parts of a composite id",
            ),
            Parameter("kind", "VARCHAR", "raw, trimmed, lower, email or phone", "'raw'"),
        ),
        returns="VARCHAR",
        about="The text that stands for an id in matching: Unicode NFC, normalised as `kind` says "
        "(raw: as it is; trimmed: without spaces around; lower and email: trimmed and case-folded; "
        "phone: digits only, without a leading 00). A composite id becomes a JSON array of texts. "
        "NULL where there is no id: a NULL, a list with a NULL, or, but for raw, nothing left.",
        reveals="Nothing leaves.",
        example="SELECT psi_id(' Ann@Example.com', 'email') AS one, psi_id(['Ann', '1990']) AS two",
        udfs=(Udf(ids.psi_id, ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR", pa.string()),),
        body="psi_id.sql",
    ),
    Function(
        name="psi_ids",
        kind="table",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table or view"),
            Parameter("id", "VARCHAR", "its id column, or several with commas between"),
            Parameter(
                "kind", "VARCHAR", "one kind for all columns, or one each with commas", "'raw'"
            ),
        ),
        returns="TABLE(id ANY, psi_id VARCHAR)",
        about="The ids of a table, each with its `psi_id`: `id` is the column as it is, or the "
        "list of the columns' texts for a composite id.",
        reveals="Nothing leaves.",
        example="FROM psi_ids('people', 'email', kind := 'email')",
        setup=("CREATE OR REPLACE TEMP TABLE people AS SELECT 'Ann@example.com' AS email",),
        body="psi_ids.sql",
    ),
    Function(
        name="psi_keys",
        kind="table",
        parameters=(
            Parameter("tbl", "VARCHAR", "the name of a table or view"),
            Parameter("id", "VARCHAR", "id columns of several keys, as in 'email; name, born'"),
            Parameter("kind", "VARCHAR", "one kind for all keys, or one each, as `id`", "'raw'"),
        ),
        returns="TABLE(id ANY, psi_ids VARCHAR[])",
        about="The ids of a table under several keys, with semicolons between them: of each row "
        "the `psi_id` of each key, or NULL. With several keys the number of the key is part of it, "
        "so that one text under two keys is not the same id, and `id` is the list of the texts of "
        "all columns, in order; with one key all is as `psi_ids` has it.",
        reveals="Nothing leaves.",
        example="FROM psi_keys('people', 'email; phone', kind := 'email; phone')",
        setup=(
            "CREATE OR REPLACE TEMP TABLE people AS "
            "SELECT 'Ann@example.com' AS email, '+49 30 1' AS phone",
        ),
        body="psi_ids.sql",
    ),
    Function(
        name="random_id",
        kind="scalar",
        parameters=(Parameter("value", "ANY", "any column; its rows are counted, not read"),),
        returns="UUID",
        about="A fresh random UUID (version 4) for each row where the value is not NULL, from the "
        "operating system's generator. (DuckDB's own uuid() is not made for secrets.) "
        "Materialise it: a view draws again at each read.",
        reveals="Nothing.",
        example="SELECT count(DISTINCT random_id(range)) AS different FROM range(3)",
        udfs=(Udf(ids.random_id, ("BOOLEAN",), "BLOB", pa.binary(), volatile=True),),
        body="random_id.sql",
        randomised=True,
    ),
    Function(
        name="psi_map_random",
        kind="table",
        parameters=(Parameter("tokens", "VARCHAR", "the name of a table with a column `token`"),),
        returns="TABLE(token BLOB, pid UUID)",
        about="Gives each distinct token of the host a fresh random id. Materialise it (CREATE "
        "TABLE … AS).",
        reveals="The pairs (token, pid) are made of the host's tokens alone: they, and the time "
        "that they take, tell it nothing of which match.",
        example="SELECT count(DISTINCT pid) AS ids FROM psi_map_random('host_tokens')",
        setup=("CREATE OR REPLACE TEMP TABLE host_tokens AS SELECT 'a'::BLOB AS token",),
        body="psi_map_random.sql",
        randomised=True,
    ),
)
