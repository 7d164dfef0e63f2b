"""Where everything lies below DIR (src/base/config.h `Paths`), and what the tables are called."""

from __future__ import annotations

from pathlib import Path

NAMESPACE = "telltale"
SHADOW_NAMESPACE = "shadow"  # what a candidate computed; no view of the readers shows it
TABLES = ("telemetry", "arrivals", "coverage")
# Hand-offs of an older telltale-lake do not have it, and an older committer leaves it behind.
NEWER_TABLES = ("coverage",)
HANDOFF_PROPERTY = "telltale.handoff"
POSITION_PROPERTY = "telltale.position."


class Layout:
    def __init__(self, directory: str | Path) -> None:
        self.root = Path(directory).resolve()
        self.lake = self.root / "data" / "lake"
        self.handoffs = self.lake / "handoff"
        self.warehouse = self.lake / "warehouse"
        self.catalog_db = self.lake / "catalog.db"
        self.lock = self.lake / "committer.lock"
        self.commit_lock = self.lake / "commit.lock"
        self.erase_lock = self.lake / "erase.lock"
        self.erased_list = self.root / "data" / "erased" / "list"
        self.releases = self.root / "data" / "releases"
        self.contracts = self.root / "data" / "contracts"
        self.shadow_reports = self.lake / "shadow"
        self.counters = self.root / "run" / "counters"

    def handoff(self, number: int) -> Path:
        return self.handoffs / f"{number:020d}.json"

    def state(self, number: int) -> Path:
        return self.handoffs / f"{number:020d}.state"

    def table_location(self, table: str, namespace: str = NAMESPACE) -> str:
        folder = self.warehouse if namespace == NAMESPACE else self.warehouse / namespace
        return location_of(folder / table)


def location_of(path: Path) -> str:
    """Iceberg's name of a file: a scheme and the path as it is, nothing percent-encoded."""
    return f"file://{path}"


def path_of(location: str) -> Path:
    if location.startswith("file://"):
        return Path(location.removeprefix("file://"))
    if "://" in location:
        raise ValueError(f"not a local file: {location}")
    return Path(location)


def numbers_of(folder: Path, suffix: str) -> list[int]:
    """Numbers of the files <20 digits><suffix> in `folder`, rising."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return []
    stems = [name[: -len(suffix)] for name in names if name.endswith(suffix)]
    return sorted(int(stem) for stem in stems if len(stem) == 20 and stem.isdecimal())
