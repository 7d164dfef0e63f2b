// For tests: a TLS client on a loop of its own thread, with blocking waits (never sleeps).
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/disk.h"
#include "net/certificates.h"
#include "net/tls_connection.h"

namespace telltale::net {

// Files of a CA, a server and vehicles in a folder of their own.
class TestCertificates {
 public:
  TestCertificates(std::string folder, Micros now)
      : folder_(std::move(folder)),
        now_(now),
        authority_(Take(CertificateAuthority::Create("Test CA", now))) {
    Write("ca.crt", authority_.certificate_pem());
    server_ = Keep("server", Take(authority_.IssueServer(now)));
  }
  TlsFiles server() const { return server_; }
  TlsFiles Vehicle(const std::string& vin, VinPlace place = VinPlace::kUriSan) {
    return Keep("vehicle-" + std::to_string(++issued_),
                Take(authority_.IssueVehicle(vin, now_, place)));
  }
  const CertificateAuthority& authority() const { return authority_; }
  void Write(const std::string& name, const std::string& content) {
    CHECK(disk_.MakeFolders(folder_, 0700).ok());
    // Not durably: tests make many, and no power is cut here.
    const auto file = disk_.Open(folder_ + "/" + name, OpenMode::kCreateOrOpen, 0600);
    CHECK(file.ok() && (*file)->Truncate(0).ok());
    CHECK((*file)->WriteAt(0, AsBytes(content)).ok());
  }
  std::string ca() const { return folder_ + "/ca.crt"; }

 private:
  template <typename T>
  static T Take(Result<T> result) {
    CHECK(result.ok());
    return std::move(result).value();
  }
  TlsFiles Keep(const std::string& name, const CertificateAndKey& pair) {
    Write(name + ".crt", pair.certificate_pem);
    Write(name + ".key", pair.key_pem);
    return {ca(), folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key"};
  }

  PosixDisk disk_;
  std::string folder_;
  Micros now_;
  CertificateAuthority authority_;
  TlsFiles server_;
  int issued_ = 0;
};

class TestPeer final : public TlsConnection::Owner {
 public:
  static constexpr std::chrono::seconds kPatience{20};

  TestPeer(const TlsContext& context, std::uint16_t port, TlsSession session = nullptr) {
    thread_ = std::thread([this] { loop_.Run(); });
    loop_.Post([this, context, port, session] {
      auto made = TlsConnection::Connect(loop_, context, {.port = port, .session = session}, *this);
      CHECK(made.ok());
      connection_ = std::move(made).value();
    });
  }
  ~TestPeer() override {
    loop_.Post([this] {
      connection_.reset();
      loop_.Stop();
    });
    thread_.join();
  }

  void Send(std::string bytes) {
    loop_.Post([this, bytes = std::move(bytes)] {
      if (connection_) connection_->Write(bytes);
    });
  }
  void PauseReading() {
    loop_.Post([this] { connection_->PauseReading(); });
  }
  void Close() {
    loop_.Post([this] { connection_.reset(); });
  }
  // While it is open. Null: the server has given none by now.
  TlsSession TakeSession() {
    std::promise<TlsSession> session;
    loop_.Post([&] { session.set_value(connection_->TakeSession()); });
    return session.get_future().get();
  }
  // After the handshake: it was a short one.
  bool IsResumed() {
    std::promise<bool> answer;
    loop_.Post([&] { answer.set_value(connection_->is_resumed()); });
    return answer.get_future().get();
  }
  // Each is false when it did not come to pass in kPatience.
  bool WaitHandshake() {
    return Wait([this] { return is_open_ || is_closed_; }) && is_open_;
  }
  bool WaitClosed() {
    return Wait([this] { return is_closed_; });
  }
  bool WaitBytes(std::size_t size) {
    return Wait([this, size] { return received_.size() >= size; });
  }
  std::string received() {
    std::lock_guard lock(mutex_);
    return received_;
  }
  Error why_closed() {
    std::lock_guard lock(mutex_);
    return why_;
  }

  void OnHandshake() override {
    Change([this] { is_open_ = true; });
  }
  void OnBytes(ByteSpan bytes) override {
    Change([this, bytes] { received_.append(AsText(bytes)); });
  }
  void OnClosed(const Error& why) override {
    Change([this, why] {
      is_closed_ = true;
      why_ = why;
    });
  }

 private:
  bool Wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }
  void Change(const std::function<void()>& change) {
    std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  EventLoop loop_;
  std::thread thread_;
  std::unique_ptr<TlsConnection> connection_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  bool is_closed_ = false;
  std::string received_;
  Error why_{Code::kNotFound, ""};
};

}  // namespace telltale::net
