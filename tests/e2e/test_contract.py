"""The tree's own contract, and a contract put in force in a running installation."""

import hashlib
import os
import pathlib
import subprocess

import contracts
from contracts import ROOT
from telltale import TELLTALE

BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev"))


def test_the_trees_contract_breaks_no_version_that_was_published():
    history, candidate = ROOT / "contract" / "history", ROOT / "contract"
    done = subprocess.run(
        [TELLTALE, "contract", "check", "--history", history, "--candidate", candidate],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_trees_contract_is_published():
    newest = sorted((ROOT / "contract" / "history").glob("*.desc"))[-1]
    built = (BUILD / "share" / "telltale" / "contract.desc").read_bytes()
    digest = hashlib.sha256(newest.read_bytes()).hexdigest()
    assert digest == hashlib.sha256(built).hexdigest(), (
        f"contract/ is not {newest.name}: publish it with `telltale contract publish --history "
        "contract/history --candidate contract/telltale --author NAME`"
    )


def test_a_contract_comes_in_force_without_a_restart_and_a_broken_one_does_not(
    installation, tmp_path
):
    family = {process.pid for process in installation.family()}
    workshop = contracts.Workshop(tmp_path)
    workshop.add_fields(
        'optional float hood_temperature_c = 899 [(field) = {unit: "Cel" privacy: IDENTITY}];'
    )
    version = workshop.publish()
    told = contracts.activate(installation, version, "--percent", 5)
    assert (told["contract"], told["next"]["contract"], told["next"]["per_10000"]) == (1, 2, 500)
    assert contracts.activate(installation, version)["contract"] == 2
    assert contracts.activate(installation, version)["config_seq"] == 3, "again changes nothing"

    workshop.replace("optional float speed_kmh = 10 ", "optional float speed_kmh = 898 ")
    broken = workshop.descriptor(tmp_path / "broken.desc")
    refused = contracts.activate(installation, broken, check=False)
    assert refused.returncode == 1
    assert "refused" in refused.stderr and "speed_kmh" in refused.stderr
    status = installation.run("contract", "status", "--dir", installation.dir)
    assert status.stdout.startswith("contract 2 ")
    assert {process.pid for process in installation.family()} == family


def test_the_catalogue_tells_every_field(installation):
    told = installation.run("contract", "docs", "--dir", installation.dir).stdout
    assert "| 10 | `speed_kmh` | float | km/h | " in told, told[:2000]
    assert "| 140.1 | `dtcs.code` |" in told
    history = installation.run("contract", "docs", "--history", ROOT / "contract" / "history")
    assert "`speed_kmh`" in history.stdout


def test_the_catalogue_in_the_docs_is_of_the_newest_version():
    history = ROOT / "contract" / "history"
    told = subprocess.run(
        [TELLTALE, "contract", "docs", "--history", history],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    page = (ROOT / "docs" / "contract-fields.md").read_text(encoding="utf-8")
    assert told == page, (
        "renew it: telltale contract docs --history contract/history > docs/contract-fields.md"
    )
