// An open record as the report of a vehicle again. What it may hold is asked of the contract once
// more, field by field, by the splitter of the door: so nothing but open fields leaves, whatever
// lies in the record. Derived values (cell, heading octant, class) are the platform's and stay.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/vehicle_class.h"
#include "contract/contract.h"
#include "log/record.h"
#include "telltale/v1/telemetry.pb.h"

namespace telltale::sim {

// Counts that a vehicle carries on for ever or for weeks: under a new pseudonym they would go on
// where they were.
inline const std::vector<std::string> kCarriedOnCounts = {
    "ignition_cycle", "warmups_since_clear", "distance_since_clear_km", "time_since_clear_min"};

// The class of vehicle that the platform wrote into an open record; kUnknown where there is none.
VehicleClass ClassOf(const log::RecordView& record);

// One thread.
class MirrorReports {
 public:
  // The contract with a number that a record's header names.
  using ContractOf =
      std::function<Result<std::shared_ptr<const contract::Contract>>(std::uint32_t number)>;
  // `leave_out`: names of fields of Report. One that a contract does not have is fine.
  MirrorReports(ContractOf contract_of, std::vector<std::string> leave_out);

  // Without seq and event time: the car gives it both. `distance_km` is added to LINKING distances.
  //   kInvalid   the record is none of stream `telemetry`
  //   errors of `contract_of`
  Result<telltale::v1::Report> Encode(const log::RecordView& record, double distance_km);

 private:
  struct Prepared {
    std::unique_ptr<contract::Splitter> splitter;
    std::set<int> left_out;  // numbers
  };
  Result<Prepared*> For(std::uint32_t contract_number);

  ContractOf contract_of_;
  std::vector<std::string> leave_out_;
  std::map<std::uint32_t, Prepared> prepared_;  // by contract number
  std::string batch_;
  std::string body_;
};

}  // namespace telltale::sim
