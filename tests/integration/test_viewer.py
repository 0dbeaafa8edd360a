"""The preview's page in Chromium: it fits a phone, the keys turn it, and nothing of a message runs or is loaded."""

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from campaign_cli.content.viewer import Shown, viewer
from campaign_cli.model.envelope import Message

ALONE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *(
        "--disable-sync",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--enable-logging=stderr",
    ),
)
"""Nothing but the page, no name is looked up, and what the page's console says is on standard error."""

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes.fromhex(
    "0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44"
    "ae426082"
)
"""One pixel."""

LOOK = """
const frame = document.querySelector("iframe"), found = { beyond: {}, subjects: [] };
const pause = () => new Promise((done) => setTimeout(done, 300));
async function look() {
  const page = frame.contentDocument;
  const note = () => found.subjects.push(page.getElementById("subject").textContent.trim());
  const press = (key) => page.dispatchEvent(new page.defaultView.KeyboardEvent("keydown", { key }));
  await pause();
  found.phone = page.querySelector("#phone iframe").clientWidth;
  for (const place of page.querySelectorAll("[role=tab]").keys()) {
    const tab = page.querySelectorAll("[role=tab]")[place];
    tab.click();
    await pause();
    found.beyond[tab.textContent] = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  }
  page.querySelector("[role=tab]").click();
  note();
  press("ArrowLeft"); note();
  press("ArrowRight"); note();
  press("ArrowRight"); note();
  press("ArrowLeft"); note();
  await pause();
  if (LOAD) { page.getElementById("load").click(); await pause(); }
  found.ran = [document, page].map((each) => each.documentElement.dataset.ran ?? null);
  fetch(`/found?${encodeURIComponent(JSON.stringify(found))}`);
}
"""


class Site:
    """Pages on loopback, and what was asked for besides them."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        self.found: queue.Queue[Any] = queue.Queue()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = site.pages.get(self.path)
                if self.path.startswith("/found?"):
                    site.found.put(json.loads(unquote(self.path.removeprefix("/found?"))))
                elif page is None and self.path != "/favicon.ico":
                    site.asked.append(self.path)
                self.send_response(200 if page is not None else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((page or "").encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def browse(folder: Path, site: Site, path: str) -> tuple[Any, list[str]]:
    """What the page tells the site in the end, and what its console said."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    command = [program, *ALONE, f"--user-data-dir={folder / 'user'}", "--window-size=1600,1000", f"{site.root}{path}"]
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            found = site.found.get(timeout=60)
        finally:
            process.terminate()
            process.wait(timeout=20)
        said.seek(0)
        return found, [line for line in said if "CONSOLE" in line]


def looked_at(folder: Path, site: Site, messages: list[Message | str], width: int, *, load: bool = False):
    """What is found on the page of these messages in a window of that width, and what the console said."""
    shown = [Shown(line, f"p{line}@example.org", message) for line, message in enumerate(messages, 2)]
    site.pages["/viewer.html"] = viewer("spring", shown)
    script = LOOK.replace("LOAD", json.dumps(load))
    frame = f'<iframe src="/viewer.html" style="width:{width}px;height:900px;border:0" onload="look()"></iframe>'
    site.pages["/"] = f'<!doctype html><meta charset="utf-8"><body>{frame}<script>{script}</script></body>'
    return browse(folder, site, "/")


def letter(subject: str, html: str) -> Message:
    made = EmailMessage()
    made["From"] = "Ada <ada@example.org>"
    made["Subject"] = subject
    made["List-Unsubscribe"] = f"<https://example.org/{'u' * 300}>"
    made.set_content(f"{subject} {'x' * 400}")
    made.add_alternative(html, subtype="html")
    made.get_payload()[1].add_related(PICTURE, "image", "png", cid="<logo@x.org>", filename=f"{'long' * 30}.png")
    return Message("<1@x.org>", made.as_bytes(), 0.0)


@pytest.mark.parametrize(("width", "phone"), [(1500, 375), (375, 334)])
def test_the_page_fits_its_window_and_the_keys_turn_it(tmp_path: Path, site: Site, width: int, phone: int) -> None:
    page = '<!doctype html><style>p { color: #333 }</style><p><img src="cid:logo@x.org" alt="Logo">Hello</p>'
    messages = [letter("One", page), letter("Two", page), "x" * 400]
    found, console = looked_at(tmp_path, site, messages, width)
    views = ["Both", "Desktop", "Phone", "Text", "Headers", "Files (1)", "Source"]
    assert found["beyond"] == dict.fromkeys(views, 0)
    assert found["phone"] == phone
    assert found["subjects"] == ["One", "One", "Two", "This message cannot be made", "Two"]
    assert (console, site.asked) == ([], [])


def hostile(site: Site) -> str:
    """HTML that tries all that it can think of; whatever succeeds asks the site for something, or leaves its mark."""
    ran = "for (const each of [window, parent, top]) try { each.document.documentElement.dataset.ran = 1 } catch {}"
    return (
        f"<html><head><base href='{site.root}/base/'><link rel=stylesheet href='{site.root}/style'>"
        f"<style>@import url({site.root}/import); p {{ background: url({site.root}/background) }}</style>"
        f"<script>{ran}; fetch('{site.root}/fetch')</script><script src='{site.root}/script'></script>"
        f"<meta http-equiv=refresh content='0;url={site.root}/refresh'></head>"
        f"<body onload=\"{ran}; fetch('{site.root}/onload')\"><p>Hello</p>"
        f"<img src='{site.root}/image'><img src=x onerror=\"{ran}; fetch('{site.root}/onerror')\">"
        f"<iframe src='{site.root}/frame'></iframe><object data='{site.root}/object'></object>"
        f"<embed src='{site.root}/embed'><video poster='{site.root}/poster'></video>"
        f"<svg onload=\"{ran}; fetch('{site.root}/svg')\"></svg>"
        f"<form action='{site.root}/form'><button autofocus onfocus=\"{ran}; this.form.submit()\">x</button></form>"
        "</body></html>"
    )


@pytest.mark.parametrize("doctype", ["", "<!doctype html>", "<!--> <!-- --><!doctype html>"])
def test_nothing_of_a_message_runs_or_is_loaded(tmp_path: Path, site: Site, doctype: str) -> None:
    breaking = '</script><script>document.documentElement.dataset.ran=1</script>"><img src=x onerror=alert(1)>'
    messages = [letter(breaking, doctype + hostile(site)), letter("Two", hostile(site))]
    found, _ = looked_at(tmp_path, site, messages, 1500)
    assert found["ran"] == [None, None]
    assert found["subjects"][0] == breaking
    assert site.asked == []


def test_when_it_is_asked_for_images_are_loaded_and_nothing_else(tmp_path: Path, site: Site) -> None:
    found, _ = looked_at(tmp_path, site, [letter("One", hostile(site)), letter("Two", hostile(site))], 1500, load=True)
    assert found["ran"] == [None, None]
    # An image of a style is one as well, and what is named by no URL of its own is no secret.
    assert set(site.asked) - {"/base/x", "/x"} == {"/image", "/background", "/poster"}


def test_the_same_message_outside_of_the_page_runs_and_loads(tmp_path: Path, site: Site) -> None:
    tell = "<script>setTimeout(() => fetch('/found?' + document.documentElement.dataset.ran), 1000)</script>"
    site.pages["/bare.html"] = hostile(site).replace("http-equiv=refresh", "").replace("autofocus", "") + tell
    assert browse(tmp_path, site, "/bare.html")[0] == 1
    assert {"/fetch", "/script", "/onload", "/image", "/style", "/frame", "/svg"} <= set(site.asked)
