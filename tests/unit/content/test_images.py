import pickle
import re
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from campaign_cli.content.attachments import Attachments, Pattern
from campaign_cli.content.composer import Composer
from campaign_cli.content.dkim import Signer
from campaign_cli.content.images import Images, may_show
from campaign_cli.content.keys import Algorithm
from campaign_cli.content.manuscript import Kind
from campaign_cli.content.template import load_template
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import ComposeError
from tests.signatures import made_key, verdicts

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.png").write_bytes(b"s")
    (tmp_path / "club/images").mkdir(parents=True)
    (tmp_path / "club/logo.png").write_bytes(PNG)
    (tmp_path / "club/images/my photo & me.jpg").write_bytes(b"photo")
    return tmp_path / "club"


def images(folder: Path, body: str, name: str = "mail.html") -> tuple[Path, Images]:
    path = folder / name
    path.write_text(f"---\nsubject: s\n---\n{body}\n")
    template = load_template(path)
    return path, Images(folder, "y.example", template.sources, markdown=template.kind is Kind.MARKDOWN)


def compose(folder: Path, body: str, name: str = "mail.html", *files: str, signer: Signer | None = None, **fields: str):
    path, found = images(folder, body, name)
    assert found.wrong == []
    attachments = Attachments([Pattern(text, "c.yaml:1", folder) for text in files])
    sender = Mailbox("", Address("news", "y.example"))
    made = Composer(load_template(path), sender, images=found, attachments=attachments, signer=signer)
    made = pickle.loads(pickle.dumps(made))
    content = made.compose(Address("ann", "x.example"), fields, message_id="<1@y.example>", date=0).content
    assert content == made.compose(Address("ann", "x.example"), fields, message_id="<1@y.example>", date=0).content
    return content


def structure(content: bytes) -> tuple[list[str], str, dict[str, bytes]]:
    """The types of all parts, the HTML, and what its images are by their Content-IDs."""
    found = message_from_bytes(content, policy=policy.default)
    assert not [part.defects for part in found.walk() if part.defects]
    page = found.get_body(("html",)).get_content().replace("\r\n", "\n")
    parts = {part["Content-ID"].strip("<>"): part for part in found.walk() if part["Content-ID"]}
    assert all(part.get_content_disposition() == "inline" for part in parts.values())
    return (
        [part.get_content_type() for part in found.walk()],
        page,
        {cid: part.get_payload(decode=True) for cid, part in parts.items()},
    )


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('<img alt="l" src="logo.png">', "mail.html"),
        ('<img src="cid:logo.png" alt="l">', "mail.html"),
        ("<IMG alt=l SRC = 'CID:./logo.png'/>", "mail.html"),
        ("<img\n src=logo.png>", "mail.html"),
        ("{% include 'foot.html' %}", "mail.html"),
        ('<img src="{% if true %}logo.png{% endif %}">', "mail.html"),
        ("![l](logo.png)", "mail.md"),
        ("![l][1]\n\n[1]: cid:logo.png", "mail.md"),
    ],
)
def test_an_image_of_the_folder_goes_with_the_message(folder: Path, body: str, name: str) -> None:
    (folder / "foot.html").write_text("<img src='logo.png'>")
    kinds, page, parts = structure(compose(folder, body, name))
    assert kinds == ["multipart/related", "multipart/alternative", "text/plain", "text/html", "image/png"]
    (content_id,) = re.findall(r"""src *= *"cid:([^"]+)\"""", page, re.IGNORECASE)
    assert parts == {content_id: PNG}
    assert re.fullmatch(r"[0-9a-f]{32}@y\.example", content_id)


def test_one_that_is_shown_twice_goes_once_and_keeps_its_content_id(folder: Path) -> None:
    body = '<img src="logo.png"><img src="cid:logo.png"><img src="images/my%20photo%20&amp;%20me.jpg">'
    _, page, parts = structure(compose(folder, body))
    assert (page.count('"cid:'), sorted(parts.values())) == (3, [b"photo", PNG])
    assert structure(compose(folder, '<p>other</p><img src="logo.png">'))[2].items() <= parts.items()
    (folder / "logo.png").write_bytes(b"new")
    assert not structure(compose(folder, '<img src="logo.png">'))[2].keys() & parts.keys()


