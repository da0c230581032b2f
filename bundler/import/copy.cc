#include "bundler/import/copy.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "bundler/format/chunks.h"
#include "bundler/format/layout.h"

namespace skerry::import {

namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
// One being filled, one being synced, one between them.
constexpr size_t kMaxWindows = 3;
// More workers than cores: a direct write waits for the disk and needs no core.
constexpr unsigned kWaitingForDisk = 2;

// For memory that files can be written from directly.
struct FreeAligned {
  void operator()(uint8_t* memory) const {
    ::operator delete(memory, std::align_val_t(kDirectAlignment));
  }
};

struct Window {
  std::vector<uint64_t> chunks;
  std::vector<bool> written;  // one per entry of `chunks`
  size_t left = 0;            // not written yet
  std::mutex open_mu;
  // Opened before this window's first write there, so that a sync reports every failed write.
  std::map<size_t, std::unique_ptr<File>> files;
};

struct Task {
  Window* window = nullptr;
  size_t at = 0;  // in the window
};

// Where a failure happened. After one on the disk nothing is recorded any more: a second sync would
// succeed although data is lost.
enum class Side { kMedium, kDisk };

class CopyRun {
 public:
  CopyRun(const format::ChunkMap& map, const CopyWork& work, std::vector<bool>& done,
          Journal& journal, const CopyOptions& options)
      : map_(map),
        work_(work),
        done_(done),
        journal_(journal),
        options_(options),
        next_chunk_(work.first) {}

  Result<void> Run() {
    std::vector<std::thread> threads;
    StartThreads(threads);
    Watch();
    for (std::thread& thread : threads) thread.join();
    if (!disk_failed_) RecordPartly();
    if (options_.progress) options_.progress(copied_bytes_);
    if (error_) return std::move(*error_);
    return {};
  }

 private:
  void StartThreads(std::vector<std::thread>& threads) {
    const unsigned wanted =
        options_.threads == 0 ? format::DefaultThreads() + kWaitingForDisk : options_.threads;
    workers_ = wanted;
    syncing_ = true;
    try {
      threads.emplace_back([this] { SyncWindows(); });
      for (unsigned i = 0; i < wanted; ++i) threads.emplace_back([this] { Work(); });
    } catch (const std::system_error& failed) {
      const std::lock_guard lock(mu_);
      const size_t started = threads.empty() ? 0 : threads.size() - 1;
      workers_ -= wanted - static_cast<unsigned>(started);
      if (threads.empty()) syncing_ = false;
      // With fewer workers it is slower, not wrong.
      if (started == 0) {
        Fail(Side::kMedium,
             Error(ErrorCode::kExhausted, std::string("cannot start a thread: ") + failed.what()));
      }
      sync_.notify_all();
    }
  }

  void Watch() {
    std::unique_lock lock(mu_);
    const auto ended = [this] { return workers_ == 0 && !syncing_; };
    while (!ended_.wait_for(lock, kTick, ended)) {
      if (!options_.progress) continue;
      const uint64_t copied = copied_bytes_;
      lock.unlock();
      options_.progress(copied);
      lock.lock();
    }
  }

  void Work() {
    const std::unique_ptr<uint8_t, FreeAligned> buffer(static_cast<uint8_t*>(
        ::operator new(format::kChunkBytes, std::align_val_t(kDirectAlignment))));
    std::unique_lock lock(mu_);
    while (const std::optional<Task> task = Take(lock)) {
      lock.unlock();
      const uint64_t chunk_idx = task->window->chunks[task->at];
      const format::ChunkPlace place = map_.At(chunk_idx);
      const std::span<uint8_t> bytes{buffer.get(), place.size};
      Side side = Side::kMedium;
      Result<void> copied = work_.read(chunk_idx, bytes);
      if (copied) {
        side = Side::kDisk;
        copied = Write(*task->window, place, bytes);
      }
      lock.lock();
      if (copied) {
        NoteWritten(*task, place.size);
      } else {
        Fail(side, std::move(copied).error());
      }
    }
    if (--workers_ == 0) sync_.notify_all();
    ended_.notify_all();
  }

  std::optional<Task> Take(std::unique_lock<std::mutex>& lock) {
    for (;;) {
      if (!error_ && options_.cancelled != nullptr && *options_.cancelled) {
        Fail(Side::kMedium, Error(ErrorCode::kCancelled, "stopped"));
      }
      if (error_) return std::nullopt;
      if (filling_ != nullptr && next_in_window_ < filling_->chunks.size()) {
        return Task{filling_, next_in_window_++};
      }
      if (windows_.size() == kMaxWindows) {
        room_.wait(lock);
        continue;
      }
      if (!OpenWindow()) return std::nullopt;
    }
  }

