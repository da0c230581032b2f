#include "bundler/inspect/pickle.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "bundler/inspect/internal/cursor.h"

namespace skerry::inspect {

namespace {

// Nothing but a pickle is walked so far; and the stack has at most one entry for each.
constexpr uint64_t kMaxOpcodes = 1 << 20;

// What an opcode takes from the file behind it.
enum class Argument { kNone, kBytes, kCounted, kLine, kString, kNames };
// What it does to the unpickler's stack.
enum class Effect {
  kNothing,
  kPush,
  kPushTuple,
  kMark,
  kPop,
  kPopMark,
  kDuplicate,
  kNeedOne,
  kReplace,  // pops `count`, pushes one
  kTuple,    // the same, a tuple
  kCollect,  // pops to the mark, pushes one
  kCollectTuple,
  kExtend,     // pops to the mark, needs one below
  kAdd,        // pops `count`, needs one below
  kCall,       // pops `count`, pushes the result
  kCallTuple,  // REDUCE: as kCall with 2, the upper a tuple
  kCallMark,   // pops to the mark, with at least `count` above it, pushes the result
  kStop,
};

struct Opcode {
  uint8_t code;
  Argument argument;
  uint8_t width;  // bytes of the argument or of its count
  Effect effect;
  uint8_t count;
  bool imports;
};

// Lib/pickletools.py of Python 3.12: all opcodes of protocols 0 to 5.
constexpr Opcode kOpcodes[] = {
    {'(', Argument::kNone, 0, Effect::kMark, 0, false},
    {'.', Argument::kNone, 0, Effect::kStop, 1, false},
    {'0', Argument::kNone, 0, Effect::kPop, 1, false},
    {'1', Argument::kNone, 0, Effect::kPopMark, 0, false},
    {'2', Argument::kNone, 0, Effect::kDuplicate, 0, false},
    {'F', Argument::kLine, 0, Effect::kPush, 0, false},
    {'I', Argument::kLine, 0, Effect::kPush, 0, false},
    {'J', Argument::kBytes, 4, Effect::kPush, 0, false},
    {'K', Argument::kBytes, 1, Effect::kPush, 0, false},
    {'L', Argument::kLine, 0, Effect::kPush, 0, false},
    {'M', Argument::kBytes, 2, Effect::kPush, 0, false},
    {'N', Argument::kNone, 0, Effect::kPush, 0, false},
    {'P', Argument::kLine, 0, Effect::kPush, 0, false},
    {'Q', Argument::kNone, 0, Effect::kReplace, 1, false},
    {'R', Argument::kNone, 0, Effect::kCallTuple, 2, false},
    {'S', Argument::kString, 0, Effect::kPush, 0, false},
    {'T', Argument::kCounted, 4, Effect::kPush, 0, false},
    {'U', Argument::kCounted, 1, Effect::kPush, 0, false},
    {'V', Argument::kLine, 0, Effect::kPush, 0, false},
    {'X', Argument::kCounted, 4, Effect::kPush, 0, false},
    {'B', Argument::kCounted, 4, Effect::kPush, 0, false},
    {'C', Argument::kCounted, 1, Effect::kPush, 0, false},
    {'G', Argument::kBytes, 8, Effect::kPush, 0, false},
    {'a', Argument::kNone, 0, Effect::kAdd, 1, false},
    {'b', Argument::kNone, 0, Effect::kCall, 2, false},
    {'c', Argument::kNames, 0, Effect::kPush, 0, true},
    {'d', Argument::kNone, 0, Effect::kCollect, 0, false},
    {'}', Argument::kNone, 0, Effect::kPush, 0, false},
    {'e', Argument::kNone, 0, Effect::kExtend, 0, false},
    {'g', Argument::kLine, 0, Effect::kPush, 0, false},
    {'h', Argument::kBytes, 1, Effect::kPush, 0, false},
    {'i', Argument::kNames, 0, Effect::kCallMark, 0, true},
    {'j', Argument::kBytes, 4, Effect::kPush, 0, false},
    {'l', Argument::kNone, 0, Effect::kCollect, 0, false},
    {']', Argument::kNone, 0, Effect::kPush, 0, false},
    {'o', Argument::kNone, 0, Effect::kCallMark, 1, false},
    {'p', Argument::kLine, 0, Effect::kNeedOne, 0, false},
    {'q', Argument::kBytes, 1, Effect::kNeedOne, 0, false},
    {'r', Argument::kBytes, 4, Effect::kNeedOne, 0, false},
    {'s', Argument::kNone, 0, Effect::kAdd, 2, false},
    {'t', Argument::kNone, 0, Effect::kCollectTuple, 0, false},
    {')', Argument::kNone, 0, Effect::kPushTuple, 0, false},
    {'u', Argument::kNone, 0, Effect::kExtend, 0, false},
    {0x80, Argument::kBytes, 1, Effect::kNothing, 0, false},
    {0x81, Argument::kNone, 0, Effect::kCall, 2, false},
    {0x82, Argument::kBytes, 1, Effect::kPush, 0, true},
    {0x83, Argument::kBytes, 2, Effect::kPush, 0, true},
    {0x84, Argument::kBytes, 4, Effect::kPush, 0, true},
    {0x85, Argument::kNone, 0, Effect::kTuple, 1, false},
    {0x86, Argument::kNone, 0, Effect::kTuple, 2, false},
    {0x87, Argument::kNone, 0, Effect::kTuple, 3, false},
    {0x88, Argument::kNone, 0, Effect::kPush, 0, false},
    {0x89, Argument::kNone, 0, Effect::kPush, 0, false},
    {0x8a, Argument::kCounted, 1, Effect::kPush, 0, false},
    {0x8b, Argument::kCounted, 4, Effect::kPush, 0, false},
    {0x8c, Argument::kCounted, 1, Effect::kPush, 0, false},
    {0x8d, Argument::kCounted, 8, Effect::kPush, 0, false},
    {0x8e, Argument::kCounted, 8, Effect::kPush, 0, false},
    {0x8f, Argument::kNone, 0, Effect::kPush, 0, false},
    {0x90, Argument::kNone, 0, Effect::kExtend, 0, false},
    {0x91, Argument::kNone, 0, Effect::kCollect, 0, false},
    {0x92, Argument::kNone, 0, Effect::kCall, 3, false},
    {0x93, Argument::kNone, 0, Effect::kReplace, 2, true},
    {0x94, Argument::kNone, 0, Effect::kNeedOne, 0, false},
    {0x95, Argument::kBytes, 8, Effect::kNothing, 0, false},
    {0x96, Argument::kCounted, 8, Effect::kPush, 0, false},
    {0x97, Argument::kNone, 0, Effect::kPush, 0, false},
    {0x98, Argument::kNone, 0, Effect::kNeedOne, 0, false},
};

const Opcode* FindOpcode(uint8_t code) {
  const auto at = std::find_if(std::begin(kOpcodes), std::end(kOpcodes),
                               [&](const Opcode& known) { return known.code == code; });
  return at == std::end(kOpcodes) ? nullptr : at;
}

class PickleWalk {
 public:
  PickleWalk(const File& file, uint64_t size) : cursor_(file, size) {}

