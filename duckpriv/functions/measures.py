"""Measures that are summed by group."""

from __future__ import annotations

import pyarrow as pa

from ..columns import measures
from .declaration import Function, Parameter
from .parameters import HIDDEN, MAKE_KEY, MAKE_TABLE, TABLE, UNDER, WEIGHT_SCALE, volatile_udf

MEASURES: tuple[Function, ...] = (
    Function(
        name="paillier_encrypt_measures",
        kind="scalar",
        parameters=(
            Parameter("x", "BIGINT[]", "a row's measures; NULLs count as SQL has it"),
            Parameter(
                "place", "BIGINT", "the number of the row's group, from 1; 0: none, all zeros"
            ),
            Parameter("groups", "BIGINT", "how many groups there are"),
            UNDER,
            Parameter("bound", "INTEGER", "every measure has to be below 2^bound", "40"),
            Parameter("slot_bits", "INTEGER", "bits of a slot", "166"),
        ),
        returns="BLOB",
        about="Encrypts a row to be summed by group: in the slots of its group a 1, and for each "
        "measure 1, the number and its square, or zeros for NULL; zeros in all others. Sums of "
        "them hold counts, sums and sums of squares.",
        reveals="To who does not have the key: how many groups and measures there are.",
        example="SELECT octet_length(paillier_encrypt_measures([5, NULL], 1, 1, 'mine')) AS bytes",
        setup=(MAKE_KEY,),
        udfs=(
            volatile_udf(
                measures.paillier_encrypt_measures,
                ("BIGINT[]", "BIGINT", "BIGINT", "VARCHAR", "BIGINT", "BIGINT"),
                "BLOB",
                pa.binary(),
            ),
        ),
        body="measures.sql",
        randomised=True,
    ),
    Function(
        name="measure_columns",
        kind="table",
        parameters=(
            TABLE,
            Parameter("names", "VARCHAR", "columns of numbers, with commas between"),
            Parameter("decimals", "INTEGER", "of columns of FLOAT and DOUBLE", "2"),
        ),
        returns="TABLE(position BIGINT, name VARCHAR, type VARCHAR, scale BIGINT)",
        about="Columns that measure something, and how many decimals they have: none, those of the "
        "type DECIMAL, or `decimals`.",
        reveals="Nothing leaves.",
        example="SELECT name, scale FROM measure_columns('features', 'height')",
        setup=(MAKE_TABLE,),
        body="measures.sql",
    ),
    Function(
        name="measure_rows",
        kind="table",
        parameters=(
            TABLE,
            Parameter("id", "VARCHAR", "its id column, or several with commas between"),
            Parameter("groups", "VARCHAR[]", "columns to group by"),
            Parameter("measures", "VARCHAR[]", "columns of numbers"),
            Parameter("types", "VARCHAR[]", "their types, as measure_columns gives them"),
            Parameter("scales", "BIGINT[]", "and their decimals"),
        ),
        returns="TABLE(id, labels VARCHAR[], x BIGINT[], unfit BOOLEAN[])",
        about="The rows of a table with its groups as texts and its measures as whole numbers of "
        "their last decimal; `unfit` says which are other numbers than that.",
        reveals="Nothing leaves.",
        example="SELECT id, x "
        "FROM measure_rows('features', 'id', [], ['height'], ['DECIMAL(2,1)'], [1])",
        setup=(MAKE_TABLE,),
        body="measures.sql",
    ),
    Function(
        name="wide_element",
        kind="scalar",
        parameters=(Parameter("x", "HUGEINT", "an integer"),),
        returns="UHUGEINT",
        about="The integer as an element of Z_2^128.",
        reveals="Nothing leaves.",
        example="SELECT wide_element(-1) AS element",
        body="measures.sql",
    ),
    Function(
        name="wide_integer",
        kind="scalar",
        parameters=(Parameter("share", "UHUGEINT", "an element of Z_2^128"),),
        returns="HUGEINT",
        about="The integer from -2^127 to 2^127 - 1 that an element of Z_2^128 stands for.",
        reveals="Nothing leaves.",
        example="SELECT wide_integer(wide_element(-1)) AS x",
        body="measures.sql",
    ),
    Function(
        name="wide_sum",
        kind="aggregate",
        parameters=(Parameter("share", "UHUGEINT", "elements of Z_2^128"),),
        returns="UHUGEINT",
        about="Their sum in Z_2^128.",
        reveals="Nothing leaves.",
        example="SELECT wide_sum(share) AS sum FROM (VALUES (1::UHUGEINT), (2)) t(share)",
        body="measures.sql",
    ),
    Function(
        name="he_weighted_sums_by",
        kind="table",
        parameters=(
            Parameter("encrypted_table", "VARCHAR", "the name of a table (row, ct)"),
            Parameter("plain_table", "VARCHAR", "the name of a table (row, place, x DOUBLE[])"),
            UNDER,
            WEIGHT_SCALE,
            Parameter("bound", "INTEGER", "every |x * 2^scale| is below 2^bound", "41"),
        ),
        returns="TABLE(place, feature BIGINT, ct BLOB)",
        about="The sums of he_weighted_sums for the rows of each place.",
        reveals=HIDDEN + " The bound tells the number of rows, to the next power of two.",
        example="SELECT place, feature FROM he_weighted_sums_by('encrypted', 'placed', 'mine', "
        "scale := 20)",
        setup=(
            MAKE_KEY,
            MAKE_TABLE,
            "CREATE OR REPLACE TEMP TABLE encrypted AS "
            "SELECT * FROM paillier_encrypt_matrix('features', 'mine')",
            "CREATE OR REPLACE TEMP TABLE placed AS "
            "SELECT row, row AS place, x FROM matrix_rows('features', 'id')",
        ),
        body="measures.sql",
        randomised=True,
    ),
)
