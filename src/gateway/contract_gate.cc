#include "gateway/contract_gate.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <vector>

#include "contract/check/approvals_file.h"
#include "contract/check/source.h"

namespace telltale::gateway {
namespace {

namespace check = contract::check;

Result<std::unique_ptr<check::Source>> ReadWhole(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(auto source, check::Source::Read(disk, path));
  if (source->problems().empty()) return source;
  return Error{Code::kCorrupt, source->problems().front().ToString()};
}

std::string Told(const check::Finding& finding) {
  return fmt::format("{} {}: {} {}", check::TextOf(finding.rule).id, finding.full_name,
                     finding.effect, finding.advice);
}

}  // namespace

Status ContractGate::Admit(std::uint32_t number, const std::string& digest,
                           const EarlierContracts& earlier) {
  if (const auto same = earlier.find(number); same != earlier.end()) {
    if (same->second == digest) return Ok();
    return Error{Code::kInvalid,
                 fmt::format("contract number {} is another contract's already; a new contract "
                             "takes the next free number",
                             number)};
  }
  if (!earlier.empty() && number < earlier.rbegin()->first) {
    return Error{Code::kInvalid,
                 fmt::format("contract number {} is below {}, which was in force; a new contract "
                             "takes the next free number",
                             number, earlier.rbegin()->first)};
  }
  return Judge(number, digest, earlier);
}

Status ContractGate::Judge(std::uint32_t number, const std::string& digest,
                           const EarlierContracts& earlier) {
  const std::string base = contracts_ + "/" + digest;
  ASSIGN_OR_RETURN(const auto candidate, ReadWhole(disk_, base + ".desc"));
  std::vector<check::Version> versions;
  for (const auto& [old_number, old_digest] : earlier) {
    ASSIGN_OR_RETURN(const auto version, ReadWhole(disk_, contracts_ + "/" + old_digest + ".desc"));
    versions.push_back(version->AsVersion(fmt::format("contract {}", old_number)));
  }
  std::vector<check::Problem> problems;
  check::Approvals approvals;
  ASSIGN_OR_RETURN(approvals.all, check::ReadApprovals(disk_, base + ".approvals.yaml", problems));
  if (!problems.empty()) return Error{Code::kCorrupt, problems.front().ToString()};
  ASSIGN_OR_RETURN(const check::Comparison compared,
                   check::Compare(candidate->candidate(), versions, approvals));
  std::size_t rejects = 0;
  std::string first;
  for (const check::Finding& finding : compared.findings) {
    if (finding.verdict() != check::Verdict::kReject) continue;
    spdlog::error("gateway: contract {}: {}", number, Told(finding));
    if (rejects++ == 0) first = Told(finding);
  }
  if (!compared.rejected()) return Ok();
  return Error{Code::kRefused,
               fmt::format("contract {} would break cars or readers of an earlier one ({} "
                           "findings): {}",
                           number, rejects, first)};
}

}  // namespace telltale::gateway