  Result<bool> Run() {
    for (uint64_t opcodes = 0; Left() > 0; ++opcodes) {
      if (opcodes == kMaxOpcodes) return true;
      const uint64_t code = TRY(cursor_.Number(1));
      const Opcode* opcode = FindOpcode(static_cast<uint8_t>(code));
      if (opcode == nullptr) return false;
      const bool whole = TRY(SkipArgument(*opcode));
      if (!whole) return false;
      imports_ = imports_ || opcode->imports;
      calls_ = false;
      if (!Apply(*opcode)) return false;
      // What follows STOP is not read by an unpickler: it does not make the rest harmless.
      if (opcode->effect == Effect::kStop) return imports_;
      if (imports_ && calls_) return true;
    }
    return false;
  }

 private:
  // kAny: what GET, a persistent id or a call gave may be a tuple.
  enum class Item : uint8_t { kMark, kTuple, kAny, kOther };

  // False where an unpickler stops: nothing there to take.
  bool Apply(const Opcode& opcode) {
    switch (opcode.effect) {
      case Effect::kNothing:
        return true;
      case Effect::kPush:
        return Push(IsUnknown(opcode) ? Item::kAny : Item::kOther);
      case Effect::kPushTuple:
        return Push(Item::kTuple);
      case Effect::kMark:
        return Push(Item::kMark);
      case Effect::kPop:
        if (stack_.empty()) return false;
        stack_.pop_back();
        return true;
      case Effect::kPopMark:
        return PopToMark(0);
      case Effect::kDuplicate:
        return Has(1) && Push(stack_.back());
      case Effect::kNeedOne:
        return Has(1);
      case Effect::kReplace:
        return Pop(opcode.count) && Push(Item::kAny);
      case Effect::kTuple:
        return Pop(opcode.count) && Push(Item::kTuple);
      case Effect::kCollect:
        return PopToMark(0) && Push(Item::kOther);
      case Effect::kCollectTuple:
        return PopToMark(0) && Push(Item::kTuple);
      case Effect::kExtend:
        return PopToMark(0) && Has(1);
      case Effect::kAdd:
        return Pop(opcode.count) && Has(1);
      case Effect::kCallTuple:
        if (stack_.empty() || stack_.back() == Item::kOther) return false;
        [[fallthrough]];
      case Effect::kCall:
        calls_ = Pop(opcode.count) && Push(Item::kAny);
        return calls_;
      case Effect::kCallMark:
        calls_ = PopToMark(opcode.count) && Push(Item::kAny);
        return calls_;
      case Effect::kStop:
        return Has(1);
    }
    return false;
  }

