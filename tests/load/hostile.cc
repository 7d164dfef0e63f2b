#include <fmt/format.h>

#include <array>
#include <map>

#include "loads.h"
#include "raw_socket.h"
#include "reports.h"

namespace telltale::load {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kConnectionsPerCar = 8;
constexpr milliseconds kTurnEvery{5};
// Kept unsent by those who send as fast as they are read.
constexpr std::size_t kFullSpeedBytes = 128u << 10;
constexpr std::int64_t kDripEveryUs = 1'000'000;
constexpr std::int64_t kMalformedEveryUs = 200'000;
constexpr std::int64_t kComeAgainAfterUs = 1'000'000;  // and up to as much more, at random
constexpr std::uint16_t kSilentKeepAliveS = 5;
constexpr std::string_view kTopic = "telltale/v1/reports";

enum class Kind {
  kHalfHandshake,  // the beginning of a ClientHello, nothing more
  kDripConnect,    // CONNECT, one byte a second
  kGarbage,        // a good CONNECT, then random bytes
  kHugeLength,     // a PUBLISH that says it has 256 MiB
  kFloodPublish,   // good batches as fast as they are taken
  kFloodPing,      // PINGREQ as fast as they are taken
  kNeverReads,     // PINGREQ as fast as they are taken, answers never read
  kComeAndGo,      // connects and leaves, without a pause
  kMalformed,      // five batches a second that are no protobuf
  kGoesSilent,     // CONNECT with a keep-alive of 5 s, then nothing
};
struct Share {
  Kind kind;
  const char* name;
  std::size_t connections;
};
// 1,000. Floods are few: each takes all it can get.
constexpr std::array<Share, 10> kShares = {{
    {Kind::kHalfHandshake, "half_handshake", 248},
    {Kind::kDripConnect, "drip_connect", 152},
    {Kind::kGarbage, "garbage", 120},
    {Kind::kHugeLength, "huge_length", 120},
    {Kind::kFloodPublish, "flood_publish", 16},
    {Kind::kFloodPing, "flood_ping", 16},
    {Kind::kNeverReads, "never_reads", 40},
    {Kind::kComeAndGo, "come_and_go", 16},
    {Kind::kMalformed, "malformed", 120},
    {Kind::kGoesSilent, "goes_silent", 152},
}};

struct Tally {
  std::uint64_t opened = 0;
  std::uint64_t ended = 0;  // by the server
};

std::string Packet(std::string_view payload) {
  std::string bytes;
  gateway::AppendPublish(bytes, {.topic = kTopic, .payload = payload, .packet_id = 1});
  return bytes;
}

// Fifty good reports. The same again and again: repeats are the sender's to make.
std::string GoodPacket(Micros now) {
  v1::ReportBatch batch;
  batch.set_boot_counter(1);
  batch.set_boot_random(7);
  batch.set_firmware("2.0.0");
  for (std::uint64_t seq = 0; seq < 50; ++seq) {
    FillReport(*batch.add_reports(), seq, now);
  }
  return Packet(batch.SerializeAsString());
}

std::string Pings(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) gateway::AppendPingReq(bytes);
  return bytes;
}

// Looked at every kTurnEvery.
class Turning {
 public:
  virtual ~Turning() = default;
  virtual void Turn(Micros now) = 0;
};

class HalfHandshake final : public Turning {
 public:
  HalfHandshake(Run& run, Tally& tally) : run_(run), tally_(tally) {}
  void Turn(Micros now) override {
    if (socket_ == nullptr && now >= again_at_) {
      ++tally_.opened;
      // A handshake record of 512 bytes, of which the first few are there.
      static constexpr std::string_view kBeginning("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                                                   11);
      socket_ = RawSocket::Open(run_.loop, run_.port, kBeginning);
    }
    if (socket_ != nullptr && socket_->is_over()) {
      ++tally_.ended;
      socket_.reset();
      again_at_ = now + Micros{kComeAgainAfterUs};
    }
  }

 private:
  Run& run_;
  Tally& tally_;
  Micros again_at_;
  std::unique_ptr<RawSocket> socket_;
};

class HostileClient final : public Client, public Turning {
 public:
  HostileClient(Run& run, const net::TlsContext& tls, Kind kind, std::size_t number,
                SeededRandom& random, Tally& tally)
      : Client(run, tls, fmt::format("hostile-{}", number)),
        kind_(kind),
        random_(random),
        tally_(tally) {
    if (kind == Kind::kGoesSilent) keep_alive_s_ = kSilentKeepAliveS;
  }

