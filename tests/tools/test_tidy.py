"""tools/tidy finds each kind of fault where it was planted, and nothing in what is right."""

import os
import subprocess
import sys
import textwrap

import pytest
from loading import ROOT, load

tidy = load("telltale_tidy", "tools/tidy")

FLOW = (ROOT / "src" / "FLOW").read_text(encoding="utf-8")


@pytest.fixture
def plant(tmp_path):
    """plant({path: text}) makes a tree; the faults in it as (path, line, rule, advice)."""
    def faults(files):
        for path, text in {"src/FLOW": FLOW, **files}.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text), encoding="utf-8")
        return [(fault.path, fault.line, fault.rule, fault.advice)
                for fault in tidy.Tidy(tmp_path).run()]
    return faults


def body(lines):
    return "void Long() {\n" + "  Step();\n" * (lines - 2) + "}\n"


# rule, path, line, text: one fault each, in that line
PLANTED = [
    # direction
    ("flow", "src/base/a.h", 2, '#pragma once\n#include "log/log.h"\n'),
    ("flow", "src/lake/a.cc", 1, '#include "vault/vault.h"\n'),
    ("flow", "src/log/a_test.cc", 1, '#include "seal/seal.h"\n'),
    ("flow", "src/base/a.cc", 1, '#include "telltale/v1/telemetry.pb.h"\n'),
    ("flow", "src/store/a.cc", 1, "#include <internal/v1/local.pb.h>\n"),
    ("flow", "src/sim/a.cc", 1, '  #  include "app/x.h"\n'),
    ("flow", "src/newfolder/a.cc", 1, "int a;\n"),
    ("flow", "src/log/CMakeLists.txt", 1, "telltale_module(log base\n  seal)\n"),
    ("flow", "src/lake/CMakeLists.txt", 2,
     "add_library(lake a.cc)\ntarget_link_libraries(lake PUBLIC vault)\n"),
    ("flow", "src/store/CMakeLists.txt", 1, "telltale_module(store base contract_proto)\n"),
    ("include-path", "src/base/a.cc", 1, '#include "ids.h"\n'),
    ("include-path", "src/base/a.cc", 1, '#include "google/protobuf/message.h"\n'),
    # homes
    ("library-home", "src/gateway/a.cc", 1, "#include <boost/asio/ip/tcp.hpp>\n"),
    ("library-home", "src/publish/a.cc", 1, "#include <boost/beast.hpp>\n"),
    ("library-home", "src/vault/a.cc", 1, "#include <arrow/api.h>\n"),
    ("library-home", "src/app/a.cc", 1, "#include <parquet/arrow/reader.h>\n"),
    ("library-home", "src/publish/a.h", 1, "#include <sqlite3.h>\n"),
    ("library-home", "src/lake/a.cc", 1, "#include <openssl/evp.h>\n"),
    ("library-home", "src/log/a.cc", 1, "#include <openssl/sha.h>\n"),
    ("library-home", "src/lake/a.cc", 1, "#include <s2/s2cell_id.h>\n"),
    # sizes
    ("line-length", "src/log/a.cc", 2, "int a;\n// " + "x" * 98 + "\n"),
    ("line-length", "tests/e2e/a.py", 1, "A = '" + "x" * 98 + "'\n"),
    ("file-length", "src/log/a.cc", 601, "int a;\n" * 601),
    ("file-length", "python/telltale_lake/a.py", 601, "A = 1\n" * 601),
    ("file-length", "src/app/worker_main.cc", 151, "int a;\n" * 151),
    ("file-length", "src/app/main.cc", 151, "int a;\n" * 151),
    ("function-length", "src/log/a.cc", 1, body(71)),
    ("function-length", "src/log/a.cc", 4,
     '#include <string>\n#define A(x) \\\n  x {\n' + body(71)),
    ("function-length", "src/log/a.cc", 3, "namespace telltale {\nint a;\n" + body(71) + "}\n"),
    ("function-length", "src/log/a.cc", 1,
     "A::A(int b)\n    : b_{b}, c_(b), d_{} {\n" + "  Step();\n" * 68 + "}\n"),
    ("function-length", "src/log/a.h", 3,
     "class X {\n public:\n  bool operator==(const X& o) const {\n"
     + "  Step();\n" * 69 + "}\n};\n"),
    ("function-length", "src/log/a_test.cc", 1,
     "TEST(A, B) {\n  auto f = [] {\n" + "  Step();\n" * 67 + "  };\n}\n"),
    ("function-length", "tools/a.py", 1, "def a():\n" + "    b()\n" * 70),
    # calls
    ("banned-call", "src/log/a.cc", 1, "void F() { std::this_thread::sleep_for(1ms); }\n"),
    ("banned-call", "src/log/a.cc", 1, "void F() { usleep(5); }\n"),
    ("banned-call", "src/net/a.cc", 1, "void F() { ::nanosleep(&a, nullptr); }\n"),
    ("banned-call", "src/app/a_test.cc", 1, "void F() { sleep(1); }\n"),
    ("banned-call", "src/log/a_test.cc", 1, "void F() { std::this_thread::sleep_for(1ms); }\n"),
    ("banned-call", "src/log/a_test.cc", 1, "int a = rand();\n"),
    ("banned-call", "src/base/a.cc", 1, "void F() { std::srand(1); }\n"),
    ("banned-call", "src/sim/a.cc", 1, "std::random_device device;\n"),
    ("banned-call", "src/vault/a.cc", 1, "auto a = time(nullptr);\n"),
    ("banned-call", "src/safety/a.cc", 1, "auto a = std::chrono::steady_clock::now();\n"),
    ("banned-call", "src/safety/a_test.cc", 1, "auto a = std::chrono::system_clock::now();\n"),
    ("banned-call", "src/log/a.cc", 1, "int fd = ::open(path, O_RDONLY);\n"),
    ("banned-call", "src/log/a.cc", 1, "int fd = open(path, O_RDONLY);\n"),
    ("banned-call", "src/vault/a.cc", 1, "void F() { fsync(fd); }\n"),
    ("banned-call", "src/vault/a.cc", 1, "void F() { std::rename(a, b); }\n"),
    ("banned-call", "src/vault/a.cc", 1, "void F() { unlink(a); }\n"),
    ("banned-call", "src/sim/a.cc", 1, "std::ifstream in(path);\n"),
    ("banned-call", "src/sim/a.cc", 1, "std::ofstream out;\n"),
    ("banned-call", "src/sim/a.cc", 1, 'FILE* f = fopen("a", "r");\n'),
    ("banned-call", "src/sim/a.cc", 1, "auto a = std::filesystem::exists(b);\n"),
    ("banned-call", "src/sim/a.cc", 1, "int fd = ::socket(AF_INET, SOCK_STREAM, 0);\n"),
    ("banned-call", "src/vault/a.cc", 1, "auto pid = fork();\n"),
    ("banned-call", "src/app/a.cc", 1, 'void F() { system("ls"); }\n'),
    ("banned-call", "src/app/a_test.cc", 1, 'void F() { popen("ls", "r"); }\n'),
    ("banned-call", "src/base/a.cc", 1, "void F() { strcpy(a, b); }\n"),
    ("banned-call", "src/base/a.cc", 1, 'void F() { sprintf(a, "%d", b); }\n'),
    ("banned-call", "src/base/a.cc", 1, "void F() { gets(a); }\n"),
    ("banned-call", "src/base/a.cc", 1, "void F() { assert(a); }\n"),
    ("banned-call", "src/log/a.cc", 1, "void F() { std::exit(1); }\n"),
    ("banned-call", "src/log/a.cc", 1, "void F() { std::cout << 1; }\n"),
    ("banned-call", "src/log/a.cc", 1, "using namespace std;\n"),
    ("banned-call", "src/log/a.cc", 1, "using namespace telltale::log;\n"),
    ("banned-call", "src/log/a_test.cc", 1, "using namespace std::chrono;\n"),
    ("banned-call", "src/log/a_bench.cc", 1, "using namespace std;\n"),
    ("banned-call", "tests/shows/skeleton-01-a", 2,
     "#!/usr/bin/env python3\nfrom time import sleep\n"),
    ("banned-call", "tests/e2e/test_a.py", 2, "import time\ntime.sleep(1)\n"),
    ("banned-call", "tests/tools/a.py", 1, "from time import sleep\n"),
    ("banned-flag", "cmake/Flags.cmake", 1, "add_compile_options(-march=native)\n"),
    ("banned-flag", "CMakeLists.txt", 1, "add_compile_options(-O2 -ffast-math)\n"),
    ("banned-flag", "CMakePresets.json", 1, '{"CMAKE_CXX_FLAGS": "-Ofast"}\n'),
    # words
    ("unfinished", "src/log/a.cc", 2, "int a;\n// TODO: more\n"),
    ("unfinished", "python/a.py", 1, "# FIXME\n"),
    ("unfinished", "docs/a.md", 1, "XXX\n"),
    ("unfinished", "tests/shows/skeleton-01-a", 2, "#!/bin/sh\n# HACK\n"),
    ("unfinished", "Makefile", 1, "# TODO\n"),
    ("name", "src/log/a.h", 1, "class SegmentManager {};\n"),
    ("name", "src/log/a.h", 1, "namespace log_util {}\n"),
    ("syntax", "tools/a.py", 1, "def\n"),
]


