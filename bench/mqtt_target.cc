#include <fmt/format.h>

#include <deque>

#include "bench/target.h"

namespace telltale::bench {
namespace {

class Car final : public load::Client {
 public:
  Car(load::Run& run, const net::TlsContext& tls, std::size_t number)
      : Client(run, tls, fmt::format("bench-{}", number)) {}

  std::function<void()> on_accepted;
  std::function<void(std::uint64_t)> on_ack;
  std::function<void(const std::string&)> on_gone;

  void Publish(std::string_view topic, std::string_view payload, std::uint64_t id) {
    if (!is_accepted()) return;  // is gone: told there
    packet_id_ =
        packet_id_ == 0xFFFF ? std::uint16_t{1} : static_cast<std::uint16_t>(packet_id_ + 1);
    under_way_.push_back({packet_id_, id});
    bytes_.clear();
    gateway::AppendPublish(bytes_, {.topic = topic, .payload = payload, .packet_id = packet_id_});
    Send(bytes_);
  }

 private:
  struct UnderWay {
    std::uint16_t packet_id;
    std::uint64_t id;
  };

  void OnAccepted() override { on_accepted(); }
  // PUBACKs come in the order of the PUBLISHes.
  void OnPubAck(std::uint16_t packet_id) override {
    if (under_way_.empty() || under_way_.front().packet_id != packet_id) return;
    const std::uint64_t id = under_way_.front().id;
    under_way_.pop_front();
    on_ack(id);
  }
  void OnGone(const Error& why) override { on_gone(why.ToString()); }

  std::uint16_t packet_id_ = 0;
  std::deque<UnderWay> under_way_;
  std::string bytes_;
};

class MqttTarget final : public Target {
 public:
  MqttTarget(load::Run& run, const std::vector<net::TlsContext>& cars, const MqttOptions& options) {
    for (std::size_t i = 0; i < cars.size(); ++i) {
      cars_.push_back(std::make_unique<Car>(run, cars[i], i));
      cars_.back()->on_accepted = [this] { ConnectNext(); };
      cars_.back()->on_ack = [this](std::uint64_t id) { on_ack(id); };
      cars_.back()->on_gone = [this](const std::string& why) { on_gone(why); };
      std::string topic = options.topic;
      const std::size_t mark = topic.find("%c");
      if (mark != std::string::npos) topic.replace(mark, 2, std::to_string(i));
      topics_.push_back(std::move(topic));
    }
  }

  void Connect(std::function<void()> ready) override {
    ready_ = std::move(ready);
    ConnectNext();
  }
  void Send(std::size_t vehicle, std::string_view payload, std::uint64_t id) override {
    cars_[vehicle]->Publish(topics_[vehicle], payload, id);
  }

 private:
  void ConnectNext() {
    if (connected_ == cars_.size()) return ready_();
    const Status opened = cars_[connected_++]->Open();
    if (!opened.ok()) on_gone(opened.error().ToString());
  }

  std::vector<std::unique_ptr<Car>> cars_;
  std::vector<std::string> topics_;
  std::size_t connected_ = 0;
  std::function<void()> ready_;
};

}  // namespace

std::unique_ptr<Target> MakeMqttTarget(load::Run& run, const std::vector<net::TlsContext>& cars,
                                       const MqttOptions& options) {
  return std::make_unique<MqttTarget>(run, cars, options);
}

}  // namespace telltale::bench
