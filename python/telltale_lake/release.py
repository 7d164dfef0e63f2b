"""What of an installed release concerns the lake (docs/formats/release-manifest.md): its features
and its contract."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from telltale_lake.layout import Layout

_ID = re.compile(r"[0-9a-f]{64}")
FORMAT = 1


class NoRelease(Exception):
    """The release cannot be used; the message says why."""


@dataclass(frozen=True)
class Release:
    id: str
    components: dict[str, str]
    folder: Path

    @property
    def features(self) -> Path | None:
        """The folder with its own features; None when it has none and uses the installed ones."""
        place = self.folder / "features"
        return place if any(place.glob("*.sql")) else None

    @property
    def contract(self) -> str:
        return self.components.get("contract", "")


def read(layout: Layout, release_id: str) -> Release:
    """NoRelease when it is not there or its manifest is not the one the id was made of."""
    if _ID.fullmatch(release_id) is None:
        raise NoRelease("a release's id is 64 hexadecimal digits in lower case")
    folder = layout.releases / release_id
    try:
        content = (folder / "manifest.json").read_bytes()
    except FileNotFoundError:
        raise NoRelease(f"release {release_id} is not installed ({folder})") from None
    if hashlib.sha256(content).hexdigest() != release_id:
        raise NoRelease(f"{folder}/manifest.json is not what release {release_id} was made of")
    try:
        manifest = json.loads(content)
        version, components = int(manifest["format"]), dict(manifest["components"])
    except (ValueError, KeyError, TypeError):
        raise NoRelease(f"{folder}/manifest.json cannot be read") from None
    if version > FORMAT:
        raise NoRelease(f"release {release_id} is of format {version}, this reads up to {FORMAT}")
    found = Release(release_id, components, folder)
    wanted = components.get("features")
    if wanted is not None and _listing(found.features) != wanted:
        raise NoRelease(f"{folder}/features is not what release {release_id} was made of")
    return found


def _listing(place: Path | None) -> str:
    """The component: SHA-256 of the object of name to SHA-256 of the file."""
    files = sorted(place.glob("*.sql")) if place is not None else []
    names = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    text = json.dumps(names, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
