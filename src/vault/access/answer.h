// Rows on their way out, in messages of a size; each is charged to the asker's day before it
// leaves. Only door*.cc includes it.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/free_with.h"
#include "vault/access/door.h"

namespace telltale::vault {

class RunningDigest {
 public:
  RunningDigest();
  void Add(std::string_view bytes);
  std::string Hex();  // once

 private:
  std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context_;
};

class AccessDoor::Answer {
 public:
  struct Purse {  // whose day it is
    Book& book;
    PersonKey person;
    access::Caps caps;
  };
  // `writer` null: the rows go to `send`; else there. All outlive it.
  Answer(Purse purse, Random& random, const Send& send, ExportWriter* writer);

  //   kTooBig   over kRowsMax
  //   kRefused  over the day's cap
  Status AddRow(const nlohmann::json& row);
  // Rows as they were kept: whole lines.
  Status AddLines(std::string_view lines);
  Status Flush();
  // What was charged ahead goes back.
  void Settle();

  std::uint64_t rows() const { return rows_; }  // that left
  const std::string& salt() const { return salt_; }
  std::string Digest() { return digest_.Hex(); }
  RowStats stats;
  std::uint64_t without_place = 0;

 private:
  Status AddText(std::string_view row);
  Status ChargeFor(std::uint64_t rows);

  Purse purse_;
  const Send& send_;
  ExportWriter* const writer_;
  std::string salt_;  // hex
  RunningDigest digest_;
  std::string pending_;  // rows, one a line
  std::uint64_t pending_rows_ = 0;
  std::uint64_t added_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t charged_ = 0;
};

}  // namespace telltale::vault
