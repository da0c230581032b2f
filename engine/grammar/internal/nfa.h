// A compiled grammar: states joined by edges over bytes, and calls. A call goes to another part of
// the automaton and comes back, so that recursion and counting need a stack but few states.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace skerry::engine::internal {

// Bytes that UTF-8 never has stand around the name of a control token: in a grammar such a token is
// the text kControlBegin NAME kControlEnd, which no ordinary token can imitate.
inline constexpr uint8_t kControlBegin = 0xFF;
inline constexpr uint8_t kControlEnd = 0xFE;
inline constexpr uint8_t kLastTextByte = 0xF7;

// Immutable, thread-safe.
struct Nfa {
  static constexpr uint32_t kInfinite = ~uint32_t{0};

  struct ByteEdge {
    uint8_t first = 0;
    uint8_t last = 0;
    uint32_t target = 0;
  };
  // Goes from `start` to an end state, from `least` to `most` times, and then on to `target`.
  struct Call {
    uint32_t start = 0;
    uint32_t target = 0;
    uint32_t least = 1;
    uint32_t most = 1;
    bool tail = false;  // once, and nothing comes behind it: needs no frame of its own
  };
  struct State {
    uint32_t first_byte = 0, n_bytes = 0;   // in byte_edges
    uint32_t first_empty = 0, n_empty = 0;  // in empty_edges
    uint32_t first_call = 0, n_calls = 0;   // in call_edges
    uint32_t height = kInfinite;  // frames that must still be pushed to come to an end state
    bool end = false;
  };

  std::vector<State> states;
  std::vector<ByteEdge> byte_edges;
  std::vector<uint32_t> empty_edges;  // targets
  std::vector<uint32_t> call_edges;   // numbers of calls
  std::vector<Call> calls;
  uint32_t start = 0;

  // Bytes that no edge tells apart have one class.
  std::array<uint8_t, 256> class_of{};
  std::vector<uint8_t> byte_of_class;  // one of each
  std::vector<uint16_t> class_sizes;
  uint32_t n_classes() const { return static_cast<uint32_t>(byte_of_class.size()); }
};

}  // namespace skerry::engine::internal
