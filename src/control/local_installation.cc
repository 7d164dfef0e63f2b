// An installation on this machine, over its folder and its local sockets.
#include "base/kept_config.h"
#include "base/local_socket.h"
#include "contract/failure_wire.h"
#include "control/installation.h"
#include "control/rollout_costs.h"
#include "seal/seal.h"

namespace telltale::control {
namespace {

namespace wire = ::telltale::internal::v1;
using namespace std::chrono_literals;

// A log's owner syncs a record into every partition; a publisher commits one transaction.
constexpr std::chrono::milliseconds kAppendTimeout = 3s;
constexpr std::chrono::milliseconds kOrderTimeout = 2s;
constexpr std::uint64_t kCostsBytesMax = 1u << 20;
constexpr std::uint64_t kEvidenceBytesMax = 16u << 20;

PartitionView ViewOf(const wire::PartitionAuthority& in) {
  PartitionView out{.partition = in.partition(),
                    .authority_epoch = in.authority_epoch(),
                    .pending = in.pending()};
  for (const auto& lane : in.lanes()) {
    out.lanes.push_back({.lot_from = lane.lot_from(),
                         .lot_to = lane.lot_to(),
                         .release = lane.release(),
                         .authority_epoch = lane.authority_epoch(),
                         .first_offset = lane.first_offset(),
                         .next_offset = lane.next_offset()});
  }
  for (const auto& mark : in.releases()) {
    out.marks.push_back({.release = mark.release(),
                         .below_offset = mark.below_offset(),
                         .log_time = Micros{mark.log_time_us()},
                         .config_seq = ConfigSeq{mark.config_seq()},
                         .lots = mark.lots(),
                         .lots_since = Micros{mark.lots_since_us()}});
  }
  return out;
}

class LocalInstallation final : public Installation {
 public:
  LocalInstallation(Disk& disk, Paths paths, seal::KeyPair key)
      : disk_(disk), paths_(std::move(paths)), key_(std::move(key)) {}

  Result<Contracts> InForceNow() override {
    // The owner adds files and changes none: the same newest one is the same answer.
    ASSIGN_OR_RETURN(const auto newest, NewestKeptConfigSeq(disk_, KeptConfigFolder(paths_)));
    if (known_ && newest == newest_) return *known_;
    ASSIGN_OR_RETURN(Contracts contracts, ReadContracts(disk_, paths_, key_.public_raw));
    newest_ = newest;
    known_ = contracts;
    return contracts;
  }
  Result<std::string> Sign(const InForce& config) override { return SignConfig(config, key_); }
  Status AppendToLog(std::string_view signed_config) override {
    return SendConfig(paths_.append_socket(), signed_config, kAppendTimeout);
  }
  Result<PublisherView> Order(std::string_view signed_config) override {
    wire::PublisherRequest request;
    request.set_signed_config(std::string(signed_config));
    return Ask(request);
  }
  Result<PublisherView> AskPublisher() override {
    wire::PublisherRequest request;
    request.mutable_status();
    return Ask(request);
  }
  std::vector<WorkerCost> WorkerCosts() override {
    const auto text = ReadWholeFile(disk_, paths_.run() + "/releases.json", kCostsBytesMax);
    return text.ok() ? WorkerCostsIn(*text) : std::vector<WorkerCost>();
  }
  Result<std::string> GateEvidence(const std::string& rollout) override {
    return ReadWholeFile(disk_, GateFolder(rollout) + "/evidence.json", kEvidenceBytesMax);
  }
  Status WriteGateSettings(const std::string& rollout, std::string_view settings) override {
    const std::string path = GateFolder(rollout) + "/settings.json";
    const auto there = ReadWholeFile(disk_, path, kEvidenceBytesMax);
    if (there.ok() && *there == settings) return Ok();
    RETURN_IF_ERROR(disk_.MakeFolders(GateFolder(rollout)));
    return WriteFileDurably(disk_, path, settings, 0640);
  }

 private:
  std::string GateFolder(const std::string& rollout) const {
    return paths_.data() + "/gate/" + rollout;
  }
  Result<PublisherView> Ask(const wire::PublisherRequest& request) {
    ASSIGN_OR_RETURN(LocalConnection publisher, LocalConnection::Connect(paths_.orders_socket()));
    RETURN_IF_ERROR(publisher.Send(request.SerializeAsString()));
    ASSIGN_OR_RETURN(const auto frame, publisher.Receive(kOrderTimeout));
    if (!frame) return Error{Code::kUnavailable, "the publisher does not answer"};
    wire::PublisherReply reply;
    if (!reply.ParseFromString(*frame)) {
      return Error{Code::kUnavailable, "the publisher's answer cannot be read"};
    }
    if (reply.has_failure()) return contract::ErrorOf(reply.failure());
    PublisherView view{.config_seq = ConfigSeq{reply.config_seq()}};
    for (const auto& partition : reply.partitions()) view.partitions.push_back(ViewOf(partition));
    return view;
  }

  Disk& disk_;
  const Paths paths_;
  const seal::KeyPair key_;
  std::optional<ConfigSeq> newest_;
  std::optional<Contracts> known_;
};

}  // namespace

Result<std::unique_ptr<Installation>> OpenLocalInstallation(Disk& disk, const std::string& dir) {
  Paths paths(dir);
  seal::KeyPair key;
  ASSIGN_OR_RETURN(key.private_raw, seal::LoadKey(disk, paths.keys() + "/control.key"));
  ASSIGN_OR_RETURN(key.public_raw, seal::LoadKey(disk, paths.keys() + "/control.pub"));
  return std::unique_ptr<Installation>(
      std::make_unique<LocalInstallation>(disk, std::move(paths), std::move(key)));
}

}  // namespace telltale::control
