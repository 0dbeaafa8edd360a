"""Images that HTML shows and that go with the message, as parts that it names by their Content-ID (RFC 2392).

One rule: an `<img>` whose `src` is a path, with or without `cid:` before it, shows a file of the template's folder. Any
other URL, and a `src` with a contact's field in it, stays as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

from campaign_cli.content.files import FileError, contents, located, section, together
from campaign_cli.content.shapes import REMEMBERED, Skeleton, skeleton, word
from campaign_cli.model.errors import ComposeError

_IMAGE = re.compile(r"""(<(?:img|mj-image)\b[^>]*?\ssrc\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
_IN_MARKDOWN = re.compile(r"!\[[^\]]*\]\(\s*<?([^\s)>]+)")
_ELSEWHERE = re.compile(r"(?!cid:)[a-z][a-z0-9+.-]*:|//|#|$", re.IGNORECASE)
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_CODE = re.compile(r"\{[{%#]")


def may_show(sources: Mapping[str, str], *, markdown: bool) -> bool:
    """Whether pages made from these sources may show files: if not, they need not be looked through."""
    shown = [name for source in sources.values() for _, name in _shown(source, markdown=markdown)]
    return any("{%" in name or (_is_file(name) and "{{" not in name) for name in shown) or (
        # Markdown may say further below what an image's address is.
        markdown and any("![" in source for source in sources.values())
    )


def _shown(source: str, *, markdown: bool) -> Iterator[tuple[int, str]]:
    """The line and the address of each image in a source."""
    source = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), source)
    for image in _IMAGE.finditer(source):
        yield source.count("\n", 0, image.start(2)) + 1, html.unescape(image[2].strip("\"'"))
    for image in _IN_MARKDOWN.finditer(source) if markdown else ():
        yield source.count("\n", 0, image.start(1)) + 1, image[1]


def _is_file(address: str) -> bool:
    return not _ELSEWHERE.match(address)


def _name(address: str) -> str:
    return unquote(re.sub("^cid:", "", address, flags=re.IGNORECASE))


class Images:
    """The images in a template's folder, each read and encoded once."""

    def __init__(self, folder: Path, domain: str, sources: Mapping[str, str], *, markdown: bool) -> None:
        """Reads those that `sources` name. `domain` is what Content-IDs end in."""
        self._folder = folder
        self._domain = domain
        self._known: dict[str, tuple[str, bytes]] = {}
        self._pages: dict[Skeleton, tuple[Skeleton, tuple[bytes, ...]]] = {}
        self._octets = 0
        self.places: set[Path] = set()
        """Where the images are that are known by now."""
        self.wrong: list[str] = []
        """Images that are not there, each with file and line."""
        for file, source in sources.items():
            for line, address in _shown(source, markdown=markdown):
                if _is_file(address) and not _CODE.search(address):
                    try:
                        self._image(_name(address))
                    except FileError as error:
                        self.wrong.append(f"{folder / file}:{line}: image: {error}")

    def made_of(self) -> list[object]:
        """Names and hashes of the images that the template names, as JSON can say it."""
        return [(name, content_id) for name, (content_id, _) in sorted(self._known.items())]

    def shown(self, page: Skeleton) -> tuple[Skeleton, Sequence[bytes]]:
        """The page with Content-IDs in the places of files, and these as parts. Raises ComposeError."""
        found = self._pages.get(page)
        return self._looked_through(page) if found is None else found

    def _looked_through(self, page: Skeleton) -> tuple[Skeleton, tuple[bytes, ...]]:
        images: dict[str, bytes] = {}

        def with_content_id(image: re.Match[str]) -> str:
            address = html.unescape(image[2].strip("\"'"))
            if not _is_file(address) or skeleton(address) != (address,):
                return image[0]
            content_id, part = self._image(_name(address))
            images[content_id] = part
            return f'{image[1]}"cid:{content_id}"'

        text = "".join([word(bone) if isinstance(bone, int) else bone for bone in page])
        try:
            found = skeleton(_IMAGE.sub(with_content_id, text)), tuple(images.values())
        except FileError as error:
            raise ComposeError(f"image: {error}") from None
        if len(self._pages) >= REMEMBERED:
            del self._pages[next(iter(self._pages))]
        self._pages[page] = found
        return found

    def _image(self, name: str) -> tuple[str, bytes]:
        """The image's Content-ID, the same as long as name and content are, and its part. Raises FileError."""
        if name not in self._known:
            place = located(name, self._folder)
            octets = contents(place)
            self.places.add(place)
            self._octets = together(self._octets + len(octets))
            digest = sha256(name.encode() + b"\0" + octets).hexdigest()
            content_id = f"{digest[:32]}@{self._domain}"
            self._known[name] = content_id, section(name, octets, content_id=content_id)
        return self._known[name]
