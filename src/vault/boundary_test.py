"""Only telltale-vault links the code that opens what the door sealed.

Read of the built programs: `telltale`, `telltale-worker` and `telltale-lake` have no symbol of
telltale::vault and import no decryption; telltale-vault has both (the positive control: a reader
that finds nothing anywhere would prove nothing). A program that is not built is a failure; so is
one without a symbol table, because there the first question could not be asked.

Usage: boundary_test.py BUILD_DIR [--may-lack NAME]...
"""

import argparse
import pathlib
import re
import subprocess
import sys

VAULT_SYMBOL = re.compile(r"\btelltale::vault::")
DECRYPTION = re.compile(r"\bEVP_(Decrypt|Cipher|Open)\w*")
OUR_SYMBOL = re.compile(r"\btelltale::")

OUTSIDE = ["bin/telltale", "libexec/telltale/telltale-worker", "libexec/telltale/telltale-lake"]
VAULT = "libexec/telltale/telltale-vault"


def symbols(program: pathlib.Path) -> list[str]:
    listed = subprocess.run(
        ["nm", "-C", str(program)], check=True, capture_output=True, text=True
    )
    return listed.stdout.splitlines()


def defined(lines: list[str], pattern: re.Pattern[str]) -> list[str]:
    return [line for line in lines if pattern.search(line) and " U " not in line]


def imported(lines: list[str], pattern: re.Pattern[str]) -> list[str]:
    return [line for line in lines if pattern.search(line) and " U " in line]


def check_outside(name: str, lines: list[str]) -> list[str]:
    problems = []
    if not defined(lines, OUR_SYMBOL):
        problems.append(f"{name} has no symbol table to read")
    if found := defined(lines, VAULT_SYMBOL):
        problems.append(f"{name} links code of the vault: {found[0].strip()}")
    if found := imported(lines, DECRYPTION):
        problems.append(f"{name} imports decryption: {found[0].strip()}")
    return problems


def check_vault(name: str, lines: list[str]) -> list[str]:
    problems = []
    if not defined(lines, re.compile(r"\btelltale::vault::Opener::Open\b")):
        problems.append(f"{name} does not show the opening code: this test cannot see it")
    if not imported(lines, DECRYPTION):
        problems.append(f"{name} does not import decryption: this test cannot see it")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--may-lack", action="append", default=[])
    options = parser.parse_args()
    problems = []
    for name in [*OUTSIDE, VAULT]:
        program = options.build / name
        if not program.exists():
            if program.name not in options.may_lack:
                problems.append(f"{name} is not built")
            continue
        check = check_vault if name == VAULT else check_outside
        problems += check(name, symbols(program))
        print(f"read {name}")
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