  void Turn(Micros now) override {
    if (!is_open()) {
      if (now >= again_at_) OpenAgain(now);
    } else if (is_secure_ && kind_ == Kind::kDripConnect) {
      Drip(now);
    } else if (is_accepted()) {
      BeHostile(now);
    }
  }

 private:
  void OpenAgain(Micros now) {
    is_secure_ = false;
    dripped_ = 0;
    again_at_ = now + Micros{kComeAgainAfterUs +
                             static_cast<std::int64_t>(random_.Below(kComeAgainAfterUs))};
    if (Open().ok()) ++tally_.opened;
  }

  void OnSecure() override {
    is_secure_ = true;
    if (kind_ != Kind::kDripConnect) SendConnect();
  }

  void OnAccepted() override {
    switch (kind_) {
      case Kind::kGarbage:
        return Send(Garbage());
      case Kind::kHugeLength:
        return Send(std::string("\x32\xff\xff\xff\x7f", 5) + std::string(100, 'x'));
      case Kind::kNeverReads:
        return connection().PauseReading();
      default:
        return;
    }
  }

  void OnGone(const Error&) override {
    ++tally_.ended;
    if (kind_ == Kind::kComeAndGo) again_at_ = {};
  }

  void BeHostile(Micros now) {
    static const std::string kGood = GoodPacket(run().clock.NowUtc());
    static const std::string kPings = Pings(4096);
    switch (kind_) {
      case Kind::kFloodPublish:
        return Fill(kGood);
      case Kind::kFloodPing:
      case Kind::kNeverReads:
        return Fill(kPings);
      case Kind::kComeAndGo:
        Close();
        return OpenAgain(now);
      case Kind::kMalformed:
        if (now < next_at_) return;
        next_at_ = now + Micros{kMalformedEveryUs};
        return Send(Packet(Garbage()));
      default:
        return;
    }
  }

  void Fill(const std::string& bytes) {
    while (connection().unsent_bytes() < kFullSpeedBytes) Send(bytes);
  }

  void Drip(Micros now) {
    if (now < next_at_) return;
    next_at_ = now + Micros{kDripEveryUs};
    const std::string whole = ConnectBytes();
    if (dripped_ < whole.size()) Send(std::string_view(whole).substr(dripped_++, 1));
  }

  std::string Garbage() {
    std::string bytes(64, '\0');
    random_.Fill({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
    bytes[0] = '\x0f';  // no packet of MQTT and no field of protobuf begins so
    bytes[1] = static_cast<char>(bytes[1] & 0x1f);  // the packet is all there: it can be judged
    return bytes;
  }

  const Kind kind_;
  SeededRandom& random_;
  Tally& tally_;
  bool is_secure_ = false;
  std::size_t dripped_ = 0;
  Micros again_at_;
  Micros next_at_;
};

}  // namespace

Status RunHostile(Run& run, const std::vector<net::TlsContext>& cars) {
  SeededRandom random(run.seed);
  std::map<Kind, Tally> tallies;
  std::vector<std::unique_ptr<Turning>> all;
  nlohmann::json kinds;
  for (const Share& share : kShares) {
    kinds[share.name] = share.connections;
    Tally& tally = tallies[share.kind];
    for (std::size_t i = 0; i < share.connections; ++i) {
      const std::size_t number = all.size();
      if (share.kind == Kind::kHalfHandshake) {
        all.push_back(std::make_unique<HalfHandshake>(run, tally));
        continue;
      }
      const net::TlsContext& tls = cars.at(number / kConnectionsPerCar);
      all.push_back(std::make_unique<HostileClient>(run, tls, share.kind, number, random, tally));
    }
  }
  Report({{"hostile", all.size()}, {"seed", run.seed}, {"kinds", kinds}});
  net::Timer turns(run.loop);
  turns.Every(kTurnEvery, [&] {
    for (const auto& one : all) one->Turn(run.Now());
  });
  {
    const Commands commands(run.loop, [](const std::string&) {});
    run.loop.Run();
  }
  nlohmann::json counts;
  for (const Share& share : kShares) {
    const Tally& tally = tallies[share.kind];
    counts[share.name] = {{"opened", tally.opened}, {"ended_by_server", tally.ended}};
  }
  Report({{"counts", counts}});
  return Ok();
}

}  // namespace telltale::load
