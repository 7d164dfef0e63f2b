#include "vault/inventory.h"

#include <spdlog/spdlog.h>

namespace telltale::vault {
namespace {

constexpr int kFoldersDeep = 3;

// Names below the segments' folder, with their sizes.
Status ListFiles(Disk& disk, const std::string& root, const std::string& below, int deep,
                 Listing& listing) {
  const std::string folder = below.empty() ? root : root + "/" + below;
  const Result<std::vector<std::string>> names = disk.List(folder);
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    const std::string path = below.empty() ? name : below + "/" + name;
    const auto file = disk.Open(root + "/" + path, OpenMode::kRead);
    const Result<std::uint64_t> size =
        file.ok() ? (*file)->Size() : Result<std::uint64_t>(file.error());
    const Result<std::vector<std::string>> inside =
        deep > 0 ? disk.List(root + "/" + path)
                 : Result<std::vector<std::string>>(Error{Code::kNotFound, "not a folder"});
    if (inside.ok()) {
      RETURN_IF_ERROR(ListFiles(disk, root, path, deep - 1, listing));
    } else {
      listing.files.push_back({path, size.ok() ? *size : 0});
    }
  }
  return Ok();
}

std::string BelowSegments(const std::string& dir, const std::string& path) {
  return path.substr(dir.size() + std::string_view("/segments/").size());
}

}  // namespace

Result<Inventory> TakeInventory(Disk& disk, VaultFolder& folder, const std::string& dir) {
  Inventory inventory;
  RETURN_IF_ERROR(ListFiles(disk, dir + "/segments", "", kFoldersDeep, inventory.listing));
  inventory.keys.hours = folder.keys().Hours();
  inventory.keys.destruction_pending = folder.keys().destruction_pending();
  Store& store = folder.store();
  inventory.catalogue.next_segment = store.next_segment();
  ASSIGN_OR_RETURN(const std::vector<SegmentRecord> live, store.catalog().LiveSegments());
  for (const SegmentRecord& record : live) {
    inventory.catalogue.live.push_back({record.number, record.key(),
                                        BelowSegments(dir, store.PathOf(record)), record.bytes,
                                        record.frames});
  }
  ASSIGN_OR_RETURN(inventory.catalogue.gone, store.catalog().GoneRanges());
  return inventory;
}

Result<Report> ReportNow(Disk& disk, VaultFolder& folder, const std::string& dir,
                         ReportContext context, std::optional<Micros> at, bool list) {
  Store& store = folder.store();
  ReportInput input;
  input.now = store.guard().NowForReaders();
  input.at = at.value_or(input.now);
  input.list = list;
  input.ledger = folder.ledger().View();
  input.account = std::move(context.account);
  input.sealed = std::move(context.sealed);
  input.sealed_retention = context.sealed_retention;
  for (const Hold& hold : store.holds()) {
    input.holds.push_back({hold.number, hold.basis + ", case " + hold.case_id, hold.review_at});
  }
  input.exports = std::move(context.exports);
  input.transport_keys = std::move(context.transport_keys);
  ASSIGN_OR_RETURN(Inventory inventory, TakeInventory(disk, folder, dir));
  input.listing = std::move(inventory.listing);
  input.keys = std::move(inventory.keys);
  input.catalogue = std::move(inventory.catalogue);
  const AuditHead head = store.audit().head();
  input.audit_entries = head.entries;
  input.audit_hash = head.hash;
  input.audit_problem = store.audit().problem();
  return MakeReport(input);
}

Status ReconcileNow(Disk& disk, Counters& counters, VaultFolder& folder, const std::string& dir) {
  ASSIGN_OR_RETURN(const Inventory inventory, TakeInventory(disk, folder, dir));
  Store& store = folder.store();
  const Reconciliation result = Reconcile(inventory.listing, inventory.keys, inventory.catalogue,
                                          folder.ledger().View(), store.guard().NowForReaders());
  counters.Get("reconciliations").Add();
  counters.Get("reconciliation_findings").Add(result.findings.size());
  for (const Finding& finding : result.findings) {
    spdlog::error("vault: reconciliation: {}: {}; {}", NameOf(finding.kind), finding.place,
                  AdviceOn(finding.kind));
  }
  const auto written = store.audit().Append("reconciled", AuditFieldsOf(result));
  return written.ok() ? Ok() : Status(written.error());
}

}  // namespace telltale::vault
