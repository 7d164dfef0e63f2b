#include "contract/check/source.h"

#include <fmt/format.h>
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <algorithm>
#include <deque>
#include <set>

#include "contract/check/pool.h"

namespace telltale::contract::check {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
namespace compiler = google::protobuf::compiler;
namespace io = google::protobuf::io;

constexpr int kFolderDepthMax = 32;
constexpr int kParentsMax = 8;
constexpr std::size_t kProblemsMax = 100;

std::string Joined(const std::string& folder, const std::string& name) {
  return folder == "." ? name : folder == "/" ? folder + name : folder + "/" + name;
}

bool StaysInside(const std::string& name) {
  return !name.empty() && name[0] != '/' && ("/" + name + "/").find("/../") == std::string::npos;
}

bool HasBuiltIn(const std::string& name) {
  return IsBuiltIn(name) && DescriptorPool::generated_pool()->FindFileByName(name) != nullptr;
}

class BuiltIns final : public google::protobuf::DescriptorDatabase {
 public:
  bool FindFileByName(const std::string& name, FileDescriptorProto* out) override {
    if (!IsBuiltIn(name)) return false;
    const FileDescriptor* file = DescriptorPool::generated_pool()->FindFileByName(name);
    if (file != nullptr) file->CopyTo(out);
    return file != nullptr;
  }
  bool FindFileContainingSymbol(const std::string&, FileDescriptorProto*) override { return false; }
  bool FindFileContainingExtension(const std::string&, int, FileDescriptorProto*) override {
    return false;
  }
};

class DiskTree final : public compiler::SourceTree {
 public:
  DiskTree(Disk& disk, std::string root) : disk_(disk), root_(std::move(root)) {}

  io::ZeroCopyInputStream* Open(const std::string& name) override {
    if (!StaysInside(name)) return nullptr;
    auto text = ReadWholeFile(disk_, Joined(root_, name));
    if (!text.ok()) return nullptr;
    texts_.push_back(std::move(*text));
    return new io::ArrayInputStream(texts_.back().data(), static_cast<int>(texts_.back().size()));
  }
  std::string GetLastErrorMessage() override { return "not found"; }

 private:
  Disk& disk_;
  const std::string root_;
  std::deque<std::string> texts_;  // streams read from them
};

class Problems final : public compiler::MultiFileErrorCollector {
 public:
  Problems(std::vector<Problem>& all, const std::function<std::string(const std::string&)>& shown)
      : all_(all), shown_(shown) {}

  void AddError(const std::string& file, int line, int column, const std::string& what) override {
    // "The file x is not there" is told where it is imported.
    if (line < 0 && missing_.insert(file).second && what == "not found") return;
    if (all_.size() >= kProblemsMax) return;
    std::string text = what;
    if (const std::string import = ImportOf(what); missing_.contains(import)) {
      text = fmt::format(
          "import \"{}\" is missing: check together with it the folder that its "
          "name begins in",
          import);
    }
    all_.push_back({{shown_(file), std::max(line, -1) + 1, column + 1}, text});
  }

 private:
  // Import "x" was not found or had errors.
  static std::string ImportOf(const std::string& what) {
    constexpr std::string_view kStart = "Import \"";
    const std::size_t end = what.find('"', kStart.size());
    if (!what.starts_with(kStart) || end == std::string::npos) return "";
    return what.substr(kStart.size(), end - kStart.size());
  }

