// A vocabulary of given control tokens and single bytes, for formats whose real tokenizers are not
// here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine::testing {

class ByteTokenizer : public Tokenizer {
 public:
  explicit ByteTokenizer(std::vector<std::string> control) : control_(std::move(control)) {
    std::vector<AddedToken> added;
    for (const std::string& name : control_) {
      added.push_back({name, static_cast<TokenId>(added.size())});
    }
    added_ = AddedTokens(std::move(added));
    for (int byte = 0; byte < 256; ++byte) bytes_ += static_cast<char>(byte);
  }
  size_t LeastTokens(size_t text_bytes) const override { return text_bytes; }
  int32_t vocab_size() const override { return 356; }
  std::optional<TokenId> FindControl(std::string_view name) const override {
    return added_.Find(name);
  }
  std::string_view TokenName(TokenId id) const override {
    return IsControl(id) ? std::string_view(control_[id]) : "";
  }
  std::string_view TokenBytes(TokenId id) const override {
    if (id < 100 || id >= vocab_size()) return "";
    return std::string_view(bytes_).substr(static_cast<size_t>(id) - 100, 1);
  }
  bool IsControl(TokenId id) const override {
    return id >= 0 && static_cast<size_t>(id) < control_.size();
  }
  std::optional<TokenId> bos() const override { return 0; }
  std::optional<TokenId> eos() const override { return 1; }
  bool add_bos() const override { return true; }
  bool adds_leading_space() const override { return false; }

 protected:
  std::vector<TokenId> EncodeValid(std::string_view text,
                                   std::span<const TextRange> trusted) const override {
    std::vector<TokenId> ids;
    for (const AddedTokens::Part& part : added_.Split(text, trusted)) {
      if (part.id >= 0) {
        ids.push_back(part.id);
        continue;
      }
      for (const char c : text.substr(part.start, part.end - part.start)) {
        ids.push_back(static_cast<uint8_t>(c) + 100);
      }
    }
    return ids;
  }

 private:
  std::vector<std::string> control_;
  std::string bytes_;  // all, in order
  AddedTokens added_;
};

}  // namespace skerry::engine::testing
