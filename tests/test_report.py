"""The report: its numbers against scikit-learn and plain SQL, and awkward data."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

import duckpriv
from duckpriv import DuckprivError
from duckpriv.cli import cli
from duckpriv.report import KINDS, blocks
from tests.effort import takes_long
from tests.reports import STRANGE, Page, report, strange_database, two_shops


def database(folder: Path, *statements: str) -> Path:
    file = folder / "my.duckdb"
    with duckdb.connect(str(file)) as con:
        for statement in statements:
            con.execute(statement).fetchall()
    return file


def scored(folder: Path, scores: np.ndarray, labels: np.ndarray) -> Path:
    file = folder / "my.duckdb"
    with duckdb.connect(str(file)) as con:
        columns = {"q": scores, "yes": labels}
        con.register("numbers", pa.table(columns))
        con.execute("CREATE TABLE s AS SELECT q::DOUBLE AS q, yes::INTEGER AS yes FROM numbers")
    return file


def numbers(cells: list[str]) -> list[float]:
    return [float(cell.replace(",", "")) for cell in cells]


def test_scores_are_measured_as_scikit_learn_does(tmp_path) -> None:
    rng = np.random.default_rng(5)
    p = rng.beta(2, 3, 2000)
    y = (rng.random(2000) < p**1.5).astype(int)
    page = report(scored(tmp_path, p, y), "s", "q", "yes")
    assert page.facts["rows"] == "2,000"
    assert page.facts["label 1"] == f"{y.sum()}"
    auc = sklearn.roc_auc_score(y, p)
    fpr, tpr, thresholds = sklearn.roc_curve(y, p, drop_intermediate=False)
    ks, at = np.abs(tpr - fpr).max(), thresholds[np.abs(tpr - fpr).argmax()]
    found = numbers([page.facts[name] for name in ("AUC", "KS", "log loss")])
    assert found == pytest.approx([auc, ks, sklearn.log_loss(y, p)], rel=1e-4)
    (roc,) = (text for text in page.pictures if "ROC" in text)
    assert f"AUC {auc:.4f}" in roc
    assert f"KS {ks:.4f}" in roc
    assert f"at score {at:.5g}" in roc
    head, *bins = page.tables["Calibration"]
    assert head == ["score", "rows", "mean score", "share of label 1"]
    share, mean = calibration_curve(y, p, n_bins=10)
    assert numbers([row[2] for row in bins]) == pytest.approx(mean, rel=1e-4)
    assert numbers([row[3] for row in bins]) == pytest.approx(share, rel=1e-4)
    assert numbers([row[1] for row in bins]) == np.histogram(p, 10, (0, 1))[0].tolist()
    _, *lines = page.tables["Thresholds"]
    assert len(lines) == 10
    (marked,) = (line for line in lines if line[0].endswith(" (KS)"))
    assert float(marked[0].split()[0]) == pytest.approx(at, rel=1e-4)
    for line in lines:
        guess = p >= (at if line is marked else float(line[0]))
        tn, fp, fn, tp = sklearn.confusion_matrix(y, guess).ravel()
        rates = (
            sklearn.accuracy_score(y, guess),
            sklearn.precision_score(y, guess),
            sklearn.recall_score(y, guess),
        )
        assert numbers(line[1:]) == pytest.approx([tp + fp, tp, fp, fn, tn, *rates], rel=1e-4)


def test_the_curve_that_is_drawn_has_the_area_that_is_said(tmp_path) -> None:
    """Points that nobody could tell apart are not in the picture."""
    rng = np.random.default_rng(6)
    p = rng.random(50_000)
    page = report(scored(tmp_path, p, (rng.random(50_000) < p).astype(int)), "s", "q", "yes")
    svg = page.html[page.html.index('aria-label="ROC curve') :]
    lines = re.findall(r'<path d="(M [^"]*)"[^>]*style="[^"]*stroke: #1f5a96', svg)
    x, y = np.array(re.findall(r"[ML] (\S+) (\S+)", lines[0]), float).T
    assert len(x) < 2000
    x, y = (x - x[0]) / (x[-1] - x[0]), (y - y[0]) / (y[-1] - y[0])
    area = ((y[1:] + y[:-1]) / 2 * np.diff(x)).sum()
    assert area == pytest.approx(float(page.facts["AUC"]), abs=2e-3)


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_kind(tmp_path, label: int) -> None:
    page = report(scored(tmp_path, np.array([0.2, 0.7]), np.array([label] * 2)), "s", "q", "yes")
    assert f"Every label is {label}. AUC, KS and the ROC curve compare" in page.text
    assert "AUC" not in page.facts
    assert float(page.facts["log loss"]) == pytest.approx(
        sklearn.log_loss([label] * 2, [0.2, 0.7], labels=[0, 1]), rel=1e-4
    )
    assert page.tables["Thresholds"][-1][1:3] == ["0", "0"]
    assert page.tables["Thresholds"][-1][7] == "–"  # nothing counts as 1


def test_rows_without_a_score_or_a_label_are_counted_and_left_out(tmp_path) -> None:
    file = database(
        tmp_path,
        "CREATE TABLE s AS FROM (VALUES (0.9, 1), (0.2, 0), (NULL, 1), (NULL, NULL), (0.4, NULL)) "
        "t(score, label)",
    )
    page = report(file, "s")
    assert page.facts["rows"] == "2"
    assert page.facts["AUC"] == "1"
    assert "2 rows without a score are left out." in page.text
    assert "1 row without a label is left out." in page.text


def test_there_may_be_no_row_with_a_score(tmp_path) -> None:
    page = report(database(tmp_path, "CREATE TABLE s (score DOUBLE, label BOOLEAN)"), "s")
    assert "There is no row with both a score and a label." in page.text


def test_scores_that_are_all_the_same(tmp_path) -> None:
    p, y = np.full(7, 0.25), np.array([0, 1, 0, 0, 1, 0, 0])
    page = report(scored(tmp_path, p, y), "s", "q", "yes")
    assert (page.facts["AUC"], page.facts["KS"]) == ("0.5", "0")
    assert page.tables["Calibration"][1:] == [["0.2 to 0.3", "7", "0.25", "0.28571"]]
    assert [row[0] for row in page.tables["Thresholds"][3:5]] == ["0.25 (KS)", "0.3"]


def test_what_is_no_probability_is_refused(tmp_path) -> None:
    file = database(tmp_path, "CREATE TABLE s AS SELECT 1.5 AS score, 1 AS label")
    with pytest.raises(duckdb.Error, match="a score is NULL or not from 0 to 1"):
        report(file, "s")


def test_a_training_is_shown_to_its_last_step(tmp_path) -> None:
    file = database(
        tmp_path,
        "CREATE TABLE training_log AS SELECT i AS iteration, CASE WHEN i IN (1, 6, 10) THEN 0.7 - "
        "i / 50 END AS loss, 1 / i AS gradient_norm, 0.5 AS seconds, 1000 AS bytes "
        "FROM range(1, 11) t(i)",
        "CREATE TABLE model AS FROM (VALUES ('(intercept)', 9.5, 0.25), ('<b>age', -0.5, -0.125), "
        "('income', 1.5, 2)) t(feature, weight, weight_original)",
    )
    page = report(file)
    assert "The last loss is 0.5, of step 10, the last step." in page.text
    assert "Loss by step: 0.68 in step 1, 0.5 in step 10." in page.labels
    assert page.tables["Steps of the training"][10] == ["10", "0.5", "0.1", "0.5", "1,000"]
    assert page.tables["Steps of the training"][2][1] == "–"
    assert page.tables["Weights"][2] == ["<b>age", "-0.5", "-0.125"]
    (weights,) = (text for text in page.pictures if "income" in text)
    assert weights.split() == ["income", "1.5", "<b>age", "-0.5", "Weights"]
    with duckdb.connect(str(file)) as con:
        con.execute("UPDATE training_log SET loss = NULL WHERE iteration > 6")
    assert "The last loss is 0.58, of step 6; the last step is 10." in report(file).text
    with duckdb.connect(str(file)) as con:
        con.execute("UPDATE training_log SET loss = CASE WHEN iteration < 3 THEN 1e308 END")
    page = report(file)
    assert "2 numbers are infinite or too large, and in the table only." in page.text
    assert "This party has no loss." not in page.text
    with duckdb.connect(str(file)) as con:
        con.execute("UPDATE training_log SET loss = NULL, gradient_norm = NULL")
        con.execute("UPDATE model SET weight = NULL, weight_original = NULL")
    page = report(file)
    assert "This party has no loss." in page.text
    assert "This party knows no weights" in page.text
    assert page.pictures == []


@pytest.fixture(scope="module")
def strange(tmp_path_factory) -> tuple[Path, Page]:
    file = tmp_path_factory.mktemp("strange") / "strange.duckdb"
    strange_database(file)
    return file, report(file, "scored")


@takes_long
def test_names_are_text_whatever_is_in_them(strange) -> None:
    _, page = strange
    shown = [*STRANGE[:-1], r"left\u202eright\x1b[2J\n"]
    for table in ("Weights", "Variance inflation", "Weight of evidence by bin"):
        assert set(shown) <= {row[0] for row in page.tables[table]}, table
    assert "\u202e" not in page.html
    assert "\x1b" not in page.html
    assert page.tags & {"script", "b", "i", "img", "iframe", "object", "link"} == set()
    assert not [name for name in page.attributes if name.startswith("on")]
    # In pictures, a long name is shortened, and one of some letters is as it is.
    assert any("<script>alert(1)</script>" in text for text in page.pictures)
    assert any("$x_1^2$ ]]>" in text for text in page.pictures)


def test_nothing_is_left_out_in_silence(strange) -> None:
    file, page = strange
    groups = page.tables["Aggregates by group"]
    assert len(groups) == 1 + blocks.MOST_ROWS
    assert "3,000 groups, of which 1,000 are suppressed." in page.text
    assert "1,000 of 3,000 rows are shown. All are in the table aggregate." in page.text
    assert "The 30 largest of 2,000 groups that are shown are drawn." in page.text
    assert "The 30 largest of 308 columns are drawn." in page.text
    assert "8 numbers are infinite or too large, and in the table only." in page.text
    assert len(page.tables["Weights"]) == 1 + 1 + len(STRANGE) + 300
    assert groups[1] == ["group 0", STRANGE[0], *["suppressed"] * 5]
    assert groups[2][:5] == ["group 1", STRANGE[1], "4,999", "1", "12,345,678,901,235.56"]
    assert groups[3][2:] == ["4,998", *["suppressed"] * 4]
    with duckdb.connect(str(file), read_only=True) as con:
        largest = con.execute("SELECT max(rows) FROM aggregate").fetchall()[0][0]
    (rows,) = (label for label in page.labels if label.startswith("Rows by group"))
    assert f"{largest:,}" in rows


def test_the_page_needs_nothing_from_elsewhere(strange) -> None:
    _, page = strange
    names = r'xmlns(:xlink)?="http://www\.w3\.org/[^"]*"'
    assert "http" not in re.sub(names, "", page.html)
    assert not re.search(r"@import|url\((?!#)", page.html)
    for link in re.findall(r'(?:href|src)="([^"]*)"', page.html):
        assert link.startswith(("#", "data:image/png")), link


def test_hundreds_of_correlations_are_an_image(tmp_path) -> None:
    size = 120
    file = database(
        tmp_path,
        "CREATE TABLE correlation AS SELECT i AS position, 'c' || i AS feature, j AS "
        "other_position, 'c' || j AS other, CASE WHEN i = j THEN 1 ELSE sin(i * j) END::DOUBLE AS "
        f"correlation FROM range({size}) a(i), range({size}) b(j)",
    )
    page = report(file)
    assert len(page.html) < 200_000
    assert f"20 of {size * (size - 1) // 2:,} rows are shown." in page.text
    i, j = np.triu_indices(size, 1)
    strongest = np.sort(np.abs(np.sin(i * j)))[::-1][:20]
    found = numbers([row[2] for row in page.tables["The strongest correlations"][1:]])
    assert np.abs(found) == pytest.approx(strongest, rel=1e-4)


def test_an_aggregate_may_be_empty_or_have_no_groups(tmp_path) -> None:
    file = database(tmp_path, "CREATE TABLE aggregate (x VARCHAR, rows BIGINT, suppressed BOOLEAN)")
    page = report(file)
    assert "0 groups, of which 0 are suppressed." in page.text
    assert page.tables["Aggregates by group"] == [["x", "rows"], ["no rows"]]
    with duckdb.connect(str(file)) as con:
        con.execute("DROP TABLE aggregate")
        con.execute("CREATE TABLE aggregate AS SELECT 50 AS rows, false AS suppressed")
    page = report(file)
    assert page.tables["Aggregates by group"] == [["rows"], ["50"]]
    assert "all rows" in page.pictures[0]


def test_a_lift_has_intervals(tmp_path) -> None:
    file = database(
        tmp_path,
        "CREATE TABLE lift AS SELECT * FROM (VALUES ('Nord', false, 'spend', false, 100, 90, 2.5, "
        "2::DOUBLE, 0.25, 0.125, 0.375, 0.01, 50.0), ('Süd', false, 'spend', true, NULL, NULL, "
        "NULL, NULL, NULL, NULL, NULL, NULL, NULL)) t(region, all_segments, outcome, suppressed, "
        "persons_treatment, persons_control, mean_treatment, mean_control, lift, lift_low, "
        "lift_high, p_value, incremental)",
    )
    page = report(file)
    assert "Lift of spend. Nord 0.25, from 0.125 to 0.375." in page.labels
    assert "1 of 2 lines are drawn" in page.text
    _, nord, south = page.tables["Lift by segment and outcome"]
    assert nord[:7] == ["Nord", "spend", "100", "90", "2.5", "2", "0.25"]
    assert south == ["Süd", "spend", *["suppressed"] * 9]


@pytest.fixture(scope="module")
def shops(tmp_path_factory) -> tuple[Page, Page, dict]:
    folder = tmp_path_factory.mktemp("shops")
    both = two_shops(folder)
    alignment = both.query("guest", "SELECT id, pid FROM alignment")
    with duckdb.connect() as con:
        for me in ("host", "guest"):
            con.execute(f"ATTACH '{folder / me}.duckdb' AS {me} (READ_ONLY)")
        plain = con.execute(
            "SELECT h.region, g.segment, count(*), avg(spend) FROM host.t h JOIN guest.t g ON "
            "coalesce(h.mail = g.mail, false) OR coalesce(h.phone = g.phone, false) GROUP BY ALL"
        ).fetchall()
    return (
        report(folder / "host.duckdb"),
        report(folder / "guest.duckdb"),
        {"alignment": alignment, "plain": plain, "folder": folder},
    )


def test_matching_is_shown_as_counts(shops) -> None:
    host, guest, known = shops
    matched = len({pid for _, pid in known["alignment"]})
    assert guest.facts["matched"] == str(matched) == "200"
    assert (guest.facts["rows"], guest.facts["only there"]) == ("320", "100")
    assert guest.tables["Matches by key"] == [
        ["key", "distinct ids", "repeated", "matched by it"],
        ["mail", "240", "0", "150"],
        ["phone", "272", "0", "50"],
    ]
    assert host.facts["rows"] == "300"
    assert "matched" not in host.facts
    assert "The host does not learn how many of its ids matched." in host.text
    for page in (host, guest):
        assert "@example.com" not in page.html
        assert "+49" not in page.html
        assert not [pid for _, pid in known["alignment"] if str(pid) in page.html]


def test_aggregates_are_those_of_the_joined_tables(shops) -> None:
    lines = {
        ("(no value)" if region is None else region, segment): (count, mean)
        for region, segment, count, mean in shops[2]["plain"]
    }
    for page in shops[:2]:
        _, *rows = page.tables["Aggregates by group"]
        assert len(rows) == 8
        for region, segment, count, *_, mean, _variance in rows:
            if segment == "rare":
                assert (count, mean) == ("suppressed", "suppressed")
            elif region == "all":
                assert int(count) == sum(c for (_, s), (c, _) in lines.items() if s == segment)
            else:
                assert int(count) == lines[region, segment][0]
                assert float(mean) == pytest.approx(lines[region, segment][1], rel=1e-4)
        assert "6 groups, of which 3 are suppressed." in page.text


def test_a_report_says_where_results_come_from(shops) -> None:
    host, guest, _ = shops
    assert "Session s-aggregate: aggregate/host with guest, table t, ended 2" in host.text
    assert "Session s-aggregate: aggregate/guest with host, table t, ended 2" in guest.text
    assert (guest.facts["party"], guest.facts["peer"]) == ("guest", "host")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", guest.facts["report made"])
    _, last, first = guest.tables["Runs"]
    assert last[:3] == ["s-aggregate", "aggregate/guest", "finished"]
    assert first[:3] == ["s-psi", "psi/guest", "finished"]
    assert first[5] == f"duckpriv {duckpriv.__version__}"
    assert first[6] == "id=mail; phone, kind=email; phone, peer=host, table=t"
    assert [row[:3] for row in guest.tables["Messages"][1:]] == [
        ["s-aggregate", "host", "aggregate/1"],
        ["s-psi", "host", "psi/1"],
    ]
    assert guest.tables["Messages"][2][7] == "none"
    released = guest.tables["What was released"]
    assert [row[1:5] for row in released[1:]] == [
        ["s-aggregate", "aggregate/guest", "host", "main.t"],
        ["s-psi", "psi/guest", "host", "main.t"],
    ]


def test_a_journal_that_makes_no_sense_shows_no_counts(tmp_path) -> None:
    file = database(
        tmp_path,
        "CREATE TABLE duckpriv_runs (run VARCHAR, session VARCHAR, script VARCHAR, settings "
        "VARCHAR, text_sha256 VARCHAR, state VARCHAR, began_at TIMESTAMP, ended_at TIMESTAMP, "
        "messages BIGINT, result BLOB, mac BLOB)",
        "INSERT INTO duckpriv_runs VALUES ('r', '<i>s', 'psi/guest', '[no', 'x', 'finished', "
        "now()::TIMESTAMP, NULL, 1, 'no Arrow'::BLOB, NULL)",
    )
    page = report(file)
    assert "Session <i>s: psi/guest, ended – UTC." in page.text
    assert page.tables["Runs"][1][5:] == ["another", ""]
    assert "matched" not in page.facts


def test_a_broken_audit_is_said(shops, tmp_path) -> None:
    file = Path(shutil.copy(shops[2]["folder"] / "guest.duckdb", tmp_path))
    with duckdb.connect(str(file)) as con:
        con.execute("DELETE FROM duckpriv_audit WHERE number = 2")
    assert "Messages are not listed: the audit table is not whole" in report(file).text


def test_a_table_that_is_asked_for_has_to_be_there(tmp_path) -> None:
    file = database(tmp_path, "CREATE TABLE model AS SELECT 'ann@example.com' AS person")
    with pytest.raises(DuckprivError, match="there is nothing to report: no runs are noted"):
        report(file)
    with pytest.raises(DuckprivError, match="there is no table weights, which --model asks for"):
        report(file, model="weights")
    with pytest.raises(DuckprivError, match="lacks the columns feature, weight, weight_original"):
        report(file, model="model")
    with duckdb.connect(str(file)) as con:
        con.execute("CREATE TABLE other AS SELECT 5 AS rows, false AS suppressed")
    page = report(file, aggregate="other")
    assert "The table model lacks the columns feature, weight, weight_original" in page.text
    assert "ann@example.com" not in page.html


def test_the_command_has_an_option_for_each_kind(tmp_path) -> None:
    file = database(
        tmp_path,
        "CREATE TABLE s AS SELECT i / 20 AS q, i % 3 = 0 AS yes FROM range(20) t(i)",
        'CREATE TABLE "my \'log" AS SELECT 1 AS iteration, 0.5 AS loss, 1.0 AS gradient_norm, '
        "1 AS seconds, 1 AS bytes",
    )
    output = tmp_path / "out.html"
    arguments = ["report", "--db", str(file), "--output", str(output), "--log", "my 'log"]
    scored_by = ["--scored", "s", "--score", "Q", "--label", "yes"]
    done = CliRunner().invoke(cli, [*arguments, *scored_by], catch_exceptions=False)
    assert done.exit_code == 0
    page = Page(output)
    assert page.facts["rows"] == "20"
    assert "Steps of the training" in page.tables
    text = CliRunner().invoke(cli, ["report", "--help"]).output
    for kind in KINDS:
        assert f"--{kind.option}" in text
        assert f"[default: ({kind.usual})]" in re.sub(r"\s+", " ", text)


@takes_long
def test_the_commands_of_the_manual_run(tmp_path) -> None:
    manual = Path(__file__).parent.parent / "docs" / "report.md"
    file = tmp_path / "bank.duckdb"
    with duckdb.connect(str(file)) as con:
        con.execute(
            "CREATE TABLE customers AS SELECT i AS email, i % 2 AS repaid FROM range(9) t(i)"
        )
        con.execute("CREATE TABLE predictions AS SELECT i AS id, i / 9 AS score FROM range(9) t(i)")
        con.execute(re.findall(r"```sql\n(.*?)```", manual.read_text(), re.DOTALL)[0])
    (commands,) = re.findall(r"```sh\n(.*?)```", manual.read_text(), re.DOTALL)
    install, command = commands.splitlines()
    assert install == "pip install 'duckpriv[report]'"
    program = [Path(sys.executable).parent / "duckpriv", *command.split()[1:]]
    assert command.startswith("duckpriv ")
    subprocess.run(program, cwd=tmp_path, check=True, timeout=120)
    page = Page(tmp_path / "report.html")
    titles = re.findall(r"<h2>(.*?)</h2>", page.html)
    assert titles == ["About this report", "Scores: scored"]
    named = re.findall(r"^\| ([^|]+) \|", manual.read_text(), re.MULTILINE)[1:]
    assert named == [
        "About this report",
        "Matching",
        "Aggregates",
        "Lift",
        "Training",
        "Weights",
        "Correlations",
        "What columns tell of the label",
        "Scores",
        "Where the results come from",
    ]
