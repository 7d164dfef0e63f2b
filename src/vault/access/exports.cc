#include "vault/access/exports.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/free_with.h"

namespace telltale::vault {
namespace {

constexpr std::string_view kMagic = "TTEX";
constexpr std::uint8_t kMinReader = 1;
constexpr std::size_t kHeadBytes = 4 + 1 + 1 + 2 + kExportIdBytes + 8;
constexpr std::size_t kPieceHeadBytes =
    5;  // u32 length of the plaintext, u8 whether it is the last
constexpr std::string_view kKeyInfo = "telltale vault export v1";

using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;

// What a piece is bound to beside the key: the file's head, its place, and whether it is the last.
std::string BoundTo(std::string_view head, std::uint64_t number, bool is_last) {
  std::string bound(head);
  PutLe(bound, number);
  PutLe(bound, static_cast<std::uint8_t>(is_last));
  return bound;
}

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

Result<std::string> SealPiece(const seal::SecretKey& key, std::uint64_t number,
                              std::string_view bound, std::string_view plain) {
  const Context context(EVP_CIPHER_CTX_new());
  const auto nonce = seal::NonceOf(number);
  std::string out(plain.size() + seal::kTagBytes, '\0');
  auto* bytes = reinterpret_cast<std::uint8_t*>(out.data());
  int size = 0;
  const bool done = context != nullptr &&
                    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(),
                                       nonce.data()) == 1 &&
                    EVP_EncryptUpdate(context.get(), nullptr, &size, Bytes(bound),
                                      static_cast<int>(bound.size())) == 1 &&
                    EVP_EncryptUpdate(context.get(), bytes, &size, Bytes(plain),
                                      static_cast<int>(plain.size())) == 1 &&
                    EVP_EncryptFinal_ex(context.get(), bytes + size, &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, seal::kTagBytes,
                                        bytes + plain.size()) == 1;
  if (!done) return Error{Code::kUnavailable, "the crypto library refused to encrypt an export"};
  return out;
}

Result<std::string> OpenPiece(const seal::SecretKey& key, std::uint64_t number,
                              std::string_view bound, std::string_view sealed) {
  const Context context(EVP_CIPHER_CTX_new());
  const auto nonce = seal::NonceOf(number);
  const std::size_t plain_size = sealed.size() - seal::kTagBytes;
  std::string out(plain_size, '\0');
  auto* bytes = reinterpret_cast<std::uint8_t*>(out.data());
  std::string tag(sealed.substr(plain_size));
  int size = 0;
  const bool done =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) ==
          1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &size, Bytes(bound),
                        static_cast<int>(bound.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), bytes, &size, Bytes(sealed), static_cast<int>(plain_size)) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, seal::kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), bytes + size, &size) == 1;
  if (!done) return Error{Code::kCorrupt, "a piece of the export was changed"};
  return out;
}

Result<std::string> HeadOf(const ExportName& name) {
  ASSIGN_OR_RETURN(const std::string id, HexDecode(name.id));
  if (id.size() != kExportIdBytes || name.secret.size() != kExportSecretBytes) {
    return Error{Code::kInvalid, "an export's id has 32 hex digits"};
  }
  std::string head(kMagic);
  PutLe(head, kExportVersion);
  PutLe(head, kMinReader);
  PutLe(head, std::uint16_t{0});
  head += id;
  PutLe(head, name.dies_at.value);
  return head;
}

Status DeriveKey(ExportKeys& keys, const ExportName& name, std::string_view head,
                 seal::SecretKey& key) {
  seal::SecretKey hour;
  RETURN_IF_ERROR(keys.CopyHour(name.dies_at, hour));
  return seal::HkdfSha256(AsBytes(hour.text()), name.secret,
                          std::string(kKeyInfo) + std::string(head), {key.data(), key.size()});
}