  std::vector<Problem>& all_;
  const std::function<std::string(const std::string&)> shown_;
  std::set<std::string> missing_;
};

// .proto files below one root.
class ProtoSource final : public Source {
 public:
  ProtoSource(Disk& disk, const std::string& root, const std::vector<std::string>& names,
              bool is_one_file)
      : tree_(disk, root),
        database_(&tree_, &built_ins_),
        errors_(problems_, [root](const std::string& name) { return Joined(root, name); }) {
    database_.RecordErrorsTo(&errors_);
    pool_ = std::make_unique<DescriptorPool>(&database_, database_.GetValidationErrorCollector());
    std::set<const FileDescriptor*> seen;
    for (const std::string& name : names) {
      const FileDescriptor* file = pool_->FindFileByName(name);
      if (file != nullptr) Take(*file, seen, std::set<std::string>(names.begin(), names.end()));
    }
    for (const FileDescriptor* file : candidate_.files) {
      candidate_.paths.emplace(file->name(), Joined(root, file->name()));
    }
    candidate_.pool = pool_.get();
    if (is_one_file) only_file_ = names.front();
    if (candidate_.files.empty() && problems_.empty()) {
      problems_.push_back({{root, 0, 0}, "holds no .proto file: name the folder that does"});
    }
  }

 private:
  // Imports first; those of google/protobuf/ are not judged unless they were given.
  void Take(const FileDescriptor& file, std::set<const FileDescriptor*>& seen,
            const std::set<std::string>& given) {
    if (!seen.insert(&file).second) return;
    for (int i = 0; i < file.dependency_count(); ++i) Take(*file.dependency(i), seen, given);
    if (!IsBuiltIn(file.name()) || given.contains(file.name())) candidate_.files.push_back(&file);
  }

  BuiltIns built_ins_;
  DiskTree tree_;
  compiler::SourceTreeDescriptorDatabase database_;
  Problems errors_;
  std::unique_ptr<DescriptorPool> pool_;
};

class SetSource final : public Source {
 public:
  SetSource(const std::string& path, const std::string& bytes) {
    FileDescriptorSet set;
    if (!set.ParseFromString(bytes)) {
      problems_.push_back({{path, 0, 0},
                           "is no descriptor set: make it with `protoc "
                           "--descriptor_set_out --include_imports`"});
      return;
    }
    auto pool = BuildPool(set, path);
    if (!pool.ok()) {
      problems_.push_back({{path, 0, 0}, pool.error().message});
      return;
    }
    pool_ = std::move(*pool);
    candidate_.pool = pool_.get();
    for (const FileDescriptorProto& file : set.file()) {
      const FileDescriptor* found = pool_->FindFileByName(file.name());
      const auto& files = candidate_.files;
      const bool is_known = std::find(files.begin(), files.end(), found) != files.end();
      if (!IsBuiltIn(file.name()) && !is_known) candidate_.files.push_back(found);
    }
  }

 private:
  std::unique_ptr<DescriptorPool> pool_;
};

class IgnoreErrors final : public io::ErrorCollector {
 public:
  void AddError(int, io::ColumnNumber, const std::string&) override {}
};

// What a file imports, as far as it can be read.
std::vector<std::string> ImportsOf(Disk& disk, const std::string& path) {
  const auto text = ReadWholeFile(disk, path);
  if (!text.ok()) return {};
  io::ArrayInputStream stream(text->data(), static_cast<int>(text->size()));
  IgnoreErrors errors;
  io::Tokenizer tokenizer(&stream, &errors);
  compiler::Parser parser;
  parser.RecordErrorsTo(&errors);
  FileDescriptorProto file;
  parser.Parse(&tokenizer, &file);
  return {file.dependency().begin(), file.dependency().end()};
}

void FindProtoFiles(Disk& disk, const std::string& folder, const std::string& prefix, int depth,
                    std::vector<std::string>& names) {
  const auto entries = disk.List(folder);
  if (!entries.ok() || depth > kFolderDepthMax) return;
  for (const std::string& entry : *entries) {
    if (entry.starts_with('.')) continue;
    if (entry.ends_with(".proto")) {
      names.push_back(prefix + entry);
    } else {  // a folder, or a file that cannot be listed
      FindProtoFiles(disk, Joined(folder, entry), prefix + entry + "/", depth + 1, names);
    }
  }
}

// The folder from which every import is found, from `folder` upwards; `folder` when none is. Where
// even the built-in ones lie on the disk it is there: google/protobuf/ itself may be checked.
std::string FindRoot(Disk& disk, const std::string& folder, const std::vector<std::string>& names) {
  std::set<std::string> imports;
  for (const std::string& name : names) {
    for (const std::string& import : ImportsOf(disk, Joined(folder, name))) {
      if (StaysInside(import)) imports.insert(import);
    }
  }
  for (const bool built_in_too : {true, false}) {
    std::string root = folder;
    for (int i = 0; i < kParentsMax; ++i) {
      const bool has_all =
          std::all_of(imports.begin(), imports.end(), [&](const std::string& import) {
            return (!built_in_too && HasBuiltIn(import)) || disk.Exists(Joined(root, import));
          });
      if (has_all) return root;
      const std::string parent = ParentFolder(root);
      if (parent == root || root.ends_with("..")) break;
      root = parent;
    }
  }
  return folder;
}

void AppendWithImports(const FileDescriptor& file, std::set<const FileDescriptor*>& seen,
                       FileDescriptorSet& set) {
  if (!seen.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AppendWithImports(*file.dependency(i), seen, set);
  }
  FileDescriptorProto& copy = *set.add_file();
  file.CopyTo(&copy);
  file.CopyJsonNameTo(&copy);
}

}  // namespace

