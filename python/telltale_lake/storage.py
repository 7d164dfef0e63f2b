"""File access for the committer: what a commit refers to is on the disk before the commit is.

pyiceberg's own classes close files without syncing them; after a power cut the catalogue (SQLite,
which does sync) would name metadata that never reached the disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from telltale_lake.layout import path_of


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _SyncedStream:
    def __init__(self, path: Path, overwrite: bool) -> None:
        self._path = path
        self._file: BinaryIO = open(path, "wb" if overwrite else "xb")

    def write(self, b: bytes) -> int:
        return self._file.write(b)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if self._file.closed:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        sync_folder(self._path.parent)

    @property
    def closed(self) -> bool:
        return self._file.closed

    def __enter__(self) -> _SyncedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _LocalInput(InputFile):
    def __len__(self) -> int:
        return path_of(self.location).stat().st_size

    def exists(self) -> bool:
        return path_of(self.location).exists()

    def open(self, seekable: bool = True) -> InputStream:
        return open(path_of(self.location), "rb")  # type: ignore[return-value]


class _LocalOutput(OutputFile):
    def __len__(self) -> int:
        return path_of(self.location).stat().st_size

    def exists(self) -> bool:
        return path_of(self.location).exists()

    def to_input_file(self) -> InputFile:
        return _LocalInput(self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        path = path_of(self.location)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _SyncedStream(path, overwrite)  # type: ignore[return-value]


class SyncedFileIO(FileIO):
    def new_input(self, location: str) -> InputFile:
        return _LocalInput(location)

    def new_output(self, location: str) -> OutputFile:
        return _LocalOutput(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        name = location if isinstance(location, str) else location.location
        path_of(name).unlink()
