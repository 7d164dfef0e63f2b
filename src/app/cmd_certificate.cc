#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "app/commands.h"
#include "base/clock.h"
#include "base/config.h"
#include "net/certificates.h"
#include "net/tls_files.h"

namespace telltale::app {
namespace {

struct CertificateFlags {
  std::string dir;
  std::string vin;
  std::string out;
  std::string authority;
  bool common_name_only = false;
};

// Another authority than the installation's is made on first use: for trying what is refused.
Result<net::CertificateAuthority> AuthorityIn(Disk& disk, const std::string& folder, Micros now) {
  if (disk.Exists(folder + "/ca.crt")) return net::CertificateAuthority::Load(disk, folder);
  ASSIGN_OR_RETURN(net::CertificateAuthority made,
                   net::CertificateAuthority::Create("Another authority", now));
  RETURN_IF_ERROR(disk.MakeFolders(folder, 0755));
  RETURN_IF_ERROR(made.Store(disk, folder));
  return made;
}

Status Run(CertificateFlags flags) {
  if (flags.vin == "-") std::getline(std::cin, flags.vin);
  PosixDisk disk;
  const Micros now = SystemClock().NowUtc();
  ASSIGN_OR_RETURN(const net::CertificateAuthority authority,
                   flags.authority.empty()
                       ? net::CertificateAuthority::Load(disk, Paths(flags.dir).ca())
                       : AuthorityIn(disk, flags.authority, now));
  ASSIGN_OR_RETURN(const net::CertificateAndKey issued,
                   authority.IssueVehicle(flags.vin, now,
                                          flags.common_name_only ? net::VinPlace::kCommonName
                                                                 : net::VinPlace::kUriSan));
  RETURN_IF_ERROR(WriteFileDurably(disk, flags.out + ".key", issued.key_pem, 0600));
  RETURN_IF_ERROR(WriteFileDurably(disk, flags.out + ".crt", issued.certificate_pem, 0644));
  fmt::print("{0}.crt\n{0}.key\n", flags.out);
  return Ok();
}

struct RevokeFlags {
  std::string dir;
  std::string certificate;
};

Status Revoke(const RevokeFlags& flags) {
  PosixDisk disk;
  const std::string folder = Paths(flags.dir).ca();
  ASSIGN_OR_RETURN(const std::string pem,
                   ReadWholeFile(disk, flags.certificate, net::kTlsFileBytesMax));
  ASSIGN_OR_RETURN(const net::CertificateAuthority authority,
                   net::CertificateAuthority::Load(disk, folder));
  const Result<Config> config = Config::Load(disk, Paths(flags.dir).config());
  if (config.ok() && !config->mqtt_revocation_list.empty()) {
    fmt::print(stderr,
               "note: mqtt.revocation_list is {}; the gateway reads that list, not this one\n",
               config->mqtt_revocation_list);
  }
  RETURN_IF_ERROR(authority.RevokeIn(disk, folder, pem, SystemClock().NowUtc()));
  fmt::print("{}/{}\n", folder, net::kVehiclesListName);
  return Ok();
}

void AddRevokeCommand(CLI::App& certificate, int& exit_code) {
  const auto flags = std::make_shared<RevokeFlags>();
  CLI::App* command = certificate.add_subcommand(
      "revoke",
      "Put a vehicle's certificate on the local authority's revocation list (ca/vehicles.crl): the "
      "gateway ends its connections within seconds and lets it in no more");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--cert", flags->certificate, "The certificate, PEM")
      ->required()
      ->check(CLI::ExistingFile);
  command->callback([flags, &exit_code] { exit_code = ExitCode(Revoke(*flags)); });
}

// Not CLI11's own required(): that would ask for them beside `revoke` too.
void RequireOptions(const CLI::App& command) {
  for (const char* name : {"--dir", "--vin", "--out"}) {
    if (command.count(name) == 0) throw CLI::RequiredError(name);
  }
}

}  // namespace

void AddCertificateCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<CertificateFlags>();
  CLI::App* command = app.add_subcommand(
      "certificate", "Issue a vehicle's certificate from the installation's local authority");
  command->add_option("--dir", flags->dir, "The folder that `telltale init` made; required")
      ->check(CLI::ExistingDirectory);
  command->add_option(
      "--vin", flags->vin,
      "VIN; - reads it from standard input, so that no process list shows it; required");
  command->add_option("--out", flags->out, "Writes OUT.crt and OUT.key; required");
  command->add_option("--ca", flags->authority,
                      "Folder of another authority (ca.crt, ca.key), made when there is none: its "
                      "vehicles are refused");
  command->add_flag("--cn-only", flags->common_name_only,
                    "Name the VIN as common name instead of URI urn:telltale:vin:VIN");
  AddRevokeCommand(*command, exit_code);
  command->callback([flags, command, &exit_code] {
    if (!command->get_subcommands().empty()) return;  // it ran itself
    RequireOptions(*command);
    exit_code = ExitCode(Run(*flags));
  });
}

}  // namespace telltale::app
