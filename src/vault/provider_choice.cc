#include "vault/provider_choice.h"

#include "vault/keys/command_provider.h"
#include "vault/keys/file_provider.h"
#include "vault/keys/pkcs11_provider.h"

namespace telltale::vault {

Result<std::unique_ptr<KeyProvider>> ChooseProvider(Disk& disk, Clock& clock, Random& random,
                                                    const Config& config, const Paths& paths,
                                                    std::string& waiver) {
  std::unique_ptr<KeyProvider> provider;
  if (config.vault_key_provider == "pkcs11") {
    ASSIGN_OR_RETURN(provider, Pkcs11Provider::Open(disk, random,
                                                    {.module = config.vault_pkcs11_module,
                                                     .token = config.vault_pkcs11_token,
                                                     .pin_file = config.vault_pkcs11_pin_file,
                                                     .label_prefix = "telltale-vault"}));
    return provider;
  }
  if (config.vault_key_provider == "command") {
    provider = std::make_unique<CommandProvider>(
        CommandProvider::Options{.program = config.vault_key_command}, clock);
    return provider;
  }
  if (config.environment_kind == "prod") {
    if (config.vault_file_keys_waiver.empty()) {
      return Error{Code::kRefused,
                   "a prod environment keeps the vault's root keys in a token: set "
                   "vault.key_provider to pkcs11 or command, or say in vault.file_keys_waiver why "
                   "not"};
    }
    waiver = config.vault_file_keys_waiver;
  }
  ASSIGN_OR_RETURN(provider, FileProvider::Open(disk, paths.vault() + "/keys/root", random));
  return provider;
}

}  // namespace telltale::vault
