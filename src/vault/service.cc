#include "vault/service.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/stop.h"

namespace telltale::vault {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRequestTimeout{5000};
constexpr milliseconds kAcceptPause{200};
constexpr milliseconds kEndTimeout{500};

}  // namespace

void Service::Serve(LocalConnection& connection) {
  access::Caller caller;
  caller.uid = connection.PeerUid();
  const Send send = [&](std::string_view message) { return connection.Send(message); };
  if (const Status admitted = door_.Admit(caller); !admitted.ok()) {
    (void)send(ErrorMessage(admitted.error()));
    return;
  }
  const auto frame = connection.Receive(kRequestTimeout);
  if (!frame.ok() || !frame->has_value()) return;
  const Status answered =
      door_.Handle(caller, nlohmann::json::parse(**frame, nullptr, false), send);
  if (answered.ok()) return;
  spdlog::warn("vault: a request ended with {}", CodeName(answered.error().code));
  (void)send(ErrorMessage(answered.error()));
}

Status Service::Run(std::shared_ptr<Service> service, LocalListener listener) {
  while (!StopRequested()) {
    auto accepted = listener.Accept(kAcceptPause);
    if (!accepted.ok()) {
      spdlog::warn("vault: {}", accepted.error().ToString());
      if (WaitForStop(kAcceptPause)) break;
      continue;
    }
    if (!accepted->has_value()) continue;
    if (!service->Enter()) {
      (void)(*accepted)->Send(
          ErrorMessage({Code::kOverloaded, "the vault is answering others; ask again"}));
      continue;
    }
    std::thread([service, connection = std::move(**accepted)]() mutable {
      service->Serve(connection);
      service->Leave();
    }).detach();
  }
  service->WaitUntilIdle(kEndTimeout);
  return Ok();
}

bool Service::Enter() {
  MutexLock lock(mutex_);
  if (connections_ >= kConnectionsMax) return false;
  ++connections_;
  return true;
}

void Service::Leave() {
  MutexLock lock(mutex_);
  --connections_;
  idle_.notify_all();
}

void Service::WaitUntilIdle(milliseconds timeout) {
  MutexLock lock(mutex_);
  while (connections_ > 0) {
    if (idle_.wait_for(mutex_, timeout) == std::cv_status::timeout) return;
  }
}

}  // namespace telltale::vault
