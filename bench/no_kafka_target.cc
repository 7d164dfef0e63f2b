#include "bench/target.h"

namespace telltale::bench {

std::unique_ptr<Target> MakeKafkaTarget(const KafkaOptions& /*options*/) { return nullptr; }

}  // namespace telltale::bench
