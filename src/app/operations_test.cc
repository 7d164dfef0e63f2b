#include "app/operations.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "app/metrics.h"
#include "app/metrics_names.h"
#include "app/operations_state.h"
#include "app/process.h"
#include "app/run_files.h"
#include "app/serve.h"
#include "base/config.h"
#include "gateway/condition_file.h"

namespace telltale::app {
namespace {

OperationsState AllIsWell() {
  OperationsState state;
  state.looked_at = Micros::Seconds(1'000);
  state.is_serving = true;
  state.has_started = true;
  for (const char* role : kRoles) {
    RoleState one;
    one.name = role;
    one.is_up = true;
    one.started_at = Micros::Seconds(100);
    one.counted_at = Micros::Seconds(999);
    state.roles.push_back(one);
  }
  return state;
}

TEST(ReadinessTest, EveryCauseIsSaidByName) {
  EXPECT_TRUE(NotReadyCauses(AllIsWell()).empty());
  const auto cause_of = [](auto change) {
    OperationsState state = AllIsWell();
    change(state);
    const auto causes = NotReadyCauses(state);
    return causes.size() == 1 ? causes[0] : std::to_string(causes.size()) + " causes";
  };
  const Micros limit = Micros::Seconds(1'000) - kCountersAgeMax;
  EXPECT_EQ(cause_of([](auto& state) { state.is_serving = false; }),
            "it is not served: no `telltale serve` holds run/supervisor.lock");
  EXPECT_EQ(cause_of([](auto& state) { state.has_started = false; }),
            "starting: not every role got ready yet");
  EXPECT_EQ(cause_of([](auto& state) { state.roles[2].is_up = false; }), "gateway does not run");
  EXPECT_EQ(cause_of([&](auto& state) { state.roles[2].counted_at = limit; }), "0 causes");
  EXPECT_EQ(cause_of([&](auto& state) { state.roles[2].counted_at = limit - Micros{1}; }),
            "gateway runs but has written no counters for 30 s");
  EXPECT_EQ(cause_of([](auto& state) { state.stalled_shards = 2; }),
            "the log is stalled: the disk is full for 2 of its shards, and vehicles wait; free "
            "room on the disk of data/log");
  EXPECT_EQ(cause_of([](auto& state) { state.retention_stop = {"telemetry", "lake", 83}; }),
            "vehicles are not read: lake is 83 % of retention behind in stream telemetry; start "
            "or mend lake (docs/back-pressure.md)");
  EXPECT_EQ(cause_of([](auto& state) { state.roles[2].counted_at.reset(); }),
            "gateway runs but has written no counters for 900 s");
}

TEST(ReadinessTest, ARoleThatWasJustStartedOrIsLeftOutIsNoCause) {
  OperationsState state = AllIsWell();
  state.roles[2].counted_at = Micros::Seconds(10);  // what the one before it wrote
  state.roles[2].started_at = Micros::Seconds(990);
  state.roles[3].counted_at.reset();
  state.roles[3].started_at = Micros::Seconds(999);
  state.roles[4].is_wanted = false;
  state.roles[4].is_up = false;
  EXPECT_TRUE(NotReadyCauses(state).empty());
}

TEST(ReadinessTest, AReaderThatStoppedOrLagsByHalfOfRetentionIsAWarningOnly) {
  OperationsState state = AllIsWell();
  EXPECT_TRUE(Warnings(state).empty());
  state.roles[2].counters["retention_share_percent.telemetry.lake"] = 49;
  EXPECT_TRUE(Warnings(state).empty());
  state.roles[2].counters["retention_share_percent.telemetry.lake"] = 51;
  state.roles[6].counters["lake.shards_expired"] = 1;
  EXPECT_EQ(Warnings(state),
            (std::vector<std::string>{
                "lake is 51 % of retention behind in stream telemetry; at 80 % vehicles are not "
                "read",
                "lake: 1 shards stopped: retention removed what they wanted to read next "
                "(docs/back-pressure.md, \"A reader that stopped\")"}));
  EXPECT_TRUE(NotReadyCauses(state).empty());
  state.roles[6].is_up = false;
  EXPECT_EQ(Warnings(state).size(), 1u) << "what one that is gone had counted says nothing";
}

TEST(MetricsTest, TheTextHasHelpAndTypeOncePerNameAndNoSampleTwice) {
  Metrics metrics;
  metrics.Count("b_total", "Two\nlines \\ \"quoted\".", {{"a", "x\"y\\z\n"}, {"b", ""}}, 1);
  metrics.Count("b_total", "Another help.", {{"a", "x\"y\\z\n"}, {"b", ""}}, 2);
  metrics.Count("b_total", "", {}, 18'446'744'073'709'551'615u);
  metrics.Gauge("a_seconds", "Age.", {}, 1.25);
  EXPECT_EQ(metrics.ToText(),
            "# HELP a_seconds Age.\n"
            "# TYPE a_seconds gauge\n"
            "a_seconds 1.250\n"
            "# HELP b_total Two\\nlines \\\\ \"quoted\".\n"
            "# TYPE b_total counter\n"
            "b_total 18446744073709551615\n"
            "b_total{a=\"x\\\"y\\\\z\\n\",b=\"\"} 3\n");
}

TEST(MetricsTest, ACountersNameSaysItsRoleAndEndsInTotal) {
  const std::tuple<const char*, const char*, const char*, Labels> table[] = {
      {"gateway", "acks", "telltale_gateway_acks_total", {}},
      {"lake", "lake.rows_total", "telltale_lake_rows_total", {}},
      {"vault", "lake.rows_total", "telltale_vault_lake_rows_total", {}},
      {"gateway", "records.safety", "telltale_gateway_records_total", {{"stream", "safety"}}},
      {"vault", "quarantined.qos", "telltale_vault_quarantined_total", {{"reason", "qos"}}},
      {"operations", "http_unauthorized_total", "telltale_operations_http_unauthorized_total", {}},
      {"gateway",
       "retention_share_percent.sealed.vault",
       "telltale_gateway_retention_share_percent",
       {{"stream", "sealed"}, {"reader", "vault"}}},
      {"gateway", "not.in-Any table", "telltale_gateway_not_in__ny_table_total", {}},
      {"gateway",
       "drops_total.gateway.packet_too_big",
       "telltale_drops_total",
       {{"role", "gateway"}, {"where", "gateway"}, {"reason", "packet_too_big"}}},
      {"lake",
       "drops_total.x",
       "telltale_drops_total",
       {{"role", "lake"}, {"where", "x"}, {"reason", ""}}},
  };
  for (const auto& [role, counter, name, labels] : table) {
    const MetricOfCounter metric = DescribeCounter(role, counter);
    EXPECT_EQ(metric.name, name);
    EXPECT_EQ(metric.labels, labels) << name;
    EXPECT_FALSE(metric.help.empty());
  }
}

TEST(MetricsTest, EveryDescribedMetricIsOnThePageOfMetrics) {
  PosixDisk disk;
  const auto page = ReadWholeFile(disk, TELLTALE_SOURCE_DIR "/docs/metrics.md");
  ASSERT_TRUE(page.ok()) << page.error().ToString();
  std::set<std::string> seen;
  for (const std::string& name : DescribedMetrics()) {
    EXPECT_TRUE(seen.insert(name).second) << name << " is described twice";
    EXPECT_NE(page->find("`" + name), std::string::npos) << name << " is not in docs/metrics.md";
  }
}

TEST(MetricsTest, StateBecomesGaugesAndAConsumersLagIsByShard) {
  OperationsState state = AllIsWell();
  state.roles[1].counters["registry.resolves"] = 7;
  state.roles[2].is_up = false;
  state.ends.push_back({"sealed", 1, 12});
  state.lags.push_back({"vault", "sealed", 1, 5});
  const std::string text = MetricsText(state, "1.2.3");
  for (const char* line :
       {"\ntelltale_build_info{version=\"1.2.3\"} 1\n", "\ntelltale_ready 0\n",
        "\ntelltale_up{role=\"registry\"} 1\n", "\ntelltale_up{role=\"gateway\"} 0\n",
        "\ntelltale_role_counters_age_seconds{role=\"lake\"} 1.000\n",
        "\ntelltale_registry_resolves_total 7\n",
        "\ntelltale_log_durable_records_total{stream=\"sealed\",shard=\"1\"} 12\n",
        "\ntelltale_consumer_lag_records{consumer=\"vault\",stream=\"sealed\",shard=\"1\"} 5\n"}) {
    EXPECT_NE(("\n" + text).find(line), std::string::npos) << line << text;
  }
}

class OperationsTest : public testing::Test {
 protected:
  OperationsTest() {
    std::string pattern = testing::TempDir() + "/operations-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(Paths(folder_).run() + "/counters");
  }
  ~OperationsTest() override { std::filesystem::remove_all(folder_); }
  net::HttpResponse Get(const std::string& path) {
    return OperationsPages(disk_, clock_, *streams_, folder_).Handle({path, {}});
  }

  std::string folder_;
  PosixDisk disk_;
  const std::unique_ptr<log::Streams> streams_ = log::StreamsOnFiles(disk_, Paths(folder_).log());
  SystemClock clock_;
};

TEST_F(OperationsTest, AFolderThatNobodyServesIsUnhealthyAndShowsNoOldPort) {
  const RunFiles files(Paths(folder_).run());
  ASSERT_TRUE(files.Write("gateway.port", "17\n").ok());
  ASSERT_TRUE(files.Write("gateway.pid", std::to_string(getpid())).ok());
  ASSERT_TRUE(files.Write("ready", "").ok());
  EXPECT_EQ(Get("/healthz").status, 503u);
  EXPECT_EQ(Get("/readyz").status, 503u);
  EXPECT_EQ(Get("/metrics").status, 200u);
  EXPECT_EQ(Get("/").status, 404u);
  const OperationsState state = LookAtOperations(disk_, clock_, folder_, *streams_);
  for (const RoleState& role : state.roles) {
    EXPECT_FALSE(role.is_up || role.port || role.pid) << role.name;
  }
}

TEST_F(OperationsTest, ReadyWhenItsRolesRunAndNotWhenOneIsKilled) {
  const RunFiles files(Paths(folder_).run());
  const auto lock = SupervisorLock::Take(Paths(folder_).run());
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(Get("/healthz").body, "ok\n");
  ASSERT_TRUE(files.WriteWanted({"gateway"}).ok());
  ASSERT_TRUE(files.Write("ready", "").ok());
  EXPECT_EQ(Get("/readyz").body, "gateway does not run\n");
  Program program;
  program.name = "sleep";
  program.arguments = {"/bin/sleep", "60"};
  const auto pid = Start(program);
  ASSERT_TRUE(pid.ok());
  ASSERT_TRUE(files.Write("gateway.pid", std::to_string(*pid) + "\n").ok());
  EXPECT_EQ(Get("/readyz").body, "ready\n");
  const gateway::Conditions conditions{1, {{"sealed", "vault", 90}}};
  ASSERT_TRUE(files.Write("gateway.conditions", conditions.ToText()).ok());
  EXPECT_EQ(Get("/readyz").status, 503u);
  EXPECT_NE(Get("/readyz").body.find("the log is stalled"), std::string::npos);
  EXPECT_NE(Get("/readyz").body.find("vault is 90 % of retention behind in stream sealed"),
            std::string::npos);
  ASSERT_TRUE(files.Write("gateway.conditions", gateway::Conditions{}.ToText()).ok());
  EXPECT_EQ(Get("/readyz").body, "ready\n");
  kill(*pid, SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(*pid), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(Get("/readyz").status, 503u) << "killed, and its parent has not looked";
  EXPECT_EQ(Get("/readyz").body, "gateway does not run\n");
  EXPECT_TRUE(WaitFor(*pid).ok());
}

}  // namespace
}  // namespace telltale::app
