import io

from campaign_cli.model.frames import framed, next_frame


def test_frames_come_out_as_they_went_in_and_a_part_of_one_is_none() -> None:
    octets = framed(b"one") + framed(b"") + framed(b"three" * 100_000)
    stream = io.BytesIO(octets)
    assert [next_frame(stream) for _ in range(4)] == [b"one", b"", b"three" * 100_000, b""]
    for length in (0, 1, 4, 6):
        assert next_frame(io.BytesIO(octets[:length])) == b""
