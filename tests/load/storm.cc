#include <fmt/format.h>

#include <deque>

#include "loads.h"
#include "raw_socket.h"

namespace telltale::load {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTurnEvery{2};
// Between ClientHello and CONNACK at one time; one that takes longer goes on but no longer counts.
// Each car has a processor of its own: this one, which serves them in turn, must not begin so many
// that it answers the door too late, nor leave the door without a hello.
constexpr std::size_t kHandshakesMax = 512;
constexpr std::int64_t kHandshakeCountsForUs = 250'000;
// A car that was not let in comes again (docs/vehicle-protocol.md), so often.
constexpr int kTriesMax = 6;
constexpr std::int64_t kAgainAfterUs = 1'000'000;  // and up to as much more, at random

class Storm {
 public:
  Storm(Run& run, const std::vector<net::TlsContext>& cars, const StormOptions& options)
      : run_(run), random_(run.seed), turns_(run.loop) {
    for (std::size_t i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<One>(*this, cars[i % cars.size()], i / cars.size()));
    }
  }

  void Begin() {
    began_ = run_.Now();
    for (const auto& client : clients_) Come(client.get());
    Report({{"began_s", SinceBegan()}});
    turns_.Every(kTurnEvery, [this] { Turn(); });
  }

  void Keep(std::size_t wanted) {
    std::size_t kept = 0;
    for (const auto& client : clients_) {
      if (client->is_accepted() && kept++ >= wanted) client->Close();
    }
    Report({{"kept", std::min(kept, wanted)}});
  }

  void End() { Report({{"lost", lost_}}); }

 private:
  class One final : public Client {
   public:
    One(Storm& storm, const net::TlsContext& tls, std::size_t number)
        : Client(storm.run_, tls, fmt::format("storm-{}", number)), storm_(storm) {}
    int tries = 0;
    bool is_settled = false;
    bool is_shaking_hands = false;  // and counts
    Micros hello_at;

   private:
    void OnAccepted() override { storm_.OnAccepted(*this); }
    void OnGone(const Error&) override { storm_.OnGone(*this); }
    Storm& storm_;
  };
  struct Coming {
    One* client;
    int fd;
  };
  struct Again {
    One* client;
    Micros at;
  };

  double SinceBegan() const { return static_cast<double>((run_.Now() - began_).value) / 1e6; }

  void Come(One* client) {
    ++client->tries;
    const int fd = BeginConnecting(run_.port);
    if (fd < 0) return OnGone(*client);
    coming_.push_back({client, fd});
  }

  void Turn() {
    const Micros now = run_.Now();
    for (std::size_t left = again_.size(); left > 0; --left) {
      const Again next = again_.front();
      again_.pop_front();
      if (next.at <= now) {
        Come(next.client);
      } else {
        again_.push_back(next);
      }
    }
    while (!hellos_.empty() && (now - hellos_.front()->hello_at).value > kHandshakeCountsForUs) {
      EndHandshake(*hellos_.front());
      hellos_.pop_front();
    }
    for (std::size_t left = coming_.size(); left > 0 && shaking_hands_ < kHandshakesMax; --left) {
      const Coming next = coming_.front();
      coming_.pop_front();
      if (!IsConnected(next.fd)) {
        coming_.push_back(next);
        continue;
      }
      ++shaking_hands_;
      next.client->is_shaking_hands = true;
      next.client->hello_at = now;
      hellos_.push_back(next.client);
      if (!next.client->OpenOn(next.fd).ok()) OnGone(*next.client);
    }
  }

  void EndHandshake(One& client) {
    if (std::exchange(client.is_shaking_hands, false)) --shaking_hands_;
  }

  void OnAccepted(One& client) {
    EndHandshake(client);
    took_us_.push_back((run_.Now() - began_).value);
    Settle(client);
  }

  void OnGone(One& client) {
    EndHandshake(client);
    if (client.is_settled) {
      ++lost_;
      return;
    }
    ++refusals_;
    if (client.tries >= kTriesMax) return Settle(client);
    const auto more = static_cast<std::int64_t>(random_.Below(kAgainAfterUs));
    again_.push_back({&client, run_.Now() + Micros{kAgainAfterUs + more}});
  }

  void Settle(One& client) {
    client.is_settled = true;
    if (++settled_ < clients_.size()) return;
    Report({{"accepted", took_us_.size()},
            {"refused", clients_.size() - took_us_.size()},
            {"refusals", refusals_},
            {"settled_s", SinceBegan()},
            {"connack", Quantiles(took_us_)}});
  }

  Run& run_;
  SeededRandom random_;
  net::Timer turns_;
  Micros began_;
  std::vector<std::unique_ptr<One>> clients_;
  std::deque<Coming> coming_;
  std::deque<One*> hellos_;  // in the order they were sent
  std::deque<Again> again_;
  std::vector<std::int64_t> took_us_;
  std::size_t shaking_hands_ = 0;
  std::size_t settled_ = 0;
  std::size_t refusals_ = 0;
  std::size_t lost_ = 0;
};

}  // namespace

Status RunStorm(Run& run, const std::vector<net::TlsContext>& cars, const StormOptions& options) {
  Storm storm(run, cars, options);
  const Commands commands(run.loop, [&](const std::string& line) {
    if (line == "begin") storm.Begin();
    if (line.starts_with("keep ")) storm.Keep(std::stoul(line.substr(5)));
  });
  Report({{"ready", true}});
  run.loop.Run();
  storm.End();
  return Ok();
}

}  // namespace telltale::load
