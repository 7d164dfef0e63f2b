"""Cars against an installation: `telltale sim` or `telltale replay`, and what they sent."""

import json
import pathlib
import subprocess

from oracle import Cars
from telltale import TELLTALE


class Fleet:
    """One run of cars. Its folder (certificates, record) lies outside the installation: it is the
    cars' own memory and holds exact positions."""

    def __init__(self, installation, folder, name="cars"):
        self.installation = installation
        self.folder = pathlib.Path(folder)
        self.record = self.folder / f"{name}.ndjson"
        self.progress = self.folder / f"{name}.log"
        self.process = None
        self.totals = None

    def _command(self, words):
        return [
            TELLTALE,
            *map(str, words),
            "--dir",
            self.installation.dir,
            "--cars",
            self.folder / "keys",
            "--record",
            self.record,
            "--json",
        ]

    def start(self, *words):
        """start("sim", "--vehicles", 20) or start("replay", "--format", "nds-csv", file)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.progress, "wb") as progress:
            self.process = subprocess.Popen(
                self._command(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=progress,
                text=True,
            )
        return self

    def wait(self, timeout_s=180):
        """Until all is acknowledged; raises when it is not. Returns what the cars know."""
        out, _ = self.process.communicate(timeout=timeout_s)
        end = self.progress.read_text(encoding="utf-8", errors="replace")[-2000:]
        status = self.process.returncode
        assert status == 0, f"the cars ended with {status}:\n{end}"
        self.totals = json.loads(out.splitlines()[-1])
        return Cars.read(self.record)

    def register(self, *words):
        """Imports the fleet's list of vehicles into the registry."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "vehicles.csv"
        subprocess.run([TELLTALE, *map(str, words), "--write-vehicles", path], check=True)
        self.installation.run("vehicles", "import", path, "--dir", self.installation.dir)
        return self
