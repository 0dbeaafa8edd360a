import csv
import io
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import RowStatus, State
from campaign_cli.model.result import Result
from campaign_cli.report.csv import COLUMNS, FORMULA_STARTS, write_report, write_rows

TEXT = st.text(st.sampled_from(",\"' =") | st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
TIME = st.none() | st.floats(0, 4e9)
RESULTS = st.builds(
    Result,
    line=st.integers(1, 10**6),
    email=TEXT | st.sampled_from(["=1+2@x.example", "+a@x.example", "-a@x.example", "@x", "\tx", "\rx"]),
    provider=st.none() | TEXT,
    status=st.sampled_from([*State, *RowStatus]).map(str),
    attempts=st.integers(0, 99),
    code=st.none() | st.integers(200, 599),
    enhanced_code=st.none() | st.sampled_from(["", "5.1.1"]),
    reply=st.none() | TEXT,
    route=st.none() | TEXT,
    tls=st.none() | TEXT,
    message_id=st.none() | TEXT,
    revision=st.none() | st.integers(1, 99),
    variant=st.none() | st.sampled_from(["a", "new-2"]),
    first_attempt_at=TIME,
    last_attempt_at=TIME,
    reason=st.none() | TEXT,
)
BOUNCED = Result(
    7,
    "ann@gmail.com",
    "gmail",
    "bounced",
    1,
    550,
    "5.1.1",
    "no such user",
    "mail.example:587",
    "TLSv1.3, verified",
    "<a@b>",
    2,
    "lively",
    0.0,
    90.5,
    None,
)


def test_the_columns_are_those_of_the_docs() -> None:
    assert ",".join(COLUMNS) == (
        "line,email,provider,status,attempts,code,enhanced_code,reply,route,tls,message_id,"
        "revision,variant,first_attempt_at,last_attempt_at,reason"
    )


def test_a_result_is_one_line_with_utc_times() -> None:
    file = io.StringIO()
    write_rows(file, [BOUNCED])
    assert file.getvalue().splitlines()[1] == (
        '7,ann@gmail.com,gmail,bounced,1,550,5.1.1,no such user,mail.example:587,"TLSv1.3, verified",<a@b>,2,lively,'
        "1970-01-01T00:00:00+00:00,1970-01-01T00:01:30+00:00,"
    )


@given(st.lists(RESULTS, max_size=8))
def test_another_reader_finds_every_result_in_its_place_and_no_formula(results: list[Result]) -> None:
    file = io.StringIO(newline="")
    assert write_rows(file, results) == len(results)
    assert len(file.getvalue().splitlines()) == len(results) + 1
    file.seek(0)
    rows = list(csv.DictReader(file))
    assert len(rows) == len(results)
    for row, result in zip(rows, results, strict=True):
        assert (row["line"], row["status"]) == (str(result.line), result.status)
        for column in ("email", "reply", "reason", "provider", "route", "tls", "message_id"):
            value = getattr(result, column) or ""
            assert not row[column].startswith((*FORMULA_STARTS, "\t", "\r"))
            words = re.split(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", value)
            assert row[column].removeprefix("'") == " ".join(words).strip().removeprefix("'")


@given(st.lists(RESULTS, max_size=8))
def test_it_is_byte_by_byte_what_pythons_writer_makes_of_the_same_cells(results: list[Result]) -> None:
    file, again = io.StringIO(newline=""), io.StringIO(newline="")
    write_rows(file, results)
    csv.writer(again, lineterminator="\n").writerows(csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True))
    assert file.getvalue() == again.getvalue()


def test_a_report_that_cannot_be_finished_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("old")

    def failing():
        yield BOUNCED
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_report(path, failing())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="--report"):
        write_report(tmp_path / "no" / "report.csv", [])


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to("real.csv")
    assert write_report(link, [BOUNCED]) == 1
    assert link.readlink() == Path("real.csv")
    assert (tmp_path / "real.csv").read_text().count("\n") == 2


def test_a_device_is_written_to() -> None:
    # A terminal of our own: in its folder no file can be made, whereas whoever may write to /dev could lose /dev/null.
    terminal, device = os.openpty()
    try:
        assert write_report(Path(os.ttyname(device)), [BOUNCED]) == 1
        said = b""
        while said.count(b"\n") < 2:
            said += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        os.close(device)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    write_report(pipe, [BOUNCED])
    assert reader.communicate(timeout=10)[0].count("\n") == 2
