#include "publish/feed.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/counters.h"
#include "publish/publish_testing.h"

namespace telltale::publish {
namespace {

std::string Fetch(std::uint16_t port, const std::string& target, const std::string& mark) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_GT(send(fd, request.data(), request.size(), MSG_NOSIGNAL), 0);
  std::string text;
  char piece[4096];
  while (text.find(mark) == std::string::npos) {
    const ssize_t got = recv(fd, piece, sizeof(piece), 0);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  close(fd);
  return text;
}

TEST(FeedTest, ACommittedAlertReachesAClientOnASocket) {
  TempFolder folder;
  Counters counters;
  AlertStore store = Must(AlertStore::Open(folder.path + "/alerts.db"));
  ASSERT_TRUE(store.InstallAuthority(kReleaseA, 1).ok());
  Feed feed(Must(AlertStore::OpenReadOnly(folder.path + "/alerts.db")));
  const auto server = Must(net::HttpServer::Start({}, feed, counters));
  Commitment commitment{.release = kReleaseA,
                        .expected = {{PartitionId{0}, AuthorityEpoch{1}}},
                        .parts = {},
                        .publish_time = {}};
  commitment.parts[PartitionId{0}] = {.next = Offset{3},
                                      .outputs = {MakeOutput(0, 1, 'x'), MakeOutput(0, 2, 'x', 2)}};
  Must(store.Commit(commitment));
  server->Notify();
  const std::string text = Fetch(server->port(), "/v1/alerts/feed?after=0", "\"CLOSED\"");
  EXPECT_NE(text.find("id: 1\nevent: alert\ndata: {\"output_id\":\"78787878"), std::string::npos)
      << text;
  EXPECT_NE(text.find("id: 2\nevent: alert\n"), std::string::npos);
  EXPECT_NE(Fetch(server->port(), "/v1/alerts?limit=1", "]}").find("\"CLOSED\""),
            std::string::npos);
  EXPECT_NE(Fetch(server->port(), "/v1/alerts?limit=0", "1000").find(" 400 "), std::string::npos);
  EXPECT_NE(Fetch(server->port(), "/healthz", "ok\n").find(" 200 "), std::string::npos);
  EXPECT_NE(Fetch(server->port(), "/else", "healthz").find(" 404 "), std::string::npos);
}

}  // namespace
}  // namespace telltale::publish
