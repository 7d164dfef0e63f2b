// Rows as they lie in the vault to rows as a purpose may see them. One per vehicle and answer; one
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vault/access/policy.h"
#include "vault/access/request.h"

namespace telltale::vault {

// What every answer's rows carry: whose they are, and under which request they left.
struct Watermark {
  std::string vehicle_ref;
  std::int64_t request = 0;
};

class Shape {
 public:
  using Emit = std::function<Status(const nlohmann::json& row)>;
  // All outlive it.
  Shape(const access::Purpose& purpose, const QueryRequest& query, Watermark mark)
      : purpose_(purpose), query_(query), mark_(std::move(mark)) {}

  // One row of the store, any order.
  Status Add(nlohmann::json row, const Emit& emit);
  // After the vehicle's last row: what needs all of them.
  Status End(const Emit& emit);

  std::uint64_t without_place() const { return without_place_; }  // rows no form but trace can use

 private:
  struct Point {
    std::int64_t time_us;
    double latitude_deg;
    double longitude_deg;
  };
  Status AddTrace(nlohmann::json row, const Emit& emit) const;
  void AddPoint(const nlohmann::json& row);
  Status EmitCells(const Emit& emit) const;
  Status EmitDistances(const Emit& emit) const;
  std::int64_t Floor(std::int64_t time_us) const;
  nlohmann::json RowAt(std::int64_t time_us) const;

  const access::Purpose& purpose_;
  const QueryRequest& query_;
  const Watermark mark_;
  std::vector<Point> points_;  // kCells, kDistanceBins
  std::uint64_t without_place_ = 0;
};

// Metres along the sphere.
double DistanceMetres(double latitude_a, double longitude_a, double latitude_b, double longitude_b);

}  // namespace telltale::vault
