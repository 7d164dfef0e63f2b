#include "contract/check/pool.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <map>
#include <vector>

namespace telltale::contract::check {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

// Keeps the first message; the library would print all of them to stderr.
class FirstError final : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message*, ErrorLocation, const std::string& what) override {
    if (text_.empty()) text_ = fmt::format("{}: {}: {}", file, element, what);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class Linker {
 public:
  Linker(const FileDescriptorSet& files, const std::string& name) : name_(name) {
    for (const FileDescriptorProto& file : files.file()) Take(file);
  }

  Result<std::unique_ptr<DescriptorPool>> Link(const FileDescriptorSet& files) {
    if (!twice_.empty()) return Refuse(fmt::format("{} is in it twice, and differs", twice_));
    for (const FileDescriptorProto& file : files.file()) {
      RETURN_IF_ERROR(Build(file.name()));
    }
    return std::move(pool_);
  }

 private:
  enum class State { kNew, kOpen, kDone };
  struct Node {
    const FileDescriptorProto* file;
    State state = State::kNew;
  };

  void Take(const FileDescriptorProto& file) {
    const auto [at, is_new] = nodes_.emplace(file.name(), Node{&file});
    if (!is_new && at->second.file->SerializeAsString() != file.SerializeAsString()) {
      twice_ = file.name();
    }
  }

  Error Refuse(const std::string& why) const { return {Code::kInvalid, name_ + ": " + why}; }

  Node* Find(const std::string& file) {
    if (const auto at = nodes_.find(file); at != nodes_.end()) return &at->second;
    if (!IsBuiltIn(file)) return nullptr;
    const FileDescriptor* built_in = DescriptorPool::generated_pool()->FindFileByName(file);
    if (built_in == nullptr) return nullptr;
    FileDescriptorProto& copy = built_ins_[file];
    built_in->CopyTo(&copy);
    return &nodes_.emplace(file, Node{&copy}).first->second;
  }

  // Imports first. The stack is ours: a chain of imports may be as long as the input.
  Status Build(const std::string& root) {
    std::vector<Node*> stack = {Find(root)};
    while (!stack.empty()) {
      Node& node = *stack.back();
      const bool is_first_visit = node.state == State::kNew;
      if (node.state == State::kDone) {
        stack.pop_back();
        continue;
      }
      node.state = State::kOpen;
      bool waits = false;
      for (const std::string& import : node.file->dependency()) {
        Node* needed = Find(import);
        if (needed == nullptr) {
          return Refuse(fmt::format("{}: import \"{}\" is missing", node.file->name(), import));
        }
        if (needed->state == State::kOpen) {
          return Refuse(
              fmt::format("{}: import \"{}\" goes round in a circle", node.file->name(), import));
        }
        if (needed->state == State::kDone || !is_first_visit) continue;
        stack.push_back(needed);
        waits = true;
      }
      if (waits) continue;
      FirstError error;
      if (pool_->BuildFileCollectingErrors(*node.file, &error) == nullptr) {
        return Refuse(error.text());
      }
      node.state = State::kDone;
      stack.pop_back();
    }
    return Ok();
  }

  const std::string& name_;
  std::map<std::string, Node> nodes_;
  std::map<std::string, FileDescriptorProto> built_ins_;
  std::string twice_;
  std::unique_ptr<DescriptorPool> pool_ = std::make_unique<DescriptorPool>();
};

}  // namespace

bool IsBuiltIn(std::string_view file) { return file.starts_with("google/protobuf/"); }

Result<std::unique_ptr<DescriptorPool>> BuildPool(const FileDescriptorSet& files,
                                                  const std::string& name) {
  return Linker(files, name).Link(files);
}

}  // namespace telltale::contract::check
