"""What a run gives back, in Python and in a notebook."""

from __future__ import annotations

import json
import pickle
import re
from html.parser import HTMLParser

import pytest

from duckpriv import Message, ProtocolError, Result
from duckpriv.scripts import bundled, load, parse

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


class Page(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        assert not attrs or (tag == "table" and dict(attrs).keys() == {"class"})
        self.tags.add(tag)

    def handle_data(self, data) -> None:
        self.texts.append(data)


def test_it_is_the_list_of_its_rows() -> None:
    result = Result(ROWS, script="psi/host", seconds=2.5)
    assert result == ROWS
    assert isinstance(result, list)
    assert repr(result) == repr(ROWS)
    copy = pickle.loads(pickle.dumps(result))  # noqa: S301
    assert copy == ROWS
    assert vars(copy) == vars(result)


def test_a_notebook_shows_rows_messages_and_what_is_next() -> None:
    sent = [Message("lr/step-1", "shop", 10, 1000), Message("lr/step-2", "shop", 20, 2000)]
    result = Result(
        ROWS,
        script="lr_joint_key/host",
        sent=[Message("lr/key-1", "shop", 1, 70), *sent],
        received=[Message("lr/step-1", "shop", 5, 500)],
        seconds=1234.56,
        next_step="Look at model.",
    )
    page = Page(result._repr_html_())
    assert [text for text in page.texts if text.strip()] == [
        *("lr_joint_key/host", ": finished in 1,234.6 s"),
        *("a", "b", "1", "x", "2"),
        *("peer", "channel", "messages", "rows", "bytes"),
        *("sent to", "shop", "lr/key-1", "1", "1", "70"),
        *("sent to", "shop", "lr/step-N", "2", "30", "3,000"),
        *("received from", "shop", "lr/step-1", "1", "5", "500"),
        *("Next:", " Look at model."),
    ]


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "&lt;a"])
def test_nothing_in_it_is_html(bad: str) -> None:
    message = [Message(bad, bad, 1, 1)]
    result = Result([{bad: bad}], script=bad, sent=message, received=message, next_step=bad)
    page = Page(result._repr_html_())
    assert page.tags <= {"p", "b", "table", "tr", "th", "td"}
    assert sum(bad in text for text in page.texts) == 8


def test_control_characters_are_seen_and_long_values_and_tables_cut() -> None:
    rows = [{"x": "\x1b[31m\u202e"}, *({"x": "y" * 1000} for _ in range(30))]
    page = Page(Result(rows)._repr_html_())
    assert "\\x1b[31m\\u202e" in page.texts
    assert max(map(len, page.texts)) < 100
    assert "… 11 more rows" in page.texts


SCRIPT = """
CALL exchange_send('shop', 'notes', 'SELECT i FROM range(3) t(i)');
SELECT require(has_table('later'), 'make the table later');
CALL exchange_send('shop', 'part-' || 7, 'SELECT i FROM range(5) t(i)');
SELECT count(*) AS n FROM exchange_recv('shop', 'answer');
"""
PEER = """
CALL exchange_send('bank', 'answer', 'SELECT i FROM range(2) t(i)');
SELECT count(*) AS n FROM exchange_recv('bank', 'part-7');
"""


def messages(mailbox, sender: str) -> list[Message]:
    """What the mailbox has, by its manifests."""
    found = []
    for file in (mailbox / "s1" / sender).glob("*/*.json"):
        read = json.loads(file.read_text())
        found.append(Message(read["channel"], read["receiver"], read["rows"], read["bytes"]))
    return sorted(found)


def test_what_a_run_sent_and_received_also_before_it_was_interrupted(
    connect, together, tmp_path
) -> None:
    (tmp_path / "own.sql").write_text(SCRIPT)
    (tmp_path / "peer.sql").write_text(PEER)
    (tmp_path / "other.sql").write_text("CALL exchange_send('shop', 'other', 'SELECT 1 AS i');")
    bank, shop = connect("bank"), connect("shop")
    with pytest.raises(ProtocolError):
        bank.run(tmp_path / "own.sql")
    other = bank.run(tmp_path / "other.sql")
    bank.con.execute("CREATE TABLE later (i INTEGER)")
    ours, theirs = together(
        lambda: bank.run(tmp_path / "own.sql"), lambda: shop.run(tmp_path / "peer.sql")
    )
    assert (ours, theirs) == ([{"n": 2}], [{"n": 5}])
    assert sorted(ours.sent + other.sent) == messages(tmp_path / "mailbox", "bank")
    assert [message.channel for message in other.sent] == ["other"]
    answer = messages(tmp_path / "mailbox", "shop")
    assert theirs.sent == answer
    assert ours.received == [answer[0]._replace(peer="shop")]
    assert [(m.channel, m.peer) for m in theirs.received] == [("part-7", "bank")]
    again = bank.run(tmp_path / "own.sql")  # it is finished
    assert (again, again.sent, again.received) == (ours, ours.sent, ours.received)
    assert ours.script == str(tmp_path / "own.sql")
    assert ours.seconds > 0


def test_without_an_exchange_nothing_is_sent(tmp_path) -> None:
    import duckpriv

    (tmp_path / "own.sql").write_text("-- next Look at ${x}.\n\nSELECT 1 AS i;")
    with duckpriv.connect(keyring=tmp_path / "keys") as party:
        result = party.run(tmp_path / "own.sql", x="it")
    assert (result, result.sent, result.received) == ([{"i": 1}], [], [])
    assert result.next_step == "Look at it."


@pytest.mark.parametrize("name", bundled())
def test_each_bundled_script_says_what_is_next(name: str) -> None:
    script = load(name)
    values = {variable.name: f"<{variable.name}>" for variable in script.variables}
    text = script.next_step(values)
    assert text.endswith(".")
    assert "${" not in text
    assert "-- next" not in script.about
    assert set(re.findall(r"\b\w+/\w+", text)) <= set(bundled())


def test_what_is_next_may_have_several_lines() -> None:
    script = parse("x", "-- About it.\n-- set a = 1  it\n-- next One,\n-- next two.\n\nSELECT 1;")
    assert (script.about, script.next_step({})) == ("About it.", "One, two.")
