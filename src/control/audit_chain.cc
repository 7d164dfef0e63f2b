// The audit chain in control.db: each entry's hash covers the one before.
#include "base/clock.h"
#include "control/control_db.h"
#include "control/json_reader.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

using nlohmann::json;

constexpr std::size_t kArgumentBytesMax = 4096;
const std::string kBeforeFirst(64, '0');

std::string HashOf(const std::string& before, std::string_view body) {
  return HexEncode(seal::Sha256(before + " " + std::string(body)));
}

// Long values by their digest: a manifest, a list of many vehicles.
json Shortened(const json& arguments) {
  json kept = arguments;
  if (!kept.is_object()) return json::object();
  for (auto& [name, value] : kept.items()) {
    const std::string text = value.is_binary()
                                 ? std::string(value.get_binary().begin(), value.get_binary().end())
                                 : Canonical(value);
    if (!value.is_binary() && text.size() <= kArgumentBytesMax) continue;
    value = {{"sha256", HexEncode(seal::Sha256(text))}, {"bytes", text.size()}};
  }
  return kept;
}

}  // namespace

Result<std::uint64_t> ControlDb::Note(const AuditNote& note, Micros now) {
  ASSIGN_OR_RETURN(auto last,
                   database_.Prepare("SELECT entry, hash FROM audit ORDER BY entry DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool is_there, last.Step());
  const std::int64_t entry = is_there ? last.Int(0) + 1 : 1;
  const std::string before = is_there ? std::string(last.Text(1)) : kBeforeFirst;
  last.Reset();
  const json body = {{"entry", entry},
                     {"at", FormatUtc(now)},
                     {"subject", note.subject},
                     {"operation", note.operation},
                     {"environment", note.environment},
                     {"arguments", Shortened(note.arguments)}};
  const std::string text = Canonical(body);
  ASSIGN_OR_RETURN(auto insert,
                   database_.Prepare("INSERT INTO audit (entry, body, hash) VALUES (?, ?, ?)"));
  RETURN_IF_ERROR(
      insert.BindInt(1, entry).BindText(2, text).BindText(3, HashOf(before, text)).Run());
  return static_cast<std::uint64_t>(entry);
}

Result<json> ControlDb::AuditAfter(std::uint64_t after, std::int64_t limit) {
  ASSIGN_OR_RETURN(auto statement, database_.Prepare("SELECT body, hash FROM audit WHERE entry > ? "
                                                     "ORDER BY entry LIMIT ?"));
  statement.BindInt(1, static_cast<std::int64_t>(after)).BindInt(2, limit);
  json items = json::array();
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_row, statement.Step());
    if (!is_row) break;
    json item = json::parse(statement.Text(0), nullptr, false);
    if (!item.is_object()) return Error{Code::kCorrupt, "an entry of the audit is no JSON object"};
    item["hash"] = std::string(statement.Text(1));
    items.push_back(std::move(item));
  }
  ASSIGN_OR_RETURN(auto last,
                   database_.Prepare("SELECT entry, hash FROM audit ORDER BY entry DESC LIMIT 1"));
  json end = {{"entry", 0}, {"hash", kBeforeFirst}};
  ASSIGN_OR_RETURN(const bool is_there, last.Step());
  if (is_there) end = {{"entry", last.Int(0)}, {"hash", std::string(last.Text(1))}};
  return json{{"items", std::move(items)}, {"last", std::move(end)}};
}

Result<json> ControlDb::VerifyAudit() {
  ASSIGN_OR_RETURN(auto statement,
                   database_.Prepare("SELECT entry, body, hash FROM audit ORDER BY entry"));
  std::string before = kBeforeFirst;
  std::int64_t entries = 0;
  const auto bad = [&](std::int64_t entry, const char* reason) {
    return json{{"entries", entries}, {"ok", false}, {"first_bad", entry}, {"reason", reason}};
  };
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_row, statement.Step());
    if (!is_row) break;
    if (statement.Int(0) != entries + 1) return bad(entries + 1, "the entry is missing");
    const std::string hash = HashOf(before, statement.Text(1));
    if (hash != statement.Text(2)) return bad(entries + 1, "its hash does not follow");
    const json body = json::parse(statement.Text(1), nullptr, false);
    if (!body.is_object() || body.value("entry", json()) != json(entries + 1)) {
      return bad(entries + 1, "it names another number");
    }
    before = hash;
    ++entries;
  }
  return json{{"entries", entries}, {"ok", true}, {"first_bad", nullptr}, {"reason", ""}};
}

}  // namespace telltale::control
