"""The starters as Chromium shows them: never wider than the window, and with the preheader out of sight."""

import csv
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest

from campaign_cli.content.shapes import filled
from campaign_cli.content.starters import SHIPPED, STARTERS
from campaign_cli.content.template import load_template

ALONE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
"""Nothing but the page, and no address is looked up."""

PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='1600' height='900'/%3E"

MEASURE = """
const page = document.querySelector("iframe").contentDocument, hidden = page.querySelector("[style*=mso-hide]");
document.body.dataset.width = page.documentElement.scrollWidth;
document.body.dataset.hidden = hidden ? hidden.getBoundingClientRect().height : 0;
"""


def shown(folder: Path, page: str, width: int) -> tuple[int, float]:
    """How wide the page is in a window of `width` pixels, and how high its preheader is."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    # A window of Chromium's own is never as narrow as a phone.
    size = f"width:{width}px;height:4000px;border:0"
    frame = f'<iframe srcdoc="{escape(page)}" style="{size}" onload=\'{MEASURE}\'></iframe>'
    (folder / "frame.html").write_text(f'<!doctype html><meta charset="utf-8"><body>{frame}</body>', "utf-8")
    command = [program, *ALONE, f"--user-data-dir={folder / 'user'}", "--window-size=1300,1000", "--dump-dom"]
    ended = subprocess.run([*command, (folder / "frame.html").as_uri()], capture_output=True, text=True, timeout=90)
    found = re.search(r'data-width="(\d+)" data-hidden="([\d.]+)"', ended.stdout)
    assert found, ended.stderr
    return int(found[1]), float(found[2])


@pytest.mark.parametrize("width", [1200, 375])
@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_fits_the_window_and_hides_its_preheader(tmp_path: Path, name: str, width: int) -> None:
    row = next(csv.DictReader((SHIPPED / name / "contacts.csv").read_text("utf-8").splitlines()))
    made = load_template(SHIPPED / name).render(row).html
    assert made is not None
    page = "".join(filled(*made))
    with_pictures = re.sub(r'src="https:[^"]*"', f'src="{PICTURE}"', page)
    for number, each in enumerate({page, with_pictures}):
        (place := tmp_path / str(number)).mkdir()
        assert shown(place, each, width) == (width, 0)


def test_a_page_that_is_too_wide_is_seen(tmp_path: Path) -> None:
    assert shown(tmp_path, '<p style="width:500px;margin:0">x</p><p style="mso-hide:all;margin:0">y</p>', 375)[0] >= 500
