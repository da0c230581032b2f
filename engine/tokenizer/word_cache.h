// Remembers the ids of short words: text is made of few words that come again and again. Of fixed
// size; a word displaces another with the same place.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "engine/tokenizer/added_tokens.h"

namespace skerry::engine {

// One thread.
class WordCache {
 public:
  static constexpr size_t kMaxWordBytes = 30;
  static constexpr size_t kMaxIds = 8;

  struct Entry {
    uint8_t length = 0;  // 0: free
    uint8_t count = 0;
    std::array<char, kMaxWordBytes> text;
    std::array<TokenId, kMaxIds> ids;

    bool Holds(std::string_view word) const {
      return length == word.size() && std::memcmp(text.data(), word.data(), word.size()) == 0;
    }
    std::span<const TokenId> Ids() const { return {ids.data(), count}; }
  };

  WordCache() : entries_(kEntries) {}

  // Whether the word can be remembered.
  static bool Fits(std::string_view word) { return !word.empty() && word.size() <= kMaxWordBytes; }
  // The place of a word that fits: it Holds the word when its ids are known.
  Entry& PlaceOf(std::string_view word) { return entries_[Hash(word) >> (64 - kBits)]; }
  // Remembers the ids, when they are not too many.
  static void Put(Entry& entry, std::string_view word, std::span<const TokenId> ids) {
    if (ids.size() > kMaxIds) return;
    entry.length = static_cast<uint8_t>(word.size());
    entry.count = static_cast<uint8_t>(ids.size());
    std::memcpy(entry.text.data(), word.data(), word.size());
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

 private:
  static constexpr size_t kBits = 14;
  static constexpr size_t kEntries = size_t{1} << kBits;

  static uint64_t Hash(std::string_view word) {
    constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
    uint64_t hash = word.size();
    size_t at = 0;
    for (; at + 8 <= word.size(); at += 8) {
      uint64_t eight = 0;
      std::memcpy(&eight, word.data() + at, 8);
      hash = (hash ^ eight) * kMultiplier;
      hash ^= hash >> 32;
    }
    uint64_t rest = 0;
    std::memcpy(&rest, word.data() + at, word.size() - at);
    return (hash ^ rest) * kMultiplier;
  }

  std::vector<Entry> entries_;
};

// Caches for as many threads as encode at once. Thread-safe.
class WordCachePool {
 public:
  // A cache of one's own until the end of the scope.
  class Lease {
   public:
    explicit Lease(WordCachePool& pool) : pool_(pool), cache_(pool.Take()) {}
    ~Lease() { pool_.Give(std::move(cache_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    WordCache& operator*() { return *cache_; }

   private:
    WordCachePool& pool_;
    std::unique_ptr<WordCache> cache_;
  };

 private:
  static constexpr size_t kMaxIdle = 8;

  std::unique_ptr<WordCache> Take() {
    {
      const std::lock_guard lock(mu_);
      if (!idle_.empty()) {
        std::unique_ptr<WordCache> cache = std::move(idle_.back());
        idle_.pop_back();
        return cache;
      }
    }
    return std::make_unique<WordCache>();
  }
  void Give(std::unique_ptr<WordCache> cache) {
    const std::lock_guard lock(mu_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(cache));
  }

  std::mutex mu_;
  std::vector<std::unique_ptr<WordCache>> idle_;  // guarded by mu_
};

}  // namespace skerry::engine