@pytest.mark.parametrize("rule, path, line, text", PLANTED,
                         ids=[f"{entry[0]}-{number}" for number, entry in enumerate(PLANTED)])
def test_a_planted_fault_is_found_in_its_line(plant, rule, path, line, text):
    found = plant({path: text})
    assert [fault[:3] for fault in found] == [(path, line, rule)]
    assert found[0][3], "a fault says what to do instead"


RIGHT = {
    "src/base/a.cc": '#include "base/ids.h"\n#include <net/if.h>\nint fd = open(path, O_RDONLY);\n'
                     "auto a = std::chrono::system_clock::now();\n",
    "src/contract/a.cc": '#include "telltale/v1/telemetry.pb.h"\n',
    "src/log/a.cc": """\
        #include "base/ids.h"
        // sleep_for(), open() and rand() in a comment are no calls
        const char* kText = "time(nullptr) system(1)";
        const char* kRaw = R"(assert(false) // TODOs)";
        static_assert(sizeof(int) == 4);
        void F(File& file) { file.open(1); file->rename(a); Open(path); log::open(a); }
        void G(const Opener& open) { auto reader = open(ShardId{1}, position); }
        Micros time(5);
        using namespace std::chrono_literals;
        constexpr int kMany = 1'000'000;
        """,
    "src/log/a_bench_main.cc": "using namespace telltale;\n"
                               "void F() { std::this_thread::sleep_for(1ms); }\n"
                               "auto a = std::chrono::steady_clock::now();\n",
    "bench/door.cc": "void F() { std::this_thread::sleep_for(1ms); std::cout << 1; }\n",
    "src/log/a_fuzz.cc": "using namespace telltale::log;\n",
    "src/log/a_oracle.h": "inline std::ifstream File();\n",
    "src/log/a_test.cc": 'std::ifstream in(path);\nauto pid = fork();\nvoid F() { unlink(a); }\n',
    "src/net/a.cc": "#include <boost/asio.hpp>\nauto a = std::chrono::steady_clock::now();\n",
    "src/lake/a.cc": '#include <arrow/api.h>\n#include "sequence/sequence.h"\n',
    "src/lake/CMakeLists.txt": "telltale_module(lake base contract log sequence)\n",
    "src/store/a.cc": "#include <sqlite3.h>\n",
    "src/sim/a.cc": '#include <s2/s2cell_id.h>\n#include "gateway/mqtt.h"\n',
    "src/app/main.cc": "int main() { std::this_thread::sleep_for(1ms); std::cout << fork(); }\n",
    "src/safety/a.cc": body(70) + body(70),
    "src/safety/table.cc": "const std::vector<Row> kRows = {\n" + "  {1, F()},\n" * 90 + "};\n",
    "src/vault/vault.proto": "// " + "x" * 90 + "\n" + "\n" * 700,
    "tests/e2e/waiting.py": "import time\ntime.sleep(0.01)\n",
    "tests/corpus/mqtt_fuzz/seed.txt": "TODO\n",
}


