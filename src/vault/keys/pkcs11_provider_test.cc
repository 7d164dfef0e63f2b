// With the real SoftHSM2: a token in a folder of the test (packages softhsm2, libsofthsm2).
#include "vault/keys/pkcs11_provider.h"

#include <dlfcn.h>

#include "vault/keys/command_process.h"
#include "vault/keys/file_provider.h"
#include "vault/keys/keys_testing.h"
#include "vault/keys/pkcs11_token.h"

namespace telltale::vault {
namespace {

constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
constexpr const char* kSoftHsm = "/usr/bin/softhsm2-util";
constexpr const char* kPin = "31415926";

// One token for all tests of the process: SoftHSM reads its settings once.
class Token {
 public:
  static Token& Get() {
    static Token token;
    return token;
  }
  std::string folder;

 private:
  Token() {
    std::string pattern = testing::TempDir() + "/softhsm-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    PosixDisk disk;
    const std::string settings = folder + "/softhsm2.conf";
    CHECK(disk.MakeFolders(folder + "/tokens", 0700).ok());
    CHECK(WriteFileDurably(disk, settings,
                           "directories.tokendir = " + folder +
                               "/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
              .ok());
    CHECK(WriteFileDurably(disk, folder + "/pin", std::string(kPin) + "\n", 0600).ok());
    CHECK(WriteFileDurably(disk, folder + "/wrong-pin", "27182818\n", 0600).ok());
    CHECK(setenv("SOFTHSM2_CONF", settings.c_str(), 1) == 0);  // NOLINT(concurrency-mt-unsafe)
    SystemClock clock;
    const auto made = RunCommand({.program = kSoftHsm,
                                  .arguments = {"--init-token", "--free", "--label", "vault",
                                                "--so-pin", "12345678", "--pin", kPin},
                                  .environment = {"SOFTHSM2_CONF=" + settings},
                                  .input = "",
                                  .timeout = Micros::Seconds(30)},
                                 clock);
    CHECK(made.ok() && made->status == 0);
  }
};

class Pkcs11ProviderTest : public testing::Test {
 protected:
  Pkcs11ProviderTest() { random_.Fill({plain_.data(), plain_.size()}); }
  Pkcs11Provider::Options Options(const std::string& prefix) {
    const std::string& folder = Token::Get().folder;
    return {
        .module = kModule, .token = "vault", .pin_file = folder + "/pin", .label_prefix = prefix};
  }
  std::unique_ptr<Pkcs11Provider> MustOpen(const std::string& prefix = "telltale-vault-1") {
    auto provider = Pkcs11Provider::Open(disk_, random_, Options(prefix));
    EXPECT_TRUE(provider.ok()) << provider.error().ToString();
    return std::move(provider).value();
  }

