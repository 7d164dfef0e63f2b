"""tools/lint-changed runs clang-tidy on what changed, and on nothing else."""

import json
import shutil
import subprocess

import pytest
from loading import ROOT

GOOD = "int Twice(int number) { return 2 * number; }\n"
BAD = "bool Is(int number) { return number == 2 || number == 2; }\n"


@pytest.fixture
def tree(tmp_path):
    """A repository of one commit with src/a.cc and src/b.cc, both compiled in build/."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "src").mkdir()
    shutil.copy(ROOT / "tools" / "lint-changed", tmp_path / "tools")
    shutil.copy(ROOT / ".clang-tidy", tmp_path)
    for name in ("a", "b"):
        (tmp_path / "src" / f"{name}.cc").write_text(GOOD, encoding="utf-8")
    (tmp_path / "build").mkdir()
    (tmp_path / ".gitignore").write_text("build\n", encoding="utf-8")
    commands = [
        {"directory": str(tmp_path), "file": str(tmp_path / "src" / name),
         "command": f"clang++-19 -std=c++20 -c src/{name}"}
        for name in ("a.cc", "b.cc")
    ]  # fmt: skip
    (tmp_path / "build" / "compile_commands.json").write_text(json.dumps(commands))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    commit(tmp_path)
    return tmp_path


def git(tree, *arguments):
    subprocess.run(["git", *arguments], cwd=tree, check=True, capture_output=True)


def commit(tree):
    git(tree, "-c", "user.name=a test", "-c", "user.email=test@localhost", "commit", "--quiet",
        "--allow-empty", "--message", "test")  # fmt: skip


def lint(tree, *arguments):
    return subprocess.run(["tools/lint-changed", "--build", "build", *arguments], cwd=tree,
                          capture_output=True, text=True, check=False)  # fmt: skip


def test_a_changed_file_with_a_fault_fails_and_is_named(tree):
    commit(tree)
    (tree / "src" / "a.cc").write_text(BAD, encoding="utf-8")
    done = lint(tree)
    assert done.returncode == 1
    assert "src/a.cc: faults" in done.stdout and "misc-redundant-expression" in done.stdout
    assert "b.cc" not in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_a_header_stands_for_the_source_beside_it(tree):
    commit(tree)
    (tree / "src" / "b.h").write_text("int Twice(int number);\n", encoding="utf-8")
    assert lint(tree, "--list").stdout == "src/b.cc\n"


def test_the_last_commit_is_looked_at_when_nothing_is_upstream(tree):
    (tree / "src" / "b.cc").write_text(BAD, encoding="utf-8")
    git(tree, "add", "--all")
    commit(tree)
    assert lint(tree, "--list").stdout == "src/b.cc\n"
    assert lint(tree).returncode == 1


def test_a_new_file_that_is_not_compiled_is_named_and_left_out(tree):
    commit(tree)
    (tree / "src" / "c.cc").write_text(BAD, encoding="utf-8")
    done = lint(tree)
    assert done.returncode == 0
    assert "src/c.cc: not compiled" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed, 1 skipped"


def test_without_a_compile_database_it_says_what_to_run(tree):
    commit(tree)
    (tree / "build" / "compile_commands.json").unlink()
    done = lint(tree)
    assert done.returncode == 1 and "tools/build tsan" in done.stdout


def test_a_clone_of_one_commit_has_nothing_to_compare_with(tree):
    done = lint(tree)
    assert done.returncode == 0 and done.stdout.endswith("0 passed, 0 failed, 1 skipped\n")
