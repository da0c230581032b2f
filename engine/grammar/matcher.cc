#include "engine/grammar/matcher.h"

#include <algorithm>

#include "engine/grammar/internal/automaton.h"
#include "engine/grammar/internal/mask_table.h"

namespace skerry::engine {

using internal::Automaton;
using internal::SharedAutomaton;
using internal::TokenMask;

struct internal::SharedAutomaton {
  SharedAutomaton(const Nfa& nfa, const TokenVocabulary& vocabulary)
      : automaton(nfa), masks(automaton, vocabulary) {}

  size_t Bytes() const { return automaton.Bytes() + masks.Bytes(); }

  std::mutex mu;
  Automaton automaton;  // guarded by mu
  MaskTable masks;      // guarded by mu
};

Constraint::Constraint(Grammar grammar, std::shared_ptr<const TokenVocabulary> vocabulary,
                       size_t max_bytes)
    : grammar_(std::move(grammar)),
      vocabulary_(std::move(vocabulary)),
      max_bytes_(max_bytes),
      current_(NewAutomaton()) {}

std::shared_ptr<SharedAutomaton> Constraint::NewAutomaton() const {
  return std::make_shared<SharedAutomaton>(grammar_.nfa(), *vocabulary_);
}

std::shared_ptr<SharedAutomaton> Constraint::Current() const {
  const std::lock_guard lock(mu_);
  return current_;
}

std::shared_ptr<SharedAutomaton> Constraint::Replace(const std::shared_ptr<SharedAutomaton>& full) {
  const std::lock_guard lock(mu_);
  if (current_ == full) current_ = NewAutomaton();
  return current_;
}

size_t Constraint::Bytes() const {
  const std::shared_ptr<SharedAutomaton> current = Current();
  const std::lock_guard lock(current->mu);
  return current->Bytes();
}

Matcher::Matcher(std::shared_ptr<Constraint> constraint, bool strip_leading_space)
    : constraint_(std::move(constraint)), automaton_(constraint_->Current()) {
  const bool strip = strip_leading_space && constraint_->vocabulary().adds_leading_space();
  places_.push_back({automaton_->automaton.start(), strip, false});
}

// An automaton that has grown too large is left to those who still use it, and everything begins
// anew in another one. Locks are taken from the older to the newer one.
void Matcher::LeaveFull() {
  std::shared_ptr<SharedAutomaton> old = automaton_;
  const std::lock_guard old_lock(old->mu);
  if (old->Bytes() <= constraint_->max_bytes_) return;
  std::shared_ptr<SharedAutomaton> fresh = constraint_->Replace(old);
  const std::lock_guard fresh_lock(fresh->mu);
  for (Place& place : places_) {
    place.config = fresh->automaton.Import(old->automaton, place.config);
  }
  automaton_ = std::move(fresh);
}

bool Matcher::FillMask(std::span<uint32_t> words) {
  LeaveFull();
  const TokenVocabulary& vocabulary = constraint_->vocabulary();
  const Place place = places_.back();
  std::shared_ptr<const TokenMask> mask;
  if (!place.ended) {
    const std::lock_guard lock(automaton_->mu);
    mask = place.strip
               ? std::make_shared<const TokenMask>(automaton_->masks.MaskBehindSpace(place.config))
               : automaton_->masks.Mask(place.config);
  }
  const std::vector<uint32_t>* bits = nullptr;
  if (mask && !mask->words.empty()) bits = &mask->words;
  if (mask && mask->words.empty()) bits = mask->slice;
  const size_t copied = bits != nullptr ? std::min(bits->size(), words.size()) : 0;
  if (copied > 0) std::copy_n(bits->begin(), copied, words.begin());
  std::fill(words.begin() + static_cast<ptrdiff_t>(copied), words.end(), 0);
  const auto set = [&](uint32_t token) { words[token / 32] |= uint32_t{1} << token % 32; };
  if (mask) std::ranges::for_each(mask->tokens, set);
  if (!mask || mask->can_end) {
    for (const TokenId stop : vocabulary.stop_tokens()) set(static_cast<uint32_t>(stop));
  }
  return !mask || !mask->empty;
}

bool Matcher::Accept(TokenId token) {
  Place place = places_.back();
  if (place.ended) return false;
  const TokenVocabulary& vocabulary = constraint_->vocabulary();
  if (vocabulary.IsStop(token)) {
    if (!CanEnd()) return false;
    place.ended = true;
    Push(place);
    return true;
  }
  std::string_view bytes = vocabulary.Bytes(token);
  if (bytes.empty()) return false;
  if (place.strip && bytes.front() == ' ') bytes.remove_prefix(1);
  return Read(bytes);
}

bool Matcher::AcceptBytes(std::string_view bytes) { return !Ended() && Read(bytes); }

bool Matcher::Read(std::string_view bytes) {
  LeaveFull();
  Place place = places_.back();
  place.strip = false;
  {
    const std::lock_guard lock(automaton_->mu);
    place.config = automaton_->automaton.Walk(place.config, bytes);
  }
  if (place.config == Automaton::kDead) return false;
  Push(place);
  return true;
}

void Matcher::Push(Place place) {
  if (places_.size() > kMaxRollback) places_.erase(places_.begin());
  places_.push_back(place);
}

bool Matcher::Rollback(size_t n) {
  if (n >= places_.size()) return false;
  places_.resize(places_.size() - n);
  return true;
}

bool Matcher::CanEnd() {
  if (Ended()) return true;
  const std::lock_guard lock(automaton_->mu);
  return automaton_->automaton.CanEnd(places_.back().config);
}

std::string Matcher::Forced(size_t limit) {
  if (Ended()) return "";
  LeaveFull();
  const std::lock_guard lock(automaton_->mu);
  return automaton_->automaton.Forced(places_.back().config, limit);
}

}  // namespace skerry::engine
