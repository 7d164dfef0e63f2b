// Whatever bytes: an order is read or refused, unsigned ones never pass, and what is read can be
// carried out: the lanes lie side by side after it, and a second look finds nothing to do.
#include "base/check.h"
#include "publish/order_record.h"

namespace telltale::publish {
namespace {

bool Tile(const Lanes& lanes) {
  std::uint32_t lot = 0;
  for (const Lane& lane : lanes.lanes) {
    if (lane.lot_from != lot || lane.lot_to <= lot) return false;
    lot = lane.lot_to;
  }
  return lot == kLots;
}

void CarryOut(const Wanted& wanted) {
  Lanes lanes = FirstLanes(std::string(64, 'a'));
  lanes.lanes.front().next = Offset{10};
  Candidate candidate;
  const Decision cold = Decide(lanes, wanted, candidate);
  CHECK(Tile(Apply(lanes, cold, wanted)));
  candidate.warm_from = Offset{5};
  candidate.mark = Mark{.below = Offset{10}, .lots = kLots};
  const Decision warm = Decide(lanes, wanted, candidate);
  const Lanes after = Apply(lanes, warm, wanted);
  CHECK(Tile(after) && after.epoch.value >= lanes.epoch.value);
  CHECK(Decide(after, wanted, candidate).flips.empty());
}

}  // namespace
}  // namespace telltale::publish

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::publish;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CHECK(!VerifyOrder(bytes, std::string(32, '\1')).ok());
  const auto wanted = ParseOrder(bytes);
  if (!wanted.ok()) return 0;
  CHECK(wanted->seq.value > 0 && wanted->stable.size() == 64);
  if (wanted->rollout) CHECK(wanted->rollout->authority_lots <= wanted->rollout->shadow_lots);
  CarryOut(*wanted);
  return 0;
}
