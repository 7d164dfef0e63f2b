// Nanoseconds and allocations per report of the split alone, on the report of docs' budget: about
// 200 bytes, 20 fields set, exact place sealed, 50 reports a batch.
// usage: split_bench CONTRACT.desc
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

#include "base/disk.h"
#include "contract/contract.h"
#include "contract/wire.h"

namespace {
std::uint64_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* at = std::malloc(size)) return at;
  throw std::bad_alloc();
}
void operator delete(void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }

namespace telltale::contract {
namespace {

void Put(std::string& out, std::uint32_t number, float value) {
  AppendTag(out, number, WireType::kFixed32);
  PutLe(out, value);
}
void Put(std::string& out, std::uint32_t number, double value) {
  AppendTag(out, number, WireType::kFixed64);
  PutLe(out, value);
}
void Put(std::string& out, std::uint32_t number, std::uint64_t value) {
  AppendTag(out, number, WireType::kVarint);
  AppendVarint(out, value);
}
void Put(std::string& out, std::uint32_t number, const std::string& bytes) {
  AppendTag(out, number, WireType::kBytes);
  AppendVarint(out, bytes.size());
  out += bytes;
}

std::string Report(std::uint64_t seq) {
  std::string out;
  Put(out, kFieldSeq, seq);
  Put(out, kFieldEventTimeUs, 1'700'000'000'000'000 + seq * 100'000);
  for (const std::uint32_t number : {10u, 11u, 12u, 14u}) Put(out, number, 1.5f);
  Put(out, 15, std::uint64_t{1});
  Put(out, 20, 0.0f);
  for (const std::uint32_t number : {22u, 31u}) Put(out, number, std::uint64_t{0});
  for (const std::uint32_t number : {50u, 51u, 52u, 55u, 56u, 74u, 100u, 101u}) {
    Put(out, number, 13.9f);
  }
  for (std::uint64_t wheel = 1; wheel <= 4; ++wheel) {
    std::string tire;
    Put(tire, 1, wheel);
    Put(tire, 2, 231.0f);
    Put(out, 120, tire);
  }
  Put(out, 130, std::uint64_t{1});
  Put(out, 150, 54'321.1);
  Put(out, 160, 52.520008);
  Put(out, 161, 13.404954);
  Put(out, 163, 91.5f);
  Put(out, 900, std::uint64_t{42});
  return out;
}

std::string Batch() {
  std::string out;
  Put(out, 1, std::uint64_t{5});
  Put(out, 2, 1.0);  // 64 bits
  Put(out, 3, std::string("2.0.0"));
  for (std::uint64_t seq = 0; seq < 50; ++seq) Put(out, 10, Report(seq));
  return out;
}

int Run(const char* path) {
  PosixDisk disk;
  const auto bytes = ReadWholeFile(disk, path);
  const auto contract = Contract::FromDescriptorSet(bytes.ok() ? *bytes : "");
  if (!contract.ok()) {
    std::fprintf(stderr, "%s\n", contract.error().ToString().c_str());
    return 1;
  }
  Splitter splitter(contract.value());
  const std::string batch = Batch();
  std::uint64_t out_bytes = 0;
  std::uint64_t reports = 0;
  const std::function<void(const BatchHead&)> head = [](const BatchHead&) {};
  const std::function<void(const SplitReport&)> report = [&](const SplitReport& split) {
    ++reports;
    out_bytes += split.telemetry.size() + split.safety.size() + split.sealed.size();
  };
  const auto split_once = [&] {
    if (!splitter.Split(AsBytes(batch), 500'000, head, report).ok()) std::abort();
  };
  for (int i = 0; i < 100; ++i) split_once();
  reports = 0;
  const std::uint64_t allocations_before = allocations;
  const std::clock_t start = std::clock();  // CPU time: a busy neighbour does not count
  while (std::clock() - start < 2 * CLOCKS_PER_SEC) {
    for (int i = 0; i < 200; ++i) split_once();
  }
  const double elapsed_ns = static_cast<double>(std::clock() - start) * 1e9 / CLOCKS_PER_SEC;
  std::printf("report_bytes %zu reports %llu ns_per_report %.1f allocations %llu (out %llu)\n",
              Report(0).size(), static_cast<unsigned long long>(reports),
              elapsed_ns / static_cast<double>(reports),
              static_cast<unsigned long long>(allocations - allocations_before),
              static_cast<unsigned long long>(out_bytes));
  return 0;
}

}  // namespace
}  // namespace telltale::contract

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: split_bench CONTRACT.desc\n");
    return 2;
  }
  return telltale::contract::Run(argv[1]);
}
