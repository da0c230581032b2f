// Answers that follow a grammar: one text under its constraint, and the thread that finds out what
// may come next while the model computes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "appliance/base/result.h"
#include "engine/grammar/matcher.h"
#include "engine/sampler/sampler.h"

namespace skerry::engine::internal {

// One answer's. One thread at a time.
class Guide {
 public:
  Guide(std::shared_ptr<Constraint> constraint, bool strip_leading_space);

  // Finds out what may come next; needs nothing of the step under way.
  void Prepare();
  double prepare_seconds() const { return seconds_; }
  // Draws the next token, after Prepare. Nothing: the text is complete and nothing else may come,
  // be it for the grammar or for other rules of the request, so the answer ends here. kInternal
  // when the text is not complete and no token may come.
  Result<std::optional<TokenId>> Choose(Sampler& sampler, std::span<float> logits);
  bool ended() const { return matcher_.Ended(); }

 private:
  Matcher matcher_;
  std::vector<TokenId> stops_;
  std::vector<uint32_t> mask_;
  bool can_end_ = false;
  bool can_go_on_ = false;  // some token that is no stop token may come
  double seconds_ = 0;
};

// Prepares guides beside a step, on a thread of its own. Begin and Wait: one thread.
class GuideWorker {
 public:
  GuideWorker();
  ~GuideWorker();
  GuideWorker(const GuideWorker&) = delete;
  GuideWorker& operator=(const GuideWorker&) = delete;

  // Nobody else may use the guides before Wait has returned.
  void Begin(std::vector<Guide*> guides);
  // Lends a hand with what is left.
  void Wait();

 private:
  void Run();
  bool PrepareOne(std::unique_lock<std::mutex>& lock);

  std::mutex mu_;
  std::condition_variable begun_;
  std::condition_variable done_;
  std::vector<Guide*> guides_;  // guarded by mu_
  size_t next_ = 0;             // guarded by mu_
  size_t left_ = 0;             // not done yet; guarded by mu_
  bool stopping_ = false;       // guarded by mu_
  std::thread thread_;
};

}  // namespace skerry::engine::internal
