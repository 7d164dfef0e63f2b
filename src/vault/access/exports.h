// Answers that stay in the vault: encrypted from the first byte, gone at their hour.
// Bytes: docs/formats/vault-export.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/disk.h"
#include "base/format_version.h"
#include "base/random.h"
#include "seal/derive.h"
#include "vault/hour.h"

namespace telltale::vault {

inline constexpr std::uint8_t kExportVersion = VersionOf(Format::kKeptAnswer).written;
inline constexpr std::size_t kExportPieceBytesMax = 1u << 20;
inline constexpr std::size_t kExportSecretBytes = 32;
inline constexpr std::size_t kExportIdBytes = 16;

// Keys of hours of death: destroyed at the start of theirs, as all keys of hours. Any thread.
class ExportKeys {
 public:
  virtual ~ExportKeys() = default;
  // The key of answers that die at the start of `dies_at`, made when there is none; durable on
  // return.
  virtual Status EnsureHour(Hour dies_at) = 0;
  //   kNotFound  destroyed, or never made
  virtual Status CopyHour(Hour dies_at, seal::SecretKey& key) = 0;
};

// Both halves are needed: the hour's key dies with the hour, the secret (in the request book) with
// the export's removal.
struct ExportName {
  std::string id;      // 32 hex digits
  std::string secret;  // kExportSecretBytes
  Hour dies_at;
};

// One thread.
class ExportWriter {
 public:
  // Makes <folder>/<id>.sealed.
  //   kUnavailable, kOverloaded  disk, or the hour's key cannot be had
  static Result<std::unique_ptr<ExportWriter>> Start(Disk& disk, ExportKeys& keys,
                                                     const std::string& folder,
                                                     const ExportName& name);
  // At most kExportPieceBytesMax; read back in the same pieces.
  Status Add(std::string_view piece);
  // Without it the file reads as cut. Durable on return.
  Status Finish();

 private:
  ExportWriter() = default;
  Status Write(std::string_view piece, bool is_last);
  Disk* disk_ = nullptr;
  std::string folder_;
  std::unique_ptr<File> file_;
  seal::SecretKey key_;
  std::string head_;
  std::uint64_t at_ = 0;
  std::uint64_t pieces_ = 0;
};

// Calls `piece` for each piece whose bytes were checked, in order; stops at its first error.
//   kNotFound     no such file, or its hour's key is destroyed
//   kCorrupt      cut, changed, or another export's
//   kUnsupported  newer
Status ReadExport(Disk& disk, ExportKeys& keys, const std::string& folder, const ExportName& name,
                  const std::function<Status(std::string_view)>& piece);

std::string ExportPath(const std::string& folder, const std::string& id);

}  // namespace telltale::vault