@pytest.mark.parametrize(
    "body",
    [
        '<img src="https://y.example/logo.png">',
        '<img src="HTTP://y.example/logo.png">',
        '<img src="//y.example/logo.png">',
        '<img src="data:image/png;base64,AAAA">',
        '<img src="{{ x }}">',
        '<img src="images/{{ x }}">',
        '<img src="">',
        '<img alt="src=logo.png">',
        '<img data-src="logo.png">',
        '<script src="logo.png"></script>',
        '{# <img src="no.png"> #}',
    ],
)
def test_all_else_stays_as_it_is(folder: Path, body: str) -> None:
    content = compose(folder, body, x="logo.png")
    kinds, page, _ = structure(content)
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert page == body.replace("{{ x }}", "logo.png").replace('{# <img src="no.png"> #}', "") + "\n"
    source = {"": body}
    assert not may_show(source, markdown=False)


def test_a_field_shows_no_file(folder: Path) -> None:
    kinds, page, _ = structure(compose(folder, '{{ x }}<img src="logo.png">', x='<img src="../secret.png">'))
    assert kinds[-1] == "image/png"
    assert "&lt;img src=&#34;../secret.png&#34;&gt;" in page
    kinds, page, _ = structure(compose(folder, '{{ x | safe }}<img src="logo.png">', x='<img src="../secret.png">'))
    assert kinds.count("image/png") == 1
    assert '<img src="../secret.png">' in page


def test_what_is_missing_is_told_with_file_and_line(folder: Path) -> None:
    (folder / "foot.html").write_text('\n<img src="/etc/passwd">')
    body = '<p>\n<img src="no.png">\n<img\n src="cid:../secret.png">\n{% include "foot.html" %}'
    path, found = images(folder, body)
    assert found.wrong == [
        f"{path}:5: image: there is no file 'no.png' in {folder}",
        f"{path}:7: image: '../secret.png' is not in {folder} or below it",
        f"{folder}/foot.html:2: image: '/etc/passwd' is not in {folder} or below it",
    ]
    path, found = images(folder, "# hi\n\n![a](no.png) ![b](logo.png)", "mail.md")
    assert found.wrong == [f"{path}:6: image: there is no file 'no.png' in {folder}"]


def test_one_that_only_a_row_shows_is_looked_for_then(folder: Path) -> None:
    body = '<img src="{% if x %}logo.png{% else %}no.png{% endif %}">'
    assert structure(compose(folder, body, x="1"))[2].popitem()[1] == PNG
    with pytest.raises(ComposeError, match=r"image: there is no file 'no\.png' in"):
        compose(folder, body, x="")


def test_images_stand_with_the_text_and_files_beside_both_and_all_is_signed(folder: Path) -> None:
    keys = [made_key(Algorithm.RSA, "r1"), made_key(Algorithm.ED25519, "e1")]
    records = {f"{key.selector}._domainkey.y.example": key.record for key in keys}
    content = compose(folder, '<p>a  b</p><img src="logo.png">', "mail.html", "logo.png", signer=Signer(keys))
    assert structure(content)[0] == [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
        "image/png",
    ]
    root = message_from_bytes(content, policy=policy.default).get_payload()[0]
    assert root["Content-Type"].params["type"] == "multipart/alternative"
    assert verdicts(content, records) == [True, True]


def test_images_are_part_of_the_digest_and_a_template_without_them_has_its_own_of_before(folder: Path) -> None:
    sender = Mailbox("", Address("news", "y.example"))

    def digest(body: str, *, looked_through: bool = True) -> str:
        path, found = images(folder, body)
        return Composer(load_template(path), sender, images=found if looked_through else None).digest

    first = digest('<img src="logo.png">')
    (folder / "logo.png").write_bytes(b"new")
    assert digest('<img src="logo.png">') != first
    assert digest("<p>none</p>") == digest("<p>none</p>", looked_through=False)
