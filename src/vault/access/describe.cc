#include "vault/access/describe.h"

namespace telltale::vault {

using nlohmann::json;

std::string Dump(const json& value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

json Described(const BookedRequest& booked) {
  json shown = booked.request.Body();
  shown["request"] = booked.id.value;
  shown["hash"] = booked.hash;
  shown["state"] = StateName(booked.state);
  shown["result"] = booked.result;
  shown["requester"] = booked.requester.number;
  shown["at"] = FormatUtc(booked.at);
  shown["vehicles"] = json::array();
  for (const VehicleRef& one : booked.request.query.vehicles) {
    shown["vehicles"].push_back(one.ToHex());
  }
  shown["approved_by"] = json::array();
  for (const Vote& vote : booked.approvals) {
    shown["approved_by"].push_back({{"person", vote.person.number}, {"at", FormatUtc(vote.at)}});
  }
  if (booked.forgotten) shown["forgotten"] = true;
  return shown;
}

void AddRequest(const BookedRequest& booked, AuditFields& fields) {
  const QueryRequest& query = booked.request.query;
  fields.emplace_back("request", std::to_string(booked.id.value));
  fields.emplace_back("hash", AuditText(booked.hash));
  fields.emplace_back("op", AuditText(KindName(booked.request.kind)));
  fields.emplace_back("case", AuditText(query.case_id));
  fields.emplace_back("vehicles", std::to_string(query.vehicles.size()));
  if (booked.request.kind != RequestKind::kQuery) return;
  fields.emplace_back("purpose", AuditText(query.purpose));
  fields.emplace_back("from_us", std::to_string(query.from.value));
  fields.emplace_back("to_us", std::to_string(query.to.value));
  fields.emplace_back("class", AuditText(query.frame_class));
  if (query.hold) fields.emplace_back("hold", std::to_string(*query.hold));
  if (query.break_glass) fields.emplace_back("break_glass", "true");
  if (query.keep) fields.emplace_back("keep", "true");
}

}  // namespace telltale::vault
