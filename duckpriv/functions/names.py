"""Names of tables and columns, as people give them."""

from __future__ import annotations

from .declaration import Function, Parameter
from .parameters import MAKE_TABLE, TABLE

_NOTHING = "Nothing leaves."

NAMES: tuple[Function, ...] = (
    Function(
        name="split_names",
        kind="scalar",
        parameters=(Parameter("names", "VARCHAR", "names, with commas between"),),
        returns="VARCHAR[]",
        about="The names in a text, without the spaces around them. One with a comma in it, or a "
        'quote at its beginning, stands in double quotes as in SQL: `"last, first"`.',
        reveals=_NOTHING,
        example="""SELECT split_names('age, "last, first", Größe') AS names""",
        body="names.sql",
    ),
    Function(
        name="plain_name",
        kind="scalar",
        parameters=(Parameter("name", "VARCHAR", "one name, as it is or in double quotes"),),
        returns="VARCHAR",
        about="The name without the double quotes and spaces around it.",
        reveals=_NOTHING,
        example="""SELECT plain_name('"last, first"') AS name""",
        body="names.sql",
    ),
    Function(
        name="table_columns",
        kind="table",
        parameters=(TABLE,),
        returns="TABLE(column_name VARCHAR, column_type VARCHAR, position BIGINT)",
        about="The columns of a table, view, file or table function.",
        reveals=_NOTHING,
        example="FROM table_columns('features')",
        setup=(MAKE_TABLE,),
        body="names.sql",
    ),
    Function(
        name="has_table",
        kind="scalar",
        parameters=(Parameter("name", "VARCHAR", "the name of a table or view, without a schema"),),
        returns="BOOLEAN",
        about="Whether the database that is used has a table or view of this name in the search "
        "path.",
        reveals=_NOTHING,
        example="SELECT has_table('features') AS there",
        setup=(MAKE_TABLE,),
        body="names.sql",
    ),
)
