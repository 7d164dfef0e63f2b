"""docs/third-party.md has all that is linked, all that is compiled in, and the wheels."""

import os
import pathlib

import pytest
from loading import ROOT, load

third_party = load("third_party", "tools/third-party")
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build" / "dev")).absolute()

PAGE = """\
# Page

## Debian packages whose libraries are linked

| Package | Licence | In |
|---|---|---|
| libssl3 | Apache-2.0 | telltale |

## Debian packages whose headers are compiled in

| Package | Licence | In |
|---|---|---|
| libboost1.81-dev | BSL-1.0 | telltale |

## Python wheels in `lib/telltale/python`

| Wheel | Version | Licence |
|---|---|---|
| click | 8.5.1 | BSD-3-Clause |
"""


def found(shared=("libssl3",), compiled=("libboost1.81-dev",), wheels=(("click", "8.5.1"),)):
    return third_party.Found(
        {name: {"telltale"} for name in shared},
        {name: {"telltale"} for name in compiled},
        dict(wheels),
    )


@pytest.mark.skipif(
    not all((BUILD / program).exists() for program in third_party.PROGRAMS),
    reason="nothing is built",
)
def test_the_page_lacks_nothing_of_the_programs_as_they_are_built():
    text = third_party.PAGE.read_text(encoding="utf-8")
    assert not third_party.lacking(text, third_party.look(BUILD)), "run tools/third-party"


def test_a_page_with_all_of_it_lacks_nothing():
    assert not third_party.lacking(PAGE, found())


@pytest.mark.parametrize("more, said", [
    ({"shared": ("libssl3", "librdkafka1")}, "librdkafka1 (linked)"),
    ({"compiled": ("libboost1.81-dev", "libssl3")}, "libssl3 (compiled in)"),
    ({"wheels": (("click", "8.5.2"),)}, "click 8.5.2 (wheel)"),
    ({"wheels": (("click", "8.5.1"), ("rich", "15.0.0"))}, "rich 15.0.0 (wheel)"),
])  # fmt: skip
def test_what_is_missing_is_named_with_the_way_it_got_in(more, said):
    assert third_party.lacking(PAGE, found(**more)) == [said]


def test_the_licence_is_that_of_most_of_a_packages_files(monkeypatch):
    monkeypatch.setattr(
        third_party,
        "copyright_of",
        lambda _: """\
Format: 1.0

Files: debian/*
License: GPL-2+

Files: *
Copyright: someone
License: Zlib
 Text of it.
""",
    )
    assert third_party.licence_of("libsome1") == "Zlib"


def test_a_copyright_file_in_its_own_words_has_to_be_read_by_someone(monkeypatch):
    monkeypatch.setattr(third_party, "copyright_of", lambda _: "This package is free.\n")
    with pytest.raises(third_party.Failure, match="libsome1"):
        third_party.licence_of("libsome1")


def test_texts_of_packages_wheels_and_common_licences_are_written(tmp_path):
    folder = tmp_path / "texts"
    third_party.write_texts(folder, found(shared=("libc6",), compiled=()))
    assert "GNU" in (folder / "debian" / "libc6.copyright").read_text(encoding="utf-8")
    assert (folder / "common-licenses" / "LGPL-2.1").exists()
    assert "Redistribution" in (folder / "wheels" / "click" / "LICENSE.txt").read_text()
