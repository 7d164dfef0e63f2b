#include "app/subject_vault.h"

#include "app/vault_client.h"

namespace telltale::app {

Result<nlohmann::json> VaultSocket::Ask(const nlohmann::json& request,
                                        const std::function<void(const nlohmann::json&)>& message) {
  return AskVaultAt(path_, request, message);
}

}  // namespace telltale::app