Result<std::string> ReadExactly(const File& file, std::uint64_t at, std::size_t size) {
  std::string bytes(size, '\0');
  ASSIGN_OR_RETURN(const std::size_t got,
                   file.ReadAt(at, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  if (got != size) return Error{Code::kCorrupt, "the export is cut"};
  return bytes;
}

Status CheckHead(std::string_view found, std::string_view wanted) {
  if (!found.starts_with(kMagic)) return Error{Code::kCorrupt, "no export"};
  const auto min_reader = static_cast<std::uint8_t>(found[5]);
  if (min_reader > kExportVersion) {
    return Error{Code::kUnsupported,
                 fmt::format("the export needs a reader of version {}", min_reader)};
  }
  if (found != wanted) return Error{Code::kCorrupt, "it is another export"};
  return Ok();
}

}  // namespace

std::string ExportPath(const std::string& folder, const std::string& id) {
  return folder + "/" + id + ".sealed";
}

Result<std::unique_ptr<ExportWriter>> ExportWriter::Start(Disk& disk, ExportKeys& keys,
                                                          const std::string& folder,
                                                          const ExportName& name) {
  RETURN_IF_ERROR(keys.EnsureHour(name.dies_at));
  std::unique_ptr<ExportWriter> writer(new ExportWriter());
  writer->disk_ = &disk;
  writer->folder_ = folder;
  ASSIGN_OR_RETURN(writer->head_, HeadOf(name));
  RETURN_IF_ERROR(DeriveKey(keys, name, writer->head_, writer->key_));
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0700));
  ASSIGN_OR_RETURN(writer->file_, disk.Open(ExportPath(folder, name.id), OpenMode::kCreate, 0600));
  RETURN_IF_ERROR(writer->file_->WriteAt(0, AsBytes(writer->head_)));
  writer->at_ = writer->head_.size();
  return writer;
}

Status ExportWriter::Write(std::string_view piece, bool is_last) {
  CHECK(piece.size() <= kExportPieceBytesMax);
  ASSIGN_OR_RETURN(const std::string sealed,
                   SealPiece(key_, pieces_, BoundTo(head_, pieces_, is_last), piece));
  std::string bytes;
  PutLe(bytes, static_cast<std::uint32_t>(piece.size()));
  PutLe(bytes, static_cast<std::uint8_t>(is_last));
  bytes += sealed;
  RETURN_IF_ERROR(file_->WriteAt(at_, AsBytes(bytes)));
  at_ += bytes.size();
  ++pieces_;
  return Ok();
}

Status ExportWriter::Add(std::string_view piece) { return Write(piece, false); }

Status ExportWriter::Finish() {
  RETURN_IF_ERROR(Write("", true));
  RETURN_IF_ERROR(file_->Sync());
  return disk_->SyncFolder(folder_);
}

Status ReadExport(Disk& disk, ExportKeys& keys, const std::string& folder, const ExportName& name,
                  const std::function<Status(std::string_view)>& piece) {
  ASSIGN_OR_RETURN(const std::string head, HeadOf(name));
  ASSIGN_OR_RETURN(const auto file, disk.Open(ExportPath(folder, name.id), OpenMode::kRead));
  ASSIGN_OR_RETURN(const std::string found, ReadExactly(*file, 0, kHeadBytes));
  RETURN_IF_ERROR(CheckHead(found, head));
  seal::SecretKey key;
  RETURN_IF_ERROR(DeriveKey(keys, name, head, key));
  std::uint64_t at = kHeadBytes;
  for (std::uint64_t number = 0;; ++number) {
    ASSIGN_OR_RETURN(const std::string piece_head, ReadExactly(*file, at, kPieceHeadBytes));
    const auto size = GetLe<std::uint32_t>(piece_head.data());
    const bool is_last = piece_head.back() == 1;
    const bool is_known = size <= kExportPieceBytesMax && (is_last || piece_head.back() == 0);
    if (!is_known) return Error{Code::kCorrupt, "the head of a piece was changed"};
    ASSIGN_OR_RETURN(const std::string sealed,
                     ReadExactly(*file, at + kPieceHeadBytes, size + seal::kTagBytes));
    ASSIGN_OR_RETURN(std::string plain,
                     OpenPiece(key, number, BoundTo(head, number, is_last), sealed));
    at += kPieceHeadBytes + sealed.size();
    const Status taken = is_last ? Ok() : piece(plain);
    seal::Wipe(plain);
    RETURN_IF_ERROR(taken);
    if (is_last) return Ok();
  }
}

}  // namespace telltale::vault
