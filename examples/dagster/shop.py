"""Assets of the shop's: its clients, and which of them the bank has. A month is a session."""

import duckdb
from dagster import AssetExecutionContext, Definitions, MonthlyPartitionsDefinition, asset

import duckpriv

DATABASE = "shop.duckdb"
MONTHS = MonthlyPartitionsDefinition(start_date="2026-01-01")


@asset(partitions_def=MONTHS)
def clients() -> None:
    """Stands for a table that the shop has."""
    with duckdb.connect(DATABASE) as con:
        con.execute(
            "CREATE OR REPLACE TABLE clients AS SELECT 'User' || i || '@Example.com ' AS mail, "
            "i * 13 % 7 AS orders FROM range(100, 400) t(i)"
        )


@asset(partitions_def=MONTHS, deps=[clients])
def matching(context: AssetExecutionContext) -> None:
    """The clients that the bank has too, in a table for each month."""
    month = context.partition_key[:7]
    with duckpriv.connect(
        DATABASE,
        me="shop",
        exchange="dir:../mailbox",
        keyring="../shop.keys",
        session=f"match-{month}",
        timeout=600,
    ) as party:
        (summary,) = party.run(
            "psi/guest",
            peer="bank",
            table="clients",
            id="mail",
            kind="email",
            result=f"matching_{month}",
        )
    context.add_output_metadata({name: str(value) for name, value in summary.items()})


definitions = Definitions(assets=[clients, matching])