  PosixDisk disk_;
  SystemRandom random_;
  seal::SecretKey plain_;
  seal::SecretKey again_;
};

TEST_F(Pkcs11ProviderTest, WhatItWrapsOpensWithItsKeyAndContextAlone) {
  auto provider = MustOpen();
  const std::string id = provider->Create().value();
  const std::string other = provider->Create().value();
  const std::string wrapped = provider->Wrap(id, plain_, "context").value();
  provider.reset();
  provider = MustOpen();
  ASSERT_TRUE(provider->Unwrap(id, wrapped, "context", again_).ok());
  EXPECT_EQ(again_.text(), plain_.text());
  std::string altered = wrapped;
  altered[20] ^= 1;
  EXPECT_EQ(provider->Unwrap(id, altered, "context", again_).error().code, Code::kCorrupt);
  EXPECT_EQ(provider->Unwrap(id, wrapped, "other", again_).error().code, Code::kCorrupt);
  EXPECT_EQ(provider->Unwrap(other, wrapped, "context", again_).error().code, Code::kCorrupt);
  ASSERT_TRUE(provider->Unwrap(id, wrapped, "context", again_).ok()) << "the session is good";
  for (const std::string& one : {id, other}) {
    EXPECT_TRUE(provider->Destroy(one).ok());
    EXPECT_TRUE(provider->Destroy(one).ok()) << "safe to repeat";
  }
  EXPECT_EQ(provider->Unwrap(id, wrapped, "context", again_).error().code, Code::kNotFound);
}

TEST_F(Pkcs11ProviderTest, OnlyKeysOfThisVaultAreListedAndDestroyed) {
  auto mine = MustOpen("telltale-vault-2");
  auto others = MustOpen("telltale-vault-2-b");
  const std::string id = mine->Create().value();
  const std::string other = others->Create().value();
  EXPECT_EQ(*mine->List(), std::vector<std::string>{id});
  EXPECT_EQ(*others->List(), std::vector<std::string>{other});
  EXPECT_EQ(mine->Destroy(other).error().code, Code::kInvalid);
  EXPECT_EQ(others->List()->size(), 1u);
  EXPECT_TRUE(mine->Destroy(id).ok());
  EXPECT_TRUE(others->Destroy(other).ok());
}

TEST_F(Pkcs11ProviderTest, ATokenThatWasResetIsLoggedInToAgain) {
  auto provider = MustOpen("telltale-vault-3");
  const std::string id = provider->Create().value();
  const std::string wrapped = provider->Wrap(id, plain_, "").value();
  void* module = dlopen(kModule, RTLD_NOW);
  ASSERT_NE(module, nullptr);
  CK_FUNCTION_LIST* functions = nullptr;
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(module, "C_GetFunctionList"));
  ASSERT_EQ(get(&functions), CKR_OK);
  CK_SLOT_ID slots[16];
  CK_ULONG count = 16;
  ASSERT_EQ(functions->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
  for (CK_ULONG i = 0; i < count; ++i) functions->C_CloseAllSessions(slots[i]);
  EXPECT_TRUE(provider->Unwrap(id, wrapped, "", again_).ok()) << "its session was closed";
  ASSERT_EQ(functions->C_Finalize(nullptr), CKR_OK);
  EXPECT_TRUE(provider->Unwrap(id, wrapped, "", again_).ok()) << "the module was ended";
  EXPECT_TRUE(provider->Destroy(id).ok());
  dlclose(module);
}

TEST_F(Pkcs11ProviderTest, WhatIsNotThereIsUnavailable) {
  auto options = Options("telltale-vault-4");
  options.token = "nobody";
  EXPECT_EQ(Pkcs11Provider::Open(disk_, random_, options).error().code, Code::kUnavailable);
  options = Options("telltale-vault-4");
  options.module = "/usr/lib/no-such-module.so";
  EXPECT_EQ(Pkcs11Provider::Open(disk_, random_, options).error().code, Code::kUnavailable);
  options = Options("telltale-vault-4");
  options.pin_file = Token::Get().folder + "/wrong-pin";
  EXPECT_EQ(Pkcs11Provider::Open(disk_, random_, options).error().code, Code::kUnavailable);
  EXPECT_EQ(Pkcs11Provider::Open(disk_, random_, Options("")).error().code, Code::kInvalid);
}

// The proof that the module promises, and the weakness that the file provider states.
class CopyTest : public Pkcs11ProviderTest {
 protected:
  static std::map<std::string, std::string> FilesOf(Disk& disk, const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const std::string& name : NamesIn(disk, folder)) {
      files[name] = ReadWholeFile(disk, folder + "/" + name).value();
    }
    return files;
  }
  static void PutBack(Disk& disk, const std::string& folder,
                      const std::map<std::string, std::string>& files) {
    ASSERT_TRUE(disk.MakeFolders(folder).ok());
    for (const auto& [name, content] : files) {
      ASSERT_TRUE(WriteFileDurably(disk, folder + "/" + name, content).ok());
    }
  }
  Result<std::unique_ptr<KeyTree>> Open(Disk& disk, KeyProvider& provider,
                                        const std::string& folder) {
    return KeyTree::Open(disk, random_, provider, counters_, {.folder = folder, .replicas = {}});
  }
  // Makes a key, copies everything, destroys the key; the copy lies in "/copy".
  std::map<std::string, std::string> CopyThenDestroy(SimDisk& disk, KeyProvider& provider) {
    auto tree = Open(disk, provider, "/tree").value();
    EXPECT_TRUE(tree->EnsureVehicle(VehicleOf(1)).ok());
    EXPECT_TRUE(tree->EnsureVehicle(VehicleOf(2)).ok());
    EXPECT_TRUE(tree->Flush().ok());
    auto copy = FilesOf(disk, "/tree");
    const std::vector<VehicleRef> one = {VehicleOf(1)};
    EXPECT_TRUE(tree->Destroy({}, one).ok());
    return copy;
  }
  Counters counters_;
};

TEST_F(CopyTest, WithATokenACopyFromBeforeADestructionOpensNoMore) {
  auto provider = MustOpen("telltale-vault-5");
  SimDisk disk;
  const auto copy = CopyThenDestroy(disk, *provider);
  PutBack(disk, "/copy", copy);
  const auto opened = Open(disk, *provider, "/copy");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
  EXPECT_NE(opened.error().message.find("root key is destroyed"), std::string::npos);
  EXPECT_TRUE(Open(disk, *provider, "/tree").ok()) << "the control: the token itself is well";
  EXPECT_EQ(provider->proof(), "destroyed in the token");
}

TEST_F(CopyTest, WithTheFileProviderACopyOfTreeAndRootKeyDoesOpen) {
  SimDisk disk;
  auto provider = FileProvider::Open(disk, "/root-keys", random_).value();
  {
    auto first = Open(disk, *provider, "/tree");
    ASSERT_TRUE(first.ok());
  }
  const auto root_keys = FilesOf(disk, "/root-keys");
  const auto copy = CopyThenDestroy(disk, *provider);
  PutBack(disk, "/copy", copy);
  EXPECT_FALSE(Open(disk, *provider, "/copy").ok()) << "the tree alone opens no more";
  PutBack(disk, "/root-keys-copy", root_keys);
  auto old = FileProvider::Open(disk, "/root-keys-copy", random_).value();
  auto opened = Open(disk, *old, "/copy");
  ASSERT_TRUE(opened.ok()) << "the stated weakness: with the root key's file it does";
  EXPECT_NE(KeyText(**opened, VehicleOf(1)), "");
  EXPECT_EQ(provider->proof(), "not provable against a disk image");
}

}  // namespace
}  // namespace telltale::vault
