"""docs/back-pressure.md says of each limit what the code says, and leaves none out."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "back-pressure.md"
# Folders on the way of a record: each limit that their headers name is on the page.
FOLDERS = ["gateway", "log", "net", "registry", "safety", "publish", "lake", "vault",
           "feed", "log/kafka"]
# No limits of Telltale's own: of arithmetic, or of a single function's answer; sums of others.
ELSEWHERE = {"kOdometerOffsetMaxM", "kMessageBytesMax", "kMessageOverheadMax"}


def rows():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        name = re.fullmatch(r"`(?:[\w/.]+:)?(\w+)`", cells[0])
        if name and len(cells) >= 4 and cells[3].startswith("`src/"):
            yield name[1], cells[1], cells[3].strip("`")


def value_of(expression):
    """The number that a constant's initialiser is; in microseconds for Micros."""
    text = expression.replace("'", "").replace("Micros::Seconds", "1000000*")
    text = re.sub(r"(?<=[0-9])(u|ull|ll|ul)\b", "", text)
    assert re.fullmatch(r"[-0-9.+*<>() ]+", text), expression
    return eval(compile(ast.parse(text, mode="eval"), "", "eval"), {"__builtins__": {}})


def initialiser(name, source):
    found = re.search(rf"\b{name}\s*(?:=\s*([^;]+);|\{{([^}};]+)\}};)", source)
    return (found[1] or found[2]) if found else None


@pytest.mark.parametrize("name,value,path", list(rows()))
def test_each_value_on_the_page_is_that_of_the_code(name, value, path):
    expression = initialiser(name, (ROOT / path).read_text())
    assert expression, f"{path} has no {name}"
    assert value_of(expression) == float(value.replace(",", ""))


def test_each_limit_that_a_header_names_is_on_the_page():
    named = {(name, path) for name, _, path in rows()}
    missing = []
    for folder in FOLDERS:
        for header in sorted((ROOT / "src" / folder).glob("*.h")):
            path = str(header.relative_to(ROOT))
            if path.endswith("_testing.h"):
                continue
            for name in re.findall(r"\bconstexpr [\w:]+ (k\w*Max\w*)\s*[={]", header.read_text()):
                if name not in ELSEWHERE and (name, path) not in named:
                    missing.append(f"{path}: {name}")
    assert not missing


def test_each_metric_on_the_page_is_described():
    described = (ROOT / "docs" / "metrics.md").read_text()
    for metric in re.findall(r"`(telltale_\w+[a-z])\b(?!>)", PAGE.read_text()):
        assert metric in described, metric


def test_a_row_that_is_wrong_is_noticed():
    assert value_of("8u << 10") == 8192
    assert value_of("5 * 60 * 1'000'000ll") == 300_000_000
    assert value_of("Micros::Seconds(10)") == 10_000_000
    assert initialiser("kB", "constexpr ms kA{1};\nconstexpr ms kB{2'000};") == "2'000"
    assert initialiser("kB", "use(kB);") is None
