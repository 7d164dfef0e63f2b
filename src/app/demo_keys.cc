#include "app/demo_keys.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "app/transport_keys.h"
#include "base/free_with.h"
#include "seal/transport_keys.h"

namespace telltale::app {
namespace {

constexpr std::uint64_t kCertificateFileBytesMax = 1u << 20;
constexpr std::uint64_t kTransportKeyFileBytesMax = 4096;

bool IsAbsent(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kRefused;
}

bool IsDemoName(const X509_NAME* name) {
  char common_name[128] = {};
  const int size = X509_NAME_get_text_by_NID(name, NID_commonName, common_name, sizeof common_name);
  return size > 0 && std::string_view(common_name) == kDemoAuthority;
}

// Any certificate in the file that is the demo authority's, or signed in its name.
bool HasDemoCertificate(const std::string& pem) {
  const std::unique_ptr<BIO, FreeWith<BIO_free_all>> source(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (source == nullptr) return false;
  while (true) {
    const std::unique_ptr<X509, FreeWith<X509_free>> one(
        PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) {  // whoever serves with it judges what is no certificate
      ERR_clear_error();
      return false;
    }
    if (IsDemoName(X509_get_subject_name(one.get())) ||
        IsDemoName(X509_get_issuer_name(one.get()))) {
      return true;
    }
  }
}

std::vector<std::string> KeyFiles(Disk& disk, const Paths& paths) {
  std::vector<std::string> files;
  for (const char* name : {"gateway.key", "gateway.pub", "control.key", "control.pub",
                           "vault_seal.pub", "vault_offline.pub"}) {
    files.push_back(paths.keys() + "/" + name);
  }
  files.push_back(OfflinePrivatePath(paths));
  files.push_back(paths.vault() + "/keys/seal.key");
  const auto gateways = disk.List(paths.vault() + "/gateways");
  if (!gateways.ok()) return files;
  for (const std::string& name : *gateways) {
    if (name.ends_with(".pub")) files.push_back(paths.vault() + "/gateways/" + name);
  }
  return files;
}

Result<bool> IsDemoTransportKey(Disk& disk, const std::string& path) {
  ASSIGN_OR_RETURN(std::string file, ReadWholeFile(disk, path, kTransportKeyFileBytesMax));
  const auto head = seal::ParsePrivateHead(AsBytes(file));
  seal::Wipe(file);
  return head.ok() && head->is_demo;  // the vault judges what is no key
}

std::vector<std::string> TransportKeyFiles(Disk& disk, const Paths& paths) {
  std::vector<std::string> files;
  const std::string folder = paths.vault() + "/keys/transport";
  const auto names = disk.List(folder);
  if (!names.ok()) return files;
  for (const std::string& name : *names) {
    if (name.ends_with(".key")) files.push_back(folder + "/" + name);
  }
  return files;
}

std::vector<std::string> CertificateFiles(const Paths& paths, const Config& config) {
  std::vector<std::string> files = {
      config.mqtt_client_ca.empty() ? paths.ca() + "/ca.crt" : config.mqtt_client_ca,
      paths.certs() + "/server.crt"};
  for (const std::string& file : {config.feed_tls_certificate, config.operations_tls_certificate}) {
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

}  // namespace

Result<std::vector<std::string>> FindDemoKeys(Disk& disk, const Paths& paths,
                                              const Config& config) {
  std::vector<std::string> found;
  for (const std::string& file : KeyFiles(disk, paths)) {
    const Result<bool> is_demo = seal::IsDemoKey(disk, file);
    if (!is_demo.ok() && !IsAbsent(is_demo.error())) return is_demo.error();
    if (is_demo.ok() && *is_demo) found.push_back(file);
  }
  for (const std::string& file : TransportKeyFiles(disk, paths)) {
    const Result<bool> is_demo = IsDemoTransportKey(disk, file);
    if (!is_demo.ok() && !IsAbsent(is_demo.error())) return is_demo.error();
    if (is_demo.ok() && *is_demo) found.push_back(file);
  }
  for (const std::string& file : CertificateFiles(paths, config)) {
    const Result<std::string> pem = ReadWholeFile(disk, file, kCertificateFileBytesMax);
    if (!pem.ok() && !IsAbsent(pem.error())) return pem.error();
    if (pem.ok() && HasDemoCertificate(*pem)) found.push_back(file);
  }
  return found;
}

Status CheckDemoKeys(Disk& disk, const Paths& paths, const Config& config, bool demo) {
  const bool is_prod = config.environment_kind == "prod";
  if (demo && !is_prod) return Ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> found, FindDemoKeys(disk, paths, config));
  if (found.empty()) return Ok();
  const std::string others =
      found.size() == 1 ? "" : fmt::format(" (and {} more here)", found.size() - 1);
  if (is_prod) {
    return Error{Code::kRefused,
                 fmt::format("{}{} was made for a demonstration: an environment of kind prod never "
                             "runs on them; make a new installation with `telltale init`",
                             found.front(), others)};
  }
  return Error{Code::kRefused,
               fmt::format("{}{} was made for a demonstration: `telltale serve --demo` runs it as "
                           "one; for cars that matter make a new installation with `telltale init`",
                           found.front(), others)};
}

}  // namespace telltale::app
