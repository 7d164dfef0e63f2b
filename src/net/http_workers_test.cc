#include "net/http_workers.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

namespace telltale::net {
namespace {

TEST(HttpWorkersTest, WhatFindsNoRoomIsRefusedAndTheRestIsRunInOrder) {
  std::promise<void> let_go;
  std::promise<void> begun;
  std::promise<void> last;
  std::string ran;
  {
    HttpWorkers workers(1, 2);
    ASSERT_TRUE(workers.TryPost([&] {
      begun.set_value();
      let_go.get_future().wait();
    }));
    begun.get_future().wait();
    EXPECT_TRUE(workers.TryPost([&] { ran += 'a'; }));
    EXPECT_TRUE(workers.TryPost([&] { ran += 'b'; }));
    EXPECT_FALSE(workers.TryPost([&] { ran += 'x'; }));
    workers.Post([&] {
      ran += 'c';
      last.set_value();
    });
    let_go.set_value();
    last.get_future().wait();
    EXPECT_TRUE(workers.TryPost([] {})) << "there is room again";
  }
  EXPECT_EQ(ran, "abc");
}

TEST(HttpWorkersTest, AtTheEndWhatRunsIsWaitedForAndNothingIsKept) {
  const auto held = std::make_shared<int>(0);
  std::promise<void> let_go;
  std::promise<void> begun;
  bool has_run_to_its_end = false;
  auto workers = std::make_unique<HttpWorkers>(1, 5);
  workers->Post([&] {
    begun.set_value();
    let_go.get_future().wait();
    has_run_to_its_end = true;
  });
  begun.get_future().wait();
  for (int n = 0; n < 100; ++n) workers->Post([held] {});
  std::thread ender([&workers] { workers.reset(); });
  let_go.set_value();
  ender.join();
  EXPECT_TRUE(has_run_to_its_end);
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace telltale::net
