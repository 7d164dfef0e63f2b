"""docs/configuration.md is what the program says; `telltale config` finds mistakes and origins."""

import json
import os
import pathlib
import subprocess

import pytest
from loading import ROOT

BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()
TELLTALE = BUILD / "bin" / "telltale"

pytestmark = pytest.mark.skipif(not TELLTALE.exists(), reason=f"{TELLTALE} is not built")


def config(*arguments, **variables):
    """Runs `telltale config ARGUMENTS` with these and no other TELLTALE_* variables."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TELLTALE_")}
    return subprocess.run(
        [TELLTALE, "config", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=60, env={**others, **variables})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "telltale.yaml").write_text(
        "mqtt:\n  port: 0\nlake:\n  cadence_s: 7\nusers: single\n", encoding="utf-8")
    return tmp_path


def test_the_reference_page_is_what_the_program_prints():
    printed = config("reference").stdout
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == printed, (
        "renew it: build/dev/bin/telltale config reference > docs/configuration.md")


def test_a_file_without_mistakes_is_said_to_have_none(folder):
    for named in (["--dir", folder], [folder / "telltale.yaml"]):
        done = config("check", *named)
        assert (done.returncode, done.stdout) == (0, "0 mistakes\n"), done.stderr
    assert json.loads(config("check", "--dir", folder, "--json").stdout) == {
        "ok": True, "mistakes": [], "warnings": []}


def test_each_mistake_is_a_line_and_then_the_count(folder):
    file = folder / "telltale.yaml"
    file.write_text("mqtt:\n  prot: 1\nfeed:\n  tls_key: k.pem\n", encoding="utf-8")
    expected = [
        (f"{file}:2", "unknown key mqtt.prot; did you mean mqtt.port?"),
        ("flag --set lake.cadence_s",
         "lake.cadence_s must be a whole number from 1 to 3600, but is 0"),
        (f"{file}:4", "feed.tls_key needs feed.tls_certificate as well"),
        (f"{file}:4", f"feed.tls_key: there is no file {folder}/k.pem"),
    ]
    arguments = ["check", "--dir", folder, "--set", "lake.cadence_s=0"]
    done = config(*arguments, TELLTALE_LAKE="ON")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        *(f"{where}: {what}" for where, what in expected),
        "env TELLTALE_LAKE: no key has this name (a warning)",
        "4 mistakes"]
    as_json = config(*arguments, "--json")
    assert as_json.returncode == 1
    assert [(one["where"], one["what"])
            for one in json.loads(as_json.stdout)["mistakes"]] == expected


def test_show_says_where_each_value_comes_from(folder):
    arguments = ["show", "--dir", folder, "--set", "vault.policy=/etc/p.yaml"]
    shown = json.loads(config(*arguments, "--json", TELLTALE_LAKE_CADENCE_S="9").stdout)
    assert shown["mqtt.port"] == {"value": 0, "from": f"{folder}/telltale.yaml:2"}
    assert shown["lake.cadence_s"] == {"value": 9, "from": "env TELLTALE_LAKE_CADENCE_S"}
    assert shown["vault.policy"] == {"value": "/etc/p.yaml", "from": "flag --set vault.policy"}
    assert shown["feed.tls_key"] == {"value": "", "from": "default"}
    text = config(*arguments).stdout.splitlines()
    assert len(text) == len(shown)
    assert text[3].split() == ["mqtt.listen", "127.0.0.1", "default"]


def test_show_of_a_file_with_mistakes_shows_them_instead(folder):
    (folder / "telltale.yaml").write_text("users: nobody\n", encoding="utf-8")
    done = config("show", "--dir", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "telltale.yaml:1: users must be one of auto, required, single" in done.stderr


def test_check_wants_a_folder_or_a_file(folder):
    assert config("check").returncode == 1
    assert "give either --dir DIR or FILE" in config("check").stderr
    assert config("check", folder / "none.yaml").returncode == 1