Result<std::unique_ptr<Source>> Source::Read(Disk& disk, const std::string& given) {
  std::string path = given;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (path.ends_with(".desc")) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(disk, path));
    return std::unique_ptr<Source>(std::make_unique<SetSource>(path, bytes));
  }
  std::string folder = path;
  std::vector<std::string> names;
  const bool is_one_file = path.ends_with(".proto");
  if (is_one_file) {
    RETURN_IF_ERROR(ReadWholeFile(disk, path));
    folder = ParentFolder(path);
    names.push_back(path.substr(path.rfind('/') + 1));
  } else {
    RETURN_IF_ERROR(disk.List(path));
    FindProtoFiles(disk, folder, "", 0, names);
  }
  const std::string root = FindRoot(disk, folder, names);
  if (root != folder) {
    std::string below = root == "." ? folder : folder.substr(root == "/" ? 1 : root.size() + 1);
    for (std::string& name : names) name = below + "/" + name;
  }
  return std::unique_ptr<Source>(std::make_unique<ProtoSource>(disk, root, names, is_one_file));
}

Version Source::AsVersion(const std::string& name) const {
  Version version{name, {}, candidate_.paths};
  for (const FileDescriptor* file : candidate_.files) {
    FileDescriptorProto& copy = *version.files.add_file();
    file->CopyTo(&copy);
    file->CopySourceCodeInfoTo(&copy);
  }
  return version;
}

std::string Source::DescriptorSet() const {
  std::vector<const FileDescriptor*> files = candidate_.files;
  std::sort(files.begin(), files.end(),
            [](const FileDescriptor* a, const FileDescriptor* b) { return a->name() < b->name(); });
  FileDescriptorSet set;
  std::set<const FileDescriptor*> seen;
  for (const FileDescriptor* file : files) AppendWithImports(*file, seen, set);
  std::string bytes;
  io::StringOutputStream stream(&bytes);
  {
    io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    set.SerializeToCodedStream(&coded);
  }
  return bytes;
}

Version VersionFor(const Source& now, const Source& before, const std::string& name) {
  Version version = before.AsVersion(name);
  const std::string& from = before.only_file();
  const std::string& to = now.only_file();
  if (from.empty() || to.empty() || from == to) return version;
  for (const FileDescriptorProto& file : version.files.file()) {
    if (file.name() == to) return version;  // it imports the other one
  }
  for (FileDescriptorProto& file : *version.files.mutable_file()) {
    if (file.name() == from) file.set_name(to);  // nothing imports it: it was read by itself
  }
  version.paths[to] = version.paths[from];
  return version;
}

}  // namespace telltale::contract::check
