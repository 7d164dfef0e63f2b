#include "vault/access/answer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "seal/derive.h"
#include "vault/access/describe.h"

namespace telltale::vault {
namespace {

using nlohmann::json;

constexpr std::size_t kMessageBytes = 256u << 10;    // rows are sent in pieces of about this size
constexpr std::uint64_t kRowsChargedAhead = 10'000;  // one commit of the book for so many
constexpr std::size_t kSaltBytes = 16;

// {"kind":"rows","rows":[…]} of lines that are JSON already.
std::string RowsMessage(std::string_view lines) {
  std::string message = R"({"kind":"rows","rows":[)";
  bool is_first = true;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    if (!is_first) message += ',';
    message += lines.substr(0, end);
    is_first = false;
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  return message + "]}";
}

}  // namespace

RunningDigest::RunningDigest() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void RunningDigest::Add(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string RunningDigest::Hex() {
  std::array<std::uint8_t, 32> digest{};
  CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  return HexEncode(digest);
}

AccessDoor::Answer::Answer(Purse purse, Random& random, const Send& send, ExportWriter* writer)
    : purse_(std::move(purse)), send_(send), writer_(writer) {
  std::array<std::uint8_t, kSaltBytes> salt{};
  random.Fill(salt);
  salt_ = HexEncode(salt);
  digest_.Add(AsText(salt));
}

Status AccessDoor::Answer::AddRow(const json& row) { return AddText(Dump(row)); }

Status AccessDoor::Answer::AddText(std::string_view row) {
  if (++added_ > kRowsMax) {
    return Error{
        Code::kTooBig,
        fmt::format("more than {} rows; ask for a shorter interval or fewer vehicles", kRowsMax)};
  }
  pending_ += row;
  pending_ += '\n';
  ++pending_rows_;
  return pending_.size() < kMessageBytes ? Ok() : Flush();
}

Status AccessDoor::Answer::AddLines(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) return Error{Code::kCorrupt, "a kept row has no end"};
    RETURN_IF_ERROR(AddText(lines.substr(0, end)));
    lines.remove_prefix(end + 1);
  }
  return Ok();
}

Status AccessDoor::Answer::ChargeFor(std::uint64_t rows) {
  if (rows_ + rows <= charged_) return Ok();
  const std::uint64_t missing = rows_ + rows - charged_;
  const std::uint64_t ahead = std::max(missing, kRowsChargedAhead);
  std::uint64_t taken = ahead;
  Status charged = purse_.book.Charge(purse_.person, {.rows = ahead}, purse_.caps);
  if (!charged.ok() && charged.error().code == Code::kRefused) {
    taken = missing;
    charged = purse_.book.Charge(purse_.person, {.rows = missing}, purse_.caps);
  }
  RETURN_IF_ERROR(charged);
  charged_ += taken;
  return Ok();
}

Status AccessDoor::Answer::Flush() {
  if (pending_rows_ == 0) return Ok();
  RETURN_IF_ERROR(ChargeFor(pending_rows_));
  // Before it is sent: of a message that did not go whole, some rows may have arrived.
  digest_.Add(pending_);
  rows_ += pending_rows_;
  pending_rows_ = 0;
  const Status sent = writer_ != nullptr ? writer_->Add(pending_) : send_(RowsMessage(pending_));
  seal::Wipe(pending_);
  return sent;
}

void AccessDoor::Answer::Settle() {
  if (charged_ <= rows_) return;
  const Status given = purse_.book.GiveBackRows(purse_.person, charged_ - rows_);
  // Too much charged is on the safe side.
  if (!given.ok()) spdlog::warn("vault: {}", given.error().ToString());
}

}  // namespace telltale::vault
