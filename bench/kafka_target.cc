#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>

#include "bench/target.h"

namespace telltale::bench {
namespace {

constexpr std::size_t kMessageBytes = 512;
constexpr int kFullPollMs = 1;

class KafkaTarget final : public Target {
 public:
  explicit KafkaTarget(const KafkaOptions& options) : topic_(options.topic) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    Set(conf, "bootstrap.servers", options.brokers);
    Set(conf, "acks", "all");
    Set(conf, "linger.ms", "2");
    Set(conf, "socket.nagle.disable", "true");
    Set(conf, "queue.buffering.max.kbytes", "1048576");
    Set(conf, "queue.buffering.max.messages", "1000000");
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_dr_msg_cb(conf, &KafkaTarget::OnDelivery);
    std::array<char, kMessageBytes> error;
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    if (producer_ == nullptr) fmt::print(stderr, "kafka: {}\n", error.data());
    CHECK(producer_ != nullptr);
  }
  ~KafkaTarget() override { rd_kafka_destroy(producer_); }

  // Connects with the first message; the topic's metadata is asked for here, so that the first
  // batches do not wait for it.
  void Connect(std::function<void()> ready) override {
    rd_kafka_topic_t* topic = rd_kafka_topic_new(producer_, topic_.c_str(), nullptr);
    const rd_kafka_metadata_t* metadata = nullptr;
    const rd_kafka_resp_err_t error = rd_kafka_metadata(producer_, 0, topic, &metadata, 10'000);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return on_gone(rd_kafka_err2str(error));
    ready();
  }

  // A full queue is the library's flow control, as a full socket is TCP's: waits for room, and the
  // schedule's delay counts against the broker.
  void Send(std::size_t vehicle, std::string_view payload, std::uint64_t id) override {
    const std::string key = fmt::format("{}", vehicle);
    rd_kafka_resp_err_t error = Produce(key, payload, id);
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(producer_, kFullPollMs);
      error = Produce(key, payload, id);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) on_gone(rd_kafka_err2str(error));
  }

  void Poll() override { rd_kafka_poll(producer_, 0); }

 private:
  rd_kafka_resp_err_t Produce(const std::string& key, std::string_view payload, std::uint64_t id) {
    return rd_kafka_producev(
        producer_, RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_KEY(key.data(), key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<std::uintptr_t>(id + 1))),
        RD_KAFKA_V_END);
  }
  static void Set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
    std::array<char, kMessageBytes> error;
    CHECK(rd_kafka_conf_set(conf, name, value.c_str(), error.data(), error.size()) ==
          RD_KAFKA_CONF_OK);
  }
  static void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* self = static_cast<KafkaTarget*>(opaque);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return self->on_gone(rd_kafka_err2str(message->err));
    }
    self->on_ack(reinterpret_cast<std::uintptr_t>(message->_private) - 1);
  }

  const std::string topic_;
  rd_kafka_t* producer_ = nullptr;
};

}  // namespace

std::unique_ptr<Target> MakeKafkaTarget(const KafkaOptions& options) {
  return std::make_unique<KafkaTarget>(options);
}

}  // namespace telltale::bench
