#include "net/http_pull.h"

#include <cstdio>

#include "base/check.h"
#include "net/http_rules.h"

namespace telltale::net {

std::string ToHttpChunk(std::string_view bytes) {
  if (bytes.empty()) return {};  // one of no bytes would be the last
  char size[24];
  const int digits = std::snprintf(size, sizeof(size), "%zx\r\n", bytes.size());
  std::string chunk;
  chunk.reserve(static_cast<std::size_t>(digits) + bytes.size() + 2);
  chunk.append(size, static_cast<std::size_t>(digits));
  chunk.append(bytes);
  chunk.append("\r\n");
  return chunk;
}

std::string ToLastHttpChunk(const HttpFields& trailers) {
  std::string chunk = "0\r\n";
  for (const auto& [name, value] : trailers) chunk += name + ": " + value + "\r\n";
  return chunk + "\r\n";
}

HttpPull::HttpPull(std::shared_ptr<HttpSource> source, HttpWorkers* workers,
                   std::shared_ptr<HttpPost> post, Owner& owner)
    : source_(std::move(source)), workers_(workers), post_(std::move(post)), owner_(&owner) {}

void HttpPull::Next() {
  CHECK(!asking_ && source_ != nullptr);
  asking_ = true;
  waiting_ = false;
  woken_ = false;
  if (!wake_) {
    // Many wake-ups are one task. What is posted may be dropped, but only with the server.
    auto is_posted = std::make_shared<std::atomic<bool>>(false);
    wake_ = [weak = weak_from_this(), post = post_, is_posted] {
      if (is_posted->exchange(true)) return;
      post->Post([weak, is_posted] {
        is_posted->store(false);
        if (const auto self = weak.lock()) self->OnWake();
      });
    };
  }
  Run([self = shared_from_this(), source = source_]() mutable {
    HttpPiece piece;
    if (!self->is_cancelled_) piece = source->Pull(kHttpPieceBytesMax, self->wake_);
    CHECK(piece.bytes.size() <= kHttpPieceBytesMax);
    source.reset();  // where it may block
    const std::shared_ptr<HttpPost> post = self->post_;
    post->Post([self = std::move(self), piece = std::move(piece)]() mutable {
      self->OnPiece(std::move(piece));
    });
  });
}

void HttpPull::Run(Task task) {
  if (workers_ != nullptr) return workers_->Post(std::move(task));
  post_->Post(std::move(task));
}

void HttpPull::OnPiece(HttpPiece piece) {
  asking_ = false;
  if (owner_ == nullptr) return;
  switch (piece.state) {
    case HttpPiece::State::kMore:
      if (piece.bytes.empty()) return Next();
      return owner_->OnPulled(ToHttpChunk(piece.bytes), false);
    case HttpPiece::State::kNotYet:
      waiting_ = true;
      if (woken_) Next();
      return;
    case HttpPiece::State::kEnd:
      if (AreHttpFields(piece.trailers)) {
        Drop();
        std::exchange(owner_, nullptr)
            ->OnPulled(ToHttpChunk(piece.bytes) + ToLastHttpChunk(piece.trailers), true);
        return;
      }
      break;
    case HttpPiece::State::kFailed:
      break;
  }
  Drop();
  std::exchange(owner_, nullptr)->OnPullFailed();
}

void HttpPull::OnWake() {
  if (owner_ == nullptr) return;
  if (waiting_) return Next();
  woken_ = true;
}

void HttpPull::Cancel() {
  owner_ = nullptr;
  if (source_ == nullptr) return;
  is_cancelled_ = true;
  source_->Cancel();
  Drop();
}

void HttpPull::Drop() {
  // The source's end is its own work: on a worker. The task holds it; running is nothing more.
  Run([source = std::move(source_)]() mutable { source.reset(); });
  source_ = nullptr;
}

}  // namespace telltale::net