  static bool IsUnknown(const Opcode& opcode) {
    constexpr std::string_view kOfUnknown = "ghjP";
    return opcode.imports || kOfUnknown.find(static_cast<char>(opcode.code)) != kOfUnknown.npos;
  }
  bool Push(Item item) {
    stack_.push_back(item);
    return true;
  }
  // `count` items above the last mark.
  bool Has(size_t count) const {
    if (stack_.size() < count) return false;
    return std::find(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end(), Item::kMark) ==
           stack_.end();
  }
  bool Pop(size_t count) {
    if (!Has(count)) return false;
    stack_.resize(stack_.size() - count);
    return true;
  }
  bool PopToMark(size_t least) {
    const auto mark = std::find(stack_.rbegin(), stack_.rend(), Item::kMark);
    if (mark == stack_.rend() || static_cast<size_t>(mark - stack_.rbegin()) < least) return false;
    stack_.erase(mark.base() - 1, stack_.end());
    return true;
  }

  uint64_t Left() const { return cursor_.size() - cursor_.position(); }

  // False for a malformed argument, or one that the file does not hold.
  Result<bool> SkipArgument(const Opcode& opcode) {
    switch (opcode.argument) {
      case Argument::kNone:
        return true;
      case Argument::kBytes:
        return SkipBytes(opcode.width);
      case Argument::kCounted: {
        if (Left() < opcode.width) return false;
        const uint64_t count = TRY(cursor_.Number(opcode.width));
        return SkipBytes(count);
      }
      case Argument::kString: {
        // Quotes around it, else an unpickler refuses it.
        const uint64_t first = Left() == 0 ? 0 : TRY(cursor_.Number(1));
        if (first != '\'' && first != '"') return false;
        return SkipLine(/*is_name=*/false);
      }
      case Argument::kLine:
        return SkipLine(/*is_name=*/false);
      case Argument::kNames: {
        const bool module = TRY(SkipLine(/*is_name=*/true));
        if (!module) return false;
        return SkipLine(/*is_name=*/true);
      }
    }
    return false;
  }

  Result<bool> SkipBytes(uint64_t count) {
    if (count > Left()) return false;
    TRY(cursor_.Skip(count));
    return true;
  }

  // Past the next line feed. `is_name`: only if the line can be the name of a Python module or
  // attribute.
  Result<bool> SkipLine(bool is_name) {
    for (bool empty = true; Left() > 0; empty = false) {
      const uint64_t c = TRY(cursor_.Number(1));
      if (c == '\n') return !(is_name && empty);
      const bool in_names = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '_' || c == '.' || c >= 0x80;
      if (is_name && !in_names) return false;
    }
    return false;
  }

  internal::Cursor cursor_;
  bool imports_ = false;
  bool calls_ = false;  // the opcode that was applied last does
  std::vector<Item> stack_;
};

}  // namespace

Result<bool> IsPickle(const File& file) {
  const uint64_t size = TRY(file.Size());
  uint8_t first[2] = {};
  const size_t got = TRY(file.ReadAt(0, first));
  // PROTO, then an opcode: protocols 2 to 5 begin so, PyTorch's legacy format too.
  if (got == 2 && first[0] == 0x80 && first[1] <= 5) return true;
  PickleWalk walk(file, size);
  return walk.Run();
}

}  // namespace skerry::inspect
