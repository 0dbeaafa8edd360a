from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.audience.encoding import CHUNK, encoding_of

WEST = "email,name\nann@example.org,Jürgen Müller\nbob@example.org,Zoë François\n"


def encoding(folder: Path, content: bytes) -> tuple[str, bool]:
    path = folder / "list.csv"
    path.write_bytes(content)
    return encoding_of(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"email\n", ("utf-8-sig", False)),
        (WEST.encode(), ("utf-8-sig", False)),
        (WEST.encode("utf-8-sig"), ("utf-8-sig", False)),
        (WEST.encode("utf-16"), ("utf-16", False)),
        (b"\xfe\xff" + WEST.encode("utf-16-be"), ("utf-16", False)),
        (b"a" * (CHUNK - 1) + "é".encode(), ("utf-8-sig", False)),
        (WEST.encode("cp1252"), ("cp1252", True)),
        ("ann@x.org,José\n".encode("cp1252"), ("cp1252", True)),
        ("ann@x.org,Åse Øyen\n".encode("cp1252"), ("cp1252", True)),
        ("ann@x.org,O’Brien\n".encode("cp1252"), ("cp1252", True)),
        (b"ann@x.org,a\n" * 20_000 + WEST.encode("cp1252"), ("cp1252", True)),
        ("a@b.ru,Иван Петров\nc@b.ru,Мария Иванова\n".encode("cp1251"), ("cp1251", True)),
        ("a@b.gr,Γιώργος Παπαδόπουλος\nb@b.gr,Ελένη\n".encode("cp1253"), ("cp1253", True)),
        ("a@b.jp,山田太郎\nb@b.jp,鈴木さくら\n".encode("cp932"), ("cp932", True)),
        ("a@b.pl,Łukasz Żółć\nc@b.pl,Grażyna Śliwińska\n".encode("cp1250"), ("cp1250", True)),
    ],
)
def test_an_encoding_is_known_by_its_bytes_and_told_when_it_is_a_guess(
    tmp_path: Path, content: bytes, found: tuple[str, bool]
) -> None:
    assert encoding(tmp_path, content) == found


def test_utf_16_that_breaks_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnicodeError, match="begins as UTF-16"):
        encoding(tmp_path, "email".encode("utf-16") + b"x")


@given(content=st.binary(max_size=200))
def test_whatever_the_bytes_they_decode(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        name, _ = encoding(tmp_path_factory.getbasetemp(), content)
    except UnicodeError:
        assert content.startswith((b"\xff\xfe", b"\xfe\xff"))
    else:
        assert isinstance(content.decode(name), str)
