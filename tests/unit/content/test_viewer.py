import json
import re
from base64 import b64encode
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

from campaign_cli.content.viewer import SOURCE_SHOWN, Shown, viewer
from campaign_cli.model.envelope import Message

HOSTILE = "</script><!--<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;\u2028@@messages@@"
ONE_LINE = HOSTILE.replace("\u2028", "")


def message(text: str, html: str | None = None, picture: bytes = b"", subject: str = "Hi") -> Message:
    made = EmailMessage()
    made["Subject"] = subject
    made.set_content(text)
    if html is not None:
        made.add_alternative(html, subtype="html")
        if picture:
            made.get_payload()[1].add_related(picture, "image", "png", cid="<logo@x.org>")
    return Message("<1@x.org>", made.as_bytes(), 0.0)


def told(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="messages">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_nothing_that_a_message_says_becomes_part_of_the_page() -> None:
    plain = viewer("x", [Shown(2, "a@x.org", message("x", "x"))])
    page = viewer(
        HOSTILE, [Shown(2, HOSTILE, message(HOSTILE, HOSTILE, subject=ONE_LINE)), Shown(3, "b@x.org", HOSTILE)]
    )
    tags = [re.findall(r"<[!/]?[a-z-]+", each, re.IGNORECASE) for each in (plain, page)]
    assert tags[0] == tags[1]
    first, second = told(page)["messages"]
    assert (first["email"], first["subject"], second["error"]) == (HOSTILE, ONE_LINE, HOSTILE)
    assert HOSTILE in first["html"]
    assert HOSTILE in first["text"]


def test_the_pages_policy_names_its_own_script_by_its_hash() -> None:
    page = viewer("x", [Shown(2, "a@x.org", message("x"))])
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in page


def test_a_picture_that_several_messages_show_is_in_the_page_once() -> None:
    shown = message("x", '<img src="cid:logo@x.org">', b"\x89PNG-bytes")
    page = viewer("x", [Shown(2, "a@x.org", shown), Shown(3, "b@x.org", shown)])
    encoded = b64encode(b"\x89PNG-bytes").decode()
    found = told(page)
    assert list(found["images"].values()) == [f"data:image/png;base64,{encoded}"]
    assert [list(each["pictures"]) for each in found["messages"]] == [["logo@x.org"]] * 2


def test_images_from_the_network_are_noticed() -> None:
    pages = {
        '<img src="https://x.org/a.png">': True,
        "<td background='//x.org/a.png'>": True,
        '<p style="background: url( &quot;x">': False,
        '<p style="background:url(http://x.org/a.png)">': True,
        '<a href="https://x.org/">x</a><img src="cid:a@x.org">': False,
    }
    found = told(viewer("x", [Shown(2, "a@x.org", message("x", page)) for page in pages]))
    assert [each["remote"] for each in found["messages"]] == list(pages.values())


def test_a_long_source_is_cut_and_that_is_told() -> None:
    short, long = told(
        viewer("x", [Shown(2, "a@x.org", message("x")), Shown(3, "b@x.org", message("x\n" * SOURCE_SHOWN))])
    )["messages"]
    assert (short["cut"], long["cut"], len(long["source"])) == (False, True, SOURCE_SHOWN)
