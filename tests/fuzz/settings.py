"""campaign.yaml."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from campaign_cli.cli.streams import shown
from campaign_cli.config.load import KEYS, load_settings
from campaign_cli.config.settings import Settings
from campaign_cli.model.errors import ConfigError

SAMPLES = (
    b"template: hello.html\nfrom: Ada <ada@example.org>\nrelay: smtps://ada@mail.example.org\nrate:\n  yahoo: 500/h\n",
    b"name: weekly-%Y\nretry: {base: 1m, factor: 3, longest: 3h, lifetime: 4d}\nheaders:\n  X-A: b\nworkers: auto\n",
    b"relay: [smtp://a.example:587?chunking=off, smtp://b.example]\npassword_command: pass show x\nconnections: 20\n",
    b"relays:\n  - name: a\n    url: smtp://a.example\n    priority: 1\n    weight: 2\n    providers: [gmail]\n",
    b"providers:\n  gmail:\n    rate: 20/min,1000/h\n    connections: 3\n    domains: [x.example]\n    mx: [y.z]\n",
    b"replies:\n  - code: 550\n    enhanced: 5.7.1\n    text: spam\n    providers: [gmail]\n    outcome: deferred\n",
    b"dkim:\n  - domain: example.org\n    selector: s\n    key: k.pem\nunsubscribe: {mailto: u@y}\nutm: {source: a}\n",
    b"a: &a [1, 2]\nb: &b [*a, *a]\nrate: [*b, *b]\nlimit: 1_000\npatience: 1h30m\nmax_runtime: 0s\n",
)

TOKENS = (
    *(f"\n{key}: ".encode() for key in KEYS),
    *(
        b"&a ",
        b"*a",
        b"<<: ",
        b"- ",
        b"? ",
        b"[",
        b"]",
        b"{",
        b"}",
        b"'",
        b'"',
        b"|\n",
        b">\n",
        b"#",
        b"---\n",
        b"...\n",
    ),
    *(
        b"!!python/object/apply:os.system ",
        b"!!binary ",
        b"!!timestamp ",
        b"!!int ",
        b"!!float ",
        b"!!set ",
        b"%YAML 1.3\n",
    ),
    *(
        b".inf",
        b".nan",
        b"0x1F",
        b"0b",
        b"1e999",
        b"-1",
        b"~",
        b"true",
        b"2026-13-45",
        b"9" * 5000,
        b"1:60:60",
        b"\xf0\x9f",
    ),
    *(b"\0", b"\x1b[2J", b"\xc2\x85", b"\t", b"500/h", b"smtp://[::1", b"smtp://x:99999", b"http://", b"%", b"\\x"),
)


def check(octets: bytes) -> None:
    """It gives Settings, or is refused with every finding at its file's place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "campaign.yaml")
        path.write_bytes(octets)
        try:
            assert isinstance(load_settings(path, {}), Settings)
        except ConfigError as error:
            assert error.findings
            for finding in error.findings:
                assert re.match(rf"{re.escape(str(path))}(:[1-9][0-9]*: .|: is nested too deep$)", finding), finding
                assert shown(finding).isprintable()
