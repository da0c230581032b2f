#include "appliance/admin/tokens.h"

#include <nlohmann/json.hpp>

#include "appliance/base/log.h"

namespace skerry::admin {

namespace {

policy::Token PolicyToken(const store::TokenRow& row) {
  policy::Token token;
  token.id = row.id;
  token.hash = row.hash;
  token.label = row.label;
  token.models = row.models;
  token.scopes = row.scopes;
  token.created_ms = row.created_ms;
  token.expires_ms = row.expires_ms;
  return token;
}

Json Describe(const store::TokenRow& row) {
  return {{"label", row.label},
          {"models", row.models},
          {"scopes", row.scopes},
          {"expires_ms", row.expires_ms}};
}

}  // namespace

Result<void> Tokens::Reconcile() {
  const std::vector<store::TokenRow> rows = TRY(List());
  const policy::Policy published = core_.publisher().Current();
  std::vector<policy::Op> ops;
  for (const auto& [id, token] : published.tokens) {
    bool in_force = false;
    for (const store::TokenRow& row : rows) {
      in_force = in_force || (row.id == id && row.revoked_ms == 0);
    }
    if (in_force) continue;
    LogWarning("token '" + id + "' is published but not valid in the database: withdrawn");
    ops.emplace_back(policy::DeleteToken{id});
  }
  for (const store::TokenRow& row : rows) {
    if (row.revoked_ms != 0 || published.FindToken(row.id) != nullptr) continue;
    // Never published, so nobody was given it; or the policy was restored from an older state, and
    // nobody knows whether it had been revoked.
    LogWarning("token '" + row.id + "' is in the database but not published: revoked");
    const int64_t now_ms = core_.clock().UnixMillis();
    TRY(core_.WithStore([&](store::Store& store) { return store.RevokeToken(row.id, now_ms); }));
  }
  if (!ops.empty()) TRY(core_.publisher().Publish(ops));
  return {};
}

Result<std::vector<store::TokenRow>> Tokens::List() {
  return core_.WithStore([](store::Store& store) { return store.Tokens(); });
}

Result<CreatedToken> Tokens::Create(const TokenRequest& request) {
  policy::NewToken made = core_.publisher().MakeToken();
  CreatedToken created;
  store::TokenRow& row = created.row;
  row.id = made.id;
  row.hash = made.hash;
  row.label = request.label;
  row.models = request.models;
  row.scopes = request.scopes;
  row.created_ms = core_.clock().UnixMillis();
  row.expires_ms = request.expires_ms;
  if (row.expires_ms != 0 && row.expires_ms <= row.created_ms) {
    return Error(ErrorCode::kInvalidArgument, "field 'expires_ms' must be in the future");
  }
  TRY(policy::CheckToken(PolicyToken(row)));
  TRY(core_.Record("token-created", row.id, nullptr, Describe(row)));
  const auto publish = [&]() -> Result<uint64_t> {
    TRY(core_.WithStore([&](store::Store& store) { return store.AddToken(row); }));
    return core_.publisher().Publish({policy::PutToken{PolicyToken(row)}});
  };
  const Result<uint64_t> generation = publish();
  if (!generation) {
    core_.RecordFailure("token-created", row.id, generation.error());
    (void)core_.WithStore([&](store::Store& store) { return store.DeleteToken(row.id); });
    return generation.error();
  }
  created.confirmed = core_.publisher().Confirm(*generation);
  created.text = std::move(made.text);
  return created;
}

Result<bool> Tokens::Revoke(const std::string& id) {
  const store::TokenRow row =
      TRY(core_.WithStore([&](store::Store& store) { return store.Token(id); }));
  const bool published = core_.publisher().Current().FindToken(id) != nullptr;
  if (row.revoked_ms != 0 && !published) {
    return Error(ErrorCode::kAlreadyExists, "token '" + id + "' was revoked before");
  }
  TRY(core_.Record("token-revoked", id, Describe(row), nullptr));
  const auto withdraw = [&]() -> Result<uint64_t> {
    if (row.revoked_ms == 0) {
      const int64_t now_ms = core_.clock().UnixMillis();
      TRY(core_.WithStore([&](store::Store& store) { return store.RevokeToken(id, now_ms); }));
    }
    if (!published) return core_.publisher().Current().generation;
    return core_.publisher().Publish({policy::DeleteToken{id}});
  };
  const Result<uint64_t> generation = withdraw();
  if (!generation) {
    core_.RecordFailure("token-revoked", id, generation.error());
    return generation.error();
  }
  return core_.publisher().Confirm(*generation);
}

}  // namespace skerry::admin
