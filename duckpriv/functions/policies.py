"""What the owner of a table allows, for the scripts: sql/shared/policy.sql."""

from __future__ import annotations

from .declaration import Function, Parameter

POLICIES: tuple[Function, ...] = (
    Function(
        name="policy_uses",
        kind="scalar",
        parameters=(
            Parameter("names", "VARCHAR[]", "names of columns"),
            Parameter("purpose", "VARCHAR", "match, group, measure, train or score"),
        ),
        returns="STRUCT(column_name VARCHAR, use VARCHAR)[]",
        about="Columns with what a script uses them for, as its variable `policy` has them, which "
        "is compared with the table duckpriv_policies.",
        reveals="Nothing leaves.",
        example="SELECT policy_uses(['age', 'city'], 'group') AS uses",
        body="policies.sql",
    ),
)
