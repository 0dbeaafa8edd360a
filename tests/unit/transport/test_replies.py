import itertools

from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.reply import Answer, Reply, Silence
from campaign_cli.transport.replies import MAX_LINE, MAX_LINES, MAX_TEXT, ReplyParser

STREAM = (
    b"220 mail.example ESMTP\r\n"
    b"250-mail.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
    b"550-5.1.1 The account does not exist.\r\n550 5.1.1 Try another - gsmtp\r\n"
    b"354\r\n"
    b"421 4.7.0 bye\n"
)

REPLIES = [
    Reply(220, "", "mail.example ESMTP"),
    Reply(250, "", "mail.example PIPELINING SIZE 1000"),
    Reply(550, "5.1.1", "The account does not exist. Try another - gsmtp"),
    Reply(354, "", ""),
    Reply(421, "4.7.0", "bye"),
]


def parse(*pieces: bytes) -> list[Answer]:
    parser = ReplyParser()
    return [answer for piece in pieces for answer in parser.feed(piece)]


def test_replies_are_read_with_their_enhanced_codes_and_all_their_lines() -> None:
    assert parse(STREAM) == REPLIES


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_replies_do_not_depend_on_how_the_bytes_were_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert parse(*(STREAM[start:end] for start, end in itertools.pairwise(edges))) == REPLIES


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser_and_nothing_is_heard_after_nonsense(received: bytes) -> None:
    answers = parse(received, b"250 fine\r\n")
    silences = [place for place, answer in enumerate(answers) if isinstance(answer, Silence)]
    assert silences in ([], [len(answers) - 1])


def test_what_is_not_smtp_ends_the_conversation() -> None:
    for nonsense in (b"HTTP/1.1 400\r\n", b"2_5 x\r\n", b"2500 x\r\n", b"999 x\r\n", b"\r\n", b"250-a\r\n550 b\r\n"):
        answers = parse(nonsense)
        assert isinstance(answers[-1], Silence), nonsense


def test_endless_lines_and_endless_replies_are_cut_off() -> None:
    assert isinstance(parse(b"250 " + b"x" * MAX_LINE)[-1], Silence)
    assert isinstance(parse(b"250-more\r\n" * (MAX_LINES + 1))[-1], Silence)


def test_what_could_move_a_cursor_never_comes_through() -> None:
    assert parse(b"550 \x1b[2Jgone\x07\x00\r\n") == [Reply(550, "", "\ufffd[2Jgone\ufffd\ufffd")]


def test_a_reply_of_one_line_is_the_same_whether_it_was_said_before_or_not() -> None:
    again = b"250-2.0.0 a\r\n250 2.0.0 b\r\n250 2.0.0 b\r\n250 2.0.0 b\r\n"
    assert parse(again) == [Reply(250, "2.0.0", "a b"), Reply(250, "2.0.0", "b"), Reply(250, "2.0.0", "b")]


def test_of_a_text_as_long_as_a_book_the_beginning_is_kept() -> None:
    (said,) = parse(*(b"550-" + b"x" * (MAX_LINE - 4) + b"\r\n" for _ in range(MAX_LINES - 1)), b"550 end\r\n")
    assert said == Reply(550, "", "x" * MAX_TEXT + "...")
