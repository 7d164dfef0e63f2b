// Hears when a worker's journal has more, of several workers at once. One thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "publish/orders_desk.h"

namespace telltale::publish {

class Ears {
 public:
  // Rings `bell`, which must outlive it. `run` is the folder of the workers' sockets.
  Ears(std::string run, Bell& bell);
  ~Ears();
  Ears(const Ears&) = delete;
  Ears& operator=(const Ears&) = delete;

  // From now on these releases' workers and no others.
  void ListenTo(const std::vector<std::string>& releases);

 private:
  struct Ear;
  const std::string run_;
  Bell& bell_;
  std::vector<std::unique_ptr<Ear>> ears_;
};

}  // namespace telltale::publish
