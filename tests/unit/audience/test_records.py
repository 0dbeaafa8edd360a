from collections.abc import Iterator

from campaign_cli.audience.records import LONGEST_TOGETHER, ROWS_TOGETHER, Record, together

WRONG = "why"


def lines(*records: Record) -> list[list[int]]:
    return [[*each.lines] for each in together(records)]


def test_rows_are_put_together_as_long_as_they_are_right_and_under_the_same_columns() -> None:
    a, b = ("a",), ("b",)
    rows = [Record(1, a, ["x"]), Record(2, a, ["y"]), Record(3, b, ["z"]), Record(4, a, ["x"], WRONG)]
    rows += [Record(5, a, ["x"], WRONG), Record(6, a, ["x"]), Record(7, a, ["y"])]
    assert [*together(rows)] == [
        (a, [1, 2], [["x"], ["y"]], ""),
        (b, [3], [["z"]], ""),
        (a, [4], [["x"]], WRONG),
        (a, [5], [["x"]], WRONG),
        (a, [6, 7], [["x"], ["y"]], ""),
    ]
    assert [*together([])] == []


def test_there_is_an_end_to_how_many_are_put_together() -> None:
    rows = [Record(line, ("a",), ["x"]) for line in range(2 * ROWS_TOGETHER + 1)]
    assert [len(each) for each in lines(*rows)] == [ROWS_TOGETHER, ROWS_TOGETHER, 1]
    long = [Record(line, ("a",), ["x" * LONGEST_TOGETHER]) for line in range(4)]
    assert lines(*long) == [[0, 1], [2, 3]]


def test_a_row_is_not_read_before_it_is_asked_for() -> None:
    rows: Iterator[Record] = iter([Record(line, ("a",), ["x"]) for line in range(2 * ROWS_TOGETHER)])
    next(together(rows))
    assert next(rows).line == ROWS_TOGETHER + 1
