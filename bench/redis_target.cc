#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>

#include "bench/target.h"
#include "raw_socket.h"

namespace telltale::bench {
namespace {

constexpr std::size_t kConnections = 8;
constexpr std::size_t kStreams = 64;  // as many as a log has partitions

class Connection {
 public:
  Connection(load::Run& run, Target& target)
      : target_(target), fd_(load::BeginConnecting(run.port)) {
    CHECK(fd_ >= 0);
    watch_ = std::make_unique<net::FdWatch>(
        run.loop, fd_, [this] { OnReadable(); }, [this] { Write(); });
    watch_->WantReadable();
    watch_->WantWritable();
  }
  ~Connection() {
    watch_.reset();
    close(fd_);
  }

  void Add(std::size_t stream, std::string_view payload, std::uint64_t id) {
    const std::string key = fmt::format("telemetry:{}", stream);
    out_ += fmt::format("*5\r\n$4\r\nXADD\r\n${}\r\n{}\r\n$1\r\n*\r\n$1\r\nb\r\n${}\r\n",
                        key.size(), key, payload.size());
    out_.append(payload).append("\r\n");
    under_way_.push_back(id);
    watch_->WantWritable();
  }
  std::function<void()> on_connected;

 private:
  void Write() {
    if (!is_connected_) {
      is_connected_ = load::IsConnected(fd_);
      if (!is_connected_) return target_.on_gone("no Redis listens there");
      on_connected();
    }
    while (out_at_ < out_.size()) {
      const ssize_t sent =
          send(fd_, out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) return watch_->WantWritable();
      if (sent <= 0) return target_.on_gone("Redis closed the connection");
      out_at_ += static_cast<std::size_t>(sent);
    }
    out_.clear();
    out_at_ = 0;
  }

  void OnReadable() {
    std::array<char, 16384> chunk;
    const ssize_t got = recv(fd_, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got == 0) return target_.on_gone("Redis closed the connection");
    if (got > 0) in_.append(chunk.data(), static_cast<std::size_t>(got));
    std::size_t at = 0;
    // Each reply is "$N", a line, and the entry's id, another.
    while (true) {
      const std::size_t first = in_.find("\r\n", at);
      if (first == std::string::npos) break;
      if (in_[at] == '-') return target_.on_gone(in_.substr(at, first - at));
      const std::size_t second = in_.find("\r\n", first + 2);
      if (second == std::string::npos) break;
      at = second + 2;
      const std::uint64_t id = under_way_.front();
      under_way_.pop_front();
      target_.on_ack(id);
    }
    in_.erase(0, at);
    watch_->WantReadable();
  }

  Target& target_;
  const int fd_;
  bool is_connected_ = false;
  std::unique_ptr<net::FdWatch> watch_;
  std::string out_;
  std::size_t out_at_ = 0;
  std::string in_;
  std::deque<std::uint64_t> under_way_;
};

class RedisTarget final : public Target {
 public:
  explicit RedisTarget(load::Run& run) : run_(run) {}

  void Connect(std::function<void()> ready) override {
    ready_ = std::move(ready);
    for (std::size_t i = 0; i < kConnections; ++i) {
      connections_.push_back(std::make_unique<Connection>(run_, *this));
      connections_.back()->on_connected = [this] {
        if (++connected_ == kConnections) ready_();
      };
    }
  }
  void Send(std::size_t vehicle, std::string_view payload, std::uint64_t id) override {
    connections_[vehicle % kConnections]->Add(vehicle % kStreams, payload, id);
  }

 private:
  load::Run& run_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t connected_ = 0;
  std::function<void()> ready_;
};

}  // namespace

std::unique_ptr<Target> MakeRedisTarget(load::Run& run) {
  return std::make_unique<RedisTarget>(run);
}

}  // namespace telltale::bench