def test_what_is_right_is_left_alone(plant):
    assert plant(RIGHT) == []


def test_an_exemption_covers_its_file_and_rule_only(plant, monkeypatch):
    monkeypatch.setattr(tidy, "EXEMPTIONS", [("src/log/a.cc", "banned-call", "a test")])
    found = plant({"src/log/a.cc": "int a = rand(); // TODO\n",
                   "src/log/b.cc": "int a = rand();\n"})
    assert [fault[:3] for fault in found] == [("src/log/a.cc", 1, "unfinished"),
                                              ("src/log/b.cc", 1, "banned-call")]


def test_an_exemption_that_is_no_longer_needed_is_a_fault(plant, monkeypatch):
    monkeypatch.setattr(tidy, "EXEMPTIONS", [("src/log/a.cc", "banned-call", "a test")])
    found = plant({"src/log/a.cc": "int a = 1;\n"})
    assert [fault[:3] for fault in found] == [("src/log/a.cc", 1, "exemption")]


def test_every_exemption_gives_a_reason():
    assert all(len(reason) > 10 for _, _, reason in tidy.EXEMPTIONS)


def test_a_tree_without_its_flow_is_refused(tmp_path):
    (tmp_path / "src").mkdir()
    assert [fault.rule for fault in tidy.Tidy(tmp_path).run()] == ["flow"]


def test_the_command_prints_place_rule_and_advice_and_fails(tmp_path):
    (tmp_path / "src" / "log").mkdir(parents=True)
    (tmp_path / "src" / "FLOW").write_text(FLOW, encoding="utf-8")
    (tmp_path / "src" / "log" / "a.cc").write_text("int a = rand();\n", encoding="utf-8")
    done = subprocess.run([sys.executable, ROOT / "tools" / "tidy", "--root", tmp_path],
                          capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"},
                          check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("src/log/a.cc:1: banned-call: rand: take base/random.h")
