// The vehicles of a load and their certificates, by number: a folder holds those that were issued.
#pragma once

#include <string>
#include <vector>

#include "base/disk.h"
#include "base/result.h"
#include "net/tls_context.h"

namespace telltale::load {

struct CarRange {
  std::string folder;
  std::size_t first = 0;
  std::size_t count = 0;
};

std::string VinOf(std::size_t number);

// Issues a certificate for each of `cars` that has none in the folder yet, and writes the list for
// `telltale vehicles import` to <folder>/vehicles.csv.
//   errors of CertificateAuthority and Disk
Status IssueCars(Disk& disk, const std::string& ca_folder, const CarRange& cars);

// One context a car, in order; `ca` is the file of the server's authority.
//   errors of TlsContext::ForClient
Result<std::vector<net::TlsContext>> LoadCars(const std::string& ca, const CarRange& cars);

}  // namespace telltale::load
