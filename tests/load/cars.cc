#include "cars.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "net/certificates.h"

namespace telltale::load {
namespace {

std::string FileOf(const CarRange& cars, std::size_t number, std::string_view suffix) {
  return fmt::format("{}/{}.{}", cars.folder, number, suffix);
}

}  // namespace

std::string VinOf(std::size_t number) { return fmt::format("TTLAAD{:011}", number); }

Status IssueCars(Disk& disk, const std::string& ca_folder, const CarRange& cars) {
  ASSIGN_OR_RETURN(const auto authority, net::CertificateAuthority::Load(disk, ca_folder));
  RETURN_IF_ERROR(disk.MakeFolders(cars.folder, 0700));
  const Micros now = SystemClock().NowUtc();
  std::string list = "vin,model,class,fuel,ownership_epoch\n";
  for (std::size_t number = cars.first; number < cars.first + cars.count; ++number) {
    list += VinOf(number) + ",load,passenger_car,unknown,1\n";
    const std::string certificate = FileOf(cars, number, "crt");
    if (disk.Exists(certificate)) continue;
    ASSIGN_OR_RETURN(const auto pem, authority.IssueVehicle(VinOf(number), now));
    RETURN_IF_ERROR(WriteFileDurably(disk, FileOf(cars, number, "key"), pem.key_pem, 0600));
    RETURN_IF_ERROR(WriteFileDurably(disk, certificate, pem.certificate_pem));
  }
  return WriteFileDurably(disk, cars.folder + "/vehicles.csv", list);
}

Result<std::vector<net::TlsContext>> LoadCars(const std::string& ca, const CarRange& cars) {
  std::vector<net::TlsContext> contexts;
  contexts.reserve(cars.count);
  for (std::size_t number = cars.first; number < cars.first + cars.count; ++number) {
    ASSIGN_OR_RETURN(auto context,
                     net::TlsContext::ForClient({.ca = ca,
                                                 .certificate = FileOf(cars, number, "crt"),
                                                 .key = FileOf(cars, number, "key")}));
    contexts.push_back(std::move(context));
  }
  return contexts;
}

}  // namespace telltale::load
