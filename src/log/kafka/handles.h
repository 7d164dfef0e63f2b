// librdkafka's objects as owners, and its errors as ours.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "base/free_with.h"
#include "base/result.h"

namespace telltale::log::kafka {

using ConfHandle = std::unique_ptr<rd_kafka_conf_t, FreeWith<rd_kafka_conf_destroy>>;
using KafkaHandle = std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, FreeWith<rd_kafka_topic_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, FreeWith<rd_kafka_queue_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, FreeWith<rd_kafka_event_destroy>>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, FreeWith<rd_kafka_message_destroy>>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, FreeWith<rd_kafka_error_destroy>>;
using OffsetsHandle = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                      FreeWith<rd_kafka_topic_partition_list_destroy>>;
using OptionsHandle =
    std::unique_ptr<rd_kafka_AdminOptions_t, FreeWith<rd_kafka_AdminOptions_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, FreeWith<rd_kafka_NewTopic_destroy>>;
using ResourceHandle =
    std::unique_ptr<rd_kafka_ConfigResource_t, FreeWith<rd_kafka_ConfigResource_destroy>>;
using DeleteRecordsHandle =
    std::unique_ptr<rd_kafka_DeleteRecords_t, FreeWith<rd_kafka_DeleteRecords_destroy>>;
using MetadataHandle =
    std::unique_ptr<const rd_kafka_metadata_t, FreeWith<rd_kafka_metadata_destroy>>;

// What librdkafka or a broker said, as one of our kinds. `doing` comes before; `detail` replaces
// the code's own words where it says more.
Error ErrorOf(rd_kafka_resp_err_t err, std::string_view doing, std::string_view detail = {});

// The cluster may take it later, by itself: not there, too few replicas, a leader that moves.
bool IsPassing(rd_kafka_resp_err_t err);

}  // namespace telltale::log::kafka
