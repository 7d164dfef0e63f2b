// What lies in the vault's folder beside what is known of it, for reconciliation and report. Owner
// thread, with nothing uncommitted.
#pragma once

#include <string>

#include "vault/ledger/report.h"
#include "vault/vault_folder.h"

namespace telltale::vault {

// `hourly` alone fills listing, keys and catalogue.
struct Inventory {
  Listing listing;
  KeyInventory keys;
  Catalogue catalogue;
};
//   kUnavailable  disk
Result<Inventory> TakeInventory(Disk& disk, VaultFolder& folder, const std::string& dir);

// What the report needs beside: filled by who knows it.
struct ReportContext {
  IntakeAccount account;
  std::vector<SealedPartition> sealed;
  Micros sealed_retention;
  std::vector<Expiring> exports;
  std::vector<Expiring> transport_keys;
};
//   kUnavailable  disk
Result<Report> ReportNow(Disk& disk, VaultFolder& folder, const std::string& dir,
                         ReportContext context, std::optional<Micros> at, bool list);

// Compares, writes the result into the audit log, counts findings.
Status ReconcileNow(Disk& disk, Counters& counters, VaultFolder& folder, const std::string& dir);

}  // namespace telltale::vault