  // False when no chunk is left.
  bool OpenWindow() {
    auto window = std::make_unique<Window>();
    const uint64_t end = work_.first + work_.count;
    for (; next_chunk_ < end && window->chunks.size() < options_.window_chunks; ++next_chunk_) {
      if (!done_[next_chunk_]) window->chunks.push_back(next_chunk_);
    }
    if (window->chunks.empty()) return false;
    window->left = window->chunks.size();
    window->written.assign(window->chunks.size(), false);
    filling_ = window.get();
    next_in_window_ = 0;
    windows_.push_back(std::move(window));
    return true;
  }

  Result<void> Write(Window& window, const format::ChunkPlace& place,
                     std::span<const uint8_t> bytes) {
    File* file = nullptr;
    {
      const std::lock_guard lock(window.open_mu);
      std::unique_ptr<File>& slot = window.files[place.file_idx];
      if (slot == nullptr) slot = TRY(work_.open(place.file_idx));
      file = slot.get();
    }
    if (bytes.empty()) return {};
    TRY(file->WriteAt(place.offset, bytes));
    file->StartWriteback(place.offset, bytes.size());
    return {};
  }

  void NoteWritten(const Task& task, size_t bytes) {
    task.window->written[task.at] = true;
    copied_bytes_ += bytes;
    if (--task.window->left > 0) return;
    complete_.push_back(task.window);
    sync_.notify_all();
  }

  void Fail(Side side, Error error) {
    disk_failed_ = disk_failed_ || side == Side::kDisk;
    if (!error_) error_ = std::move(error);
    room_.notify_all();
  }

  void SyncWindows() {
    std::unique_lock lock(mu_);
    for (;;) {
      sync_.wait(lock, [this] { return !complete_.empty() || workers_ == 0; });
      if (complete_.empty() || disk_failed_) break;
      const std::vector<Window*> batch = std::exchange(complete_, {});
      lock.unlock();
      Result<void> recorded = Record(batch);
      lock.lock();
      if (!recorded) {
        Fail(Side::kDisk, std::move(recorded).error());
        break;
      }
      Close(batch);
      room_.notify_all();
    }
    syncing_ = false;
    ended_.notify_all();
  }

  // Makes what was written of `windows` durable and says so in the journal.
  Result<void> Record(const std::vector<Window*>& windows) {
    std::vector<RecordedChunks> ranges;
    for (Window* window : windows) {
      for (const auto& [file_idx, file] : window->files) TRY(file->Sync());
      for (size_t i = 0; i < window->chunks.size(); ++i) {
        if (!window->written[i]) continue;
        const uint64_t idx = window->chunks[i];
        if (ranges.empty() || ranges.back().first + ranges.back().count != idx) {
          ranges.push_back({idx, 0, 0});
        }
        ++ranges.back().count;
        ranges.back().bytes += map_.At(idx).size;
      }
    }
    TRY(journal_.Add(ranges));
    // Nobody reads it soon, and what others have cached is worth more.
    for (Window* window : windows) {
      for (size_t i = 0; i < window->chunks.size(); ++i) {
        const format::ChunkPlace place = map_.At(window->chunks[i]);
        if (!window->written[i] || place.size == 0) continue;
        window->files[place.file_idx]->WillNotNeed(place.offset, place.size);
      }
    }
    return {};
  }

  void Close(const std::vector<Window*>& recorded) {
    for (Window* window : recorded) {
      for (size_t i = 0; i < window->chunks.size(); ++i) {
        if (window->written[i]) done_[window->chunks[i]] = true;
      }
      if (filling_ == window) filling_ = nullptr;
      std::erase_if(windows_, [&](const auto& open) { return open.get() == window; });
    }
  }

  // After the threads have ended: the windows that are not full.
  void RecordPartly() {
    std::vector<Window*> rest;
    for (const auto& window : windows_) rest.push_back(window.get());
    Result<void> recorded = Record(rest);
    if (recorded) {
      Close(rest);
    } else if (!error_ || error_->code() == ErrorCode::kCancelled) {
      error_ = std::move(recorded).error();
    }
  }

  const format::ChunkMap& map_;
  const CopyWork& work_;
  std::vector<bool>& done_;  // guarded by mu_
  Journal& journal_;         // the syncing thread; after it has ended, the caller
  const CopyOptions& options_;

  std::mutex mu_;  // guards everything below
  std::condition_variable room_, sync_, ended_;
  uint64_t next_chunk_;
  std::vector<std::unique_ptr<Window>> windows_;  // open: not all of it recorded
  Window* filling_ = nullptr;
  size_t next_in_window_ = 0;
  std::vector<Window*> complete_;  // written, to be synced
  uint64_t copied_bytes_ = 0;
  unsigned workers_ = 0;
  bool syncing_ = false;
  bool disk_failed_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<void> CopyChunks(const format::ChunkMap& map, const CopyWork& work, std::vector<bool>& done,
                        Journal& journal, const CopyOptions& options) {
  return CopyRun(map, work, done, journal, options).Run();
}

}  // namespace skerry::import
