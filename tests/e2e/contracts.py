"""New versions of the vehicle contract for tests: edited, published and put in force by the
program, as an operator would do it."""

import json
import pathlib
import re
import shutil
import subprocess

from telltale import TELLTALE

ROOT = pathlib.Path(__file__).resolve().parents[2]
AUTHOR, APPROVER, SECOND = "ana", "ben", "cem"


class Workshop:
    """A copy of the contract and its history, to be edited and published from."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.source = self.folder / "contract"
        self.history = self.folder / "history"
        shutil.copytree(ROOT / "contract" / "telltale", self.source / "telltale")
        shutil.copytree(ROOT / "contract" / "history", self.history)

    @property
    def telemetry(self):
        return self.source / "telltale" / "v1" / "telemetry.proto"

    def add_fields(self, *declarations):
        """Appends field declarations to Report."""
        text = self.telemetry.read_text(encoding="utf-8")
        begin = text.index("\nmessage Report {") + 1
        end = re.compile(r"^}$", re.M).search(text, begin).start()
        lines = "".join(f"  {one}\n" for one in declarations)
        self.telemetry.write_text(text[:end] + lines + text[end:], encoding="utf-8")

    def replace(self, old, new):
        text = self.telemetry.read_text(encoding="utf-8")
        assert text.count(old) == 1, (old, text.count(old))
        self.telemetry.write_text(text.replace(old, new), encoding="utf-8")

    def approve(self, *fields, change="open", approvers=(APPROVER,)):
        """Writes approvals.yaml for these fields of Report."""
        entries = [
            {
                "field": f"telltale.v1.Report.{name}",
                "change": change,
                "author": AUTHOR,
                "approvers": list(approvers),
                "reason": "a test",
            }
            for name in fields
        ]
        path = self.source / "approvals.yaml"
        path.write_text(json.dumps({"approvals": entries}), encoding="utf-8")  # YAML, too

    def run(self, *arguments):
        return subprocess.run(
            [TELLTALE, "contract", *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    def check(self, *arguments):
        return self.run(
            "check", "--history", self.history, "--candidate", self.source, *arguments
        )

    def publish(self):
        """The descriptor set that was published; the approvals it rests on lie beside it."""
        done = self.run(
            "publish", "--history", self.history, "--candidate", self.source, "--author", AUTHOR
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return sorted(self.history.glob("*.desc"))[-1]

    def descriptor(self, path):
        """The edited contract compiled by protoc: past every check."""
        protos = ["telltale/v1/options.proto", "telltale/v1/telemetry.proto"]
        subprocess.run(
            ["protoc", f"-I{self.source}", "--include_imports", f"--descriptor_set_out={path}"]
            + protos,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return path


def activate(site, descriptor, *arguments, check=True):
    """Puts a published version in force; what the program said, as JSON when it did."""
    approvals = descriptor.with_suffix(".approvals.yaml")
    if approvals.exists():
        arguments = (*arguments, "--approvals", approvals)
    done = site.run(
        "contract", "activate", "--dir", site.dir, descriptor, "--json", *arguments, check=check
    )
    return json.loads(done.stdout) if done.returncode == 0 else done


def unknown(site):
    """{(field, firmware): count} of what the contract had no place for."""
    rows = json.loads(site.run("contract", "unknown", "--dir", site.dir, "--json").stdout)
    counts = {}
    for row in rows:
        key = row["field"], row["firmware"]
        counts[key] = counts.get(key, 0) + row["count"]
    return counts
