// Wake-ups of readers in other processes: one byte over a local socket. A lost one costs the
// reader's timeout, nothing else.
#include <atomic>
#include <optional>
#include <thread>

#include "base/local_socket.h"
#include "base/mutex.h"
#include "base/stop.h"
#include "log/log.h"

namespace telltale::log {
namespace {

constexpr std::chrono::milliseconds kAcceptPoll{50};
constexpr std::uint32_t kSocketPermissions = 0660;
constexpr std::size_t kClientsMax = 256;  // beyond: hung up on; they live by their timeout

class LocalWakeServer final : public WakeServer {
 public:
  explicit LocalWakeServer(LocalListener listener)
      : listener_(std::move(listener)), thread_([this] { Accept(); }) {}
  ~LocalWakeServer() override {
    stop_ = true;
    thread_.join();
  }

  void WakeAll() override {
    MutexLock lock(mutex_);
    std::erase_if(clients_, [](LocalConnection& client) { return !client.Nudge(); });
  }

 private:
  void Accept() {
    while (!stop_) {
      auto accepted = listener_.Accept(kAcceptPoll);
      if (!accepted.ok()) {  // out of descriptors: clients live by their timeout until it is over
        WaitForStop(kAcceptPoll);
        continue;
      }
      if (!accepted->has_value()) continue;
      MutexLock lock(mutex_);
      if (clients_.size() < kClientsMax) clients_.push_back(std::move(**accepted));
    }
  }

  LocalListener listener_;
  std::atomic<bool> stop_{false};
  Mutex mutex_;
  std::vector<LocalConnection> clients_ GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses all of the above
};

}  // namespace

Result<std::unique_ptr<WakeServer>> WakeServer::Start(const std::string& socket_path) {
  ASSIGN_OR_RETURN(LocalListener listener, LocalListener::Listen(socket_path, kSocketPermissions));
  return std::unique_ptr<WakeServer>(std::make_unique<LocalWakeServer>(std::move(listener)));
}

struct WakeClient::Connection {
  LocalConnection socket;
};

void WakeClient::Wait(std::chrono::milliseconds timeout) {
  if (connection_ == nullptr) {
    auto socket = LocalConnection::Connect(path_);
    if (!socket.ok()) {
      WaitForStop(timeout);
      return;
    }
    // What became durable before the connection stood sent no wake-up here: look again now.
    connection_ = std::make_shared<Connection>(Connection{std::move(socket).value()});
    return;
  }
  if (!connection_->socket.WaitNudge(timeout)) connection_.reset();
}

}  // namespace telltale::log
