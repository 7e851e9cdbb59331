"""Write the function reference from the registry: `make docs` puts it into docs/functions.md."""

from __future__ import annotations

from duckpriv.functions import FUNCTIONS, Function


def section(function: Function) -> str:
    """Return one function's section."""
    lines = [f"## {function.name}", "", f"`{function.signature}` → {function.returns}", ""]
    lines += [function.about, ""]
    for parameter in function.parameters:
        lines.append(f"- `{parameter.name}`: {parameter.type}; {parameter.about}")
    if function.parameters:
        lines.append("")
    lines += [f"**Reveals.** {function.reveals}", "", "```sql"]
    lines += [f"{statement};" for statement in (*function.setup, function.example)]
    lines += ["```", ""]
    return "\n".join(lines)


def reference() -> str:
    """Return the whole page."""
    head = (
        "# SQL functions\n\nWritten from the registry (`duckpriv/functions/`) by `make docs`; do "
        "not edit. In SQL: `FROM duckpriv.duckpriv_functions()`. A table function is called in "
        "FROM, a call with CALL. With `duckpriv.` before its name a function is found on every "
        "cursor, thread and client; the scripts in sql/ leave it out, since whoever runs one sets "
        "the search path.\n"
    )
    return "\n".join([head, *map(section, FUNCTIONS)])


if __name__ == "__main__":
    print(reference(), end="")
