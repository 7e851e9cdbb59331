"""Turn a Jupyter notebook into a page: its texts, its cells, and the results that stand in it."""

from __future__ import annotations

import json
import re
from typing import Any

_CELL = "```{language}\n{source}\n```\n"
_RESULT = "```text\n{text}\n```\n"
_PICTURE = '<img alt="" src="data:image/{kind};base64,{data}">\n'
# A frame of pandas brings a look of its own; it gets that of the site's tables.
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_FRAME = '<table border="1" class="dataframe">'


def _joined(text: str | list[str]) -> str:
    """A notebook has a text as one string, or as its lines."""
    return text if isinstance(text, str) else "".join(text)


def _result(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _RESULT.format(text=_joined(output["text"]).rstrip())
    if output["output_type"] == "error":
        raise ValueError(f"a cell ended with {output['ename']}; run the notebook again")
    data = output["data"]
    if "image/png" in data:
        return _PICTURE.format(kind="png", data=_joined(data["image/png"]).strip())
    if "image/svg+xml" in data:
        return "".join(line for line in _joined(data["image/svg+xml"]).splitlines() if line) + "\n"
    if "text/html" in data:
        html = _STYLE.sub("", _joined(data["text/html"])).replace(_FRAME, "<table>")
        # Without empty lines, which would end the block.
        lines = [line.strip() for line in html.splitlines()]
        return "\n".join(["<div>", *filter(None, lines), "</div>", ""])
    return _RESULT.format(text=_joined(data["text/plain"]).rstrip())


def _cell(cell: dict[str, Any]) -> str:
    source = _joined(cell["source"]).rstrip()
    if cell["cell_type"] == "markdown":
        return source + "\n"
    if cell["cell_type"] != "code" or not source:
        return ""
    language = "sql" if source.startswith("%%") and "sql" in source.splitlines()[0] else "python"
    shown = [_CELL.format(language=language, source=source)]
    return "\n".join([*shown, *map(_result, cell["outputs"])])


def markdown(text: str) -> str:
    """Return the page of a notebook, given as its file's text."""
    return "\n".join(filter(None, map(_cell, json.loads(text)["cells"])))
