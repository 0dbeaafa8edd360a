import pytest

from campaign_cli.model.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("55m", 3300.0), ("2h", 7200.0), ("1h30m", 5400.0), ("4 d", 345600.0), ("10min", 600.0)],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "55", "m", "1h30", "soon", "1y"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (720, "12 min"),
        (3599, "1 h"),
        (10440, "2 h 54 min"),
        (7500, "2 h 05 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_it_is_shown_in_at_most_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
