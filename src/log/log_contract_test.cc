// The contract on files, on a disk that loses what was not synced.
#include "log/log_contract_testing.h"

namespace telltale::log {
namespace {

class FilesHome final : public ContractHome {
 public:
  std::unique_ptr<Streams> Attach() override { return StreamsOnFiles(disk_, "/log"); }
  void Crash() override { disk_.Crash(4711); }
};

const ContractPlace kFiles{
    "Files", []() -> std::unique_ptr<ContractHome> { return std::make_unique<FilesHome>(); }};

INSTANTIATE_TEST_SUITE_P(On, LogContractTest, testing::Values(kFiles), NameOf);

}  // namespace
}  // namespace telltale::log
