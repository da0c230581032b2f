#include "engine/tokenizer/spm_model.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

// Field numbers of sentencepiece_model.proto.
constexpr uint32_t kModelPieces = 1;
constexpr uint32_t kModelTrainer = 2;
constexpr uint32_t kModelNormalizer = 3;
constexpr uint32_t kPieceText = 1;
constexpr uint32_t kPieceScore = 2;
constexpr uint32_t kPieceType = 3;
constexpr uint32_t kTrainerModelType = 3;
constexpr uint32_t kTrainerWhitespaceAsSuffix = 24;
constexpr uint32_t kTrainerByteFallback = 35;
constexpr uint32_t kTrainerUnkId = 40;
constexpr uint32_t kTrainerBosId = 41;
constexpr uint32_t kTrainerEosId = 42;
constexpr uint32_t kTrainerUnkSurface = 44;
constexpr uint32_t kNormalizerName = 1;
constexpr uint32_t kNormalizerCharsmap = 2;
constexpr uint32_t kNormalizerDummyPrefix = 3;
constexpr uint32_t kNormalizerRemoveSpaces = 4;
constexpr uint32_t kNormalizerEscapeSpaces = 5;

constexpr int kModelTypeUnigram = 1;
constexpr int kModelTypeBpe = 2;

struct Field {
  uint32_t number = 0;
  uint32_t wire = 0;       // 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes
  uint64_t value = 0;      // of wires 0, 1 and 5
  std::string_view bytes;  // of wire 2
};

// One message's fields in order.
class FieldReader {
 public:
  FieldReader(std::string_view bytes, size_t base) : bytes_(bytes), base_(base) {}

  bool AtEnd() const { return at_ == bytes_.size(); }

  Result<Field> Next() {
    const uint64_t key = TRY(Varint());
    Field field;
    if (key >> 3 == 0 || key >> 3 > (1u << 29) - 1) return Bad("field number out of range");
    field.number = static_cast<uint32_t>(key >> 3);
    field.wire = key & 7;
    switch (field.wire) {
      case 0:
        field.value = TRY(Varint());
        return field;
      case 1:
        field.value = TRY(Fixed(8));
        return field;
      case 2: {
        const uint64_t length = TRY(Varint());
        if (length > bytes_.size() - at_) return Bad("field longer than its message");
        field.bytes = bytes_.substr(at_, length);
        at_ += length;
        return field;
      }
      case 5:
        field.value = TRY(Fixed(4));
        return field;
      default:
        return Bad("wire type " + std::to_string(field.wire));
    }
  }

  // Offset in the file of what was read last.
  size_t offset() const { return base_ + at_; }

  Error Bad(const std::string& what) const {
    return Error(ErrorCode::kCorrupt,
                 "not a SentencePiece model: " + what + " at byte " + std::to_string(offset()));
  }

 private:
  Result<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (AtEnd()) return Bad("cut off");
      const auto byte = static_cast<uint8_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) return Bad("number beyond 64 bits");
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return Bad("number beyond 64 bits");
  }

  Result<uint64_t> Fixed(size_t size) {
    if (bytes_.size() - at_ < size) return Bad("cut off");
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes_[at_ + i])) << (8 * i);
    }
    at_ += size;
    return value;
  }

  std::string_view bytes_;
  size_t base_;
  size_t at_ = 0;
};

Result<void> Expect(const FieldReader& reader, const Field& field, uint32_t wire) {
  if (field.wire == wire) return {};
  return reader.Bad("field " + std::to_string(field.number) + " has wire type " +
                    std::to_string(field.wire));
}

bool IsValidUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind != Utf8Kind::kComplete) return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

Result<SpmPiece> ParsePiece(std::string_view bytes, size_t base) {
  FieldReader reader(bytes, base);
  SpmPiece piece;
  while (!reader.AtEnd()) {
    const Field field = TRY(reader.Next());
    if (field.number == kPieceText) {
      TRY(Expect(reader, field, 2));
      if (field.bytes.size() > SpmLimits::kMaxPieceBytes) return reader.Bad("piece too long");
      piece.text = std::string(field.bytes);
    } else if (field.number == kPieceScore) {
      TRY(Expect(reader, field, 5));
      piece.score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
    } else if (field.number == kPieceType) {
      TRY(Expect(reader, field, 0));
      if (field.value < 1 || field.value > 6) {
        return reader.Bad("piece of type " + std::to_string(field.value));
      }
      piece.type = static_cast<PieceType>(field.value);
      if (piece.type == PieceType::kUnused) {
        return Error(ErrorCode::kInvalidArgument,
                     "the SentencePiece model has pieces of the type 'unused', which are not "
                     "supported");
      }
    }
  }
  if (piece.text.empty() || !IsValidUtf8(piece.text)) return reader.Bad("piece is not text");
  if (std::isnan(piece.score)) return reader.Bad("score is not a number");
  return piece;
}

Result<void> ParseTrainer(std::string_view bytes, size_t base, SpmModel& model) {
  FieldReader reader(bytes, base);
  uint64_t model_type = 1;  // the format's default: unigram
  while (!reader.AtEnd()) {
    const Field field = TRY(reader.Next());
    switch (field.number) {
      case kTrainerModelType:
        TRY(Expect(reader, field, 0));
        model_type = field.value;
        break;
      case kTrainerWhitespaceAsSuffix:
        TRY(Expect(reader, field, 0));
        if (field.value != 0) {
          return Error(ErrorCode::kInvalidArgument,
                       "the SentencePiece model puts spaces behind words "
                       "(treat_whitespace_as_suffix), which is not supported");
        }
        break;
      case kTrainerByteFallback:
        TRY(Expect(reader, field, 0));
        model.byte_fallback = field.value != 0;
        break;
      case kTrainerUnkId:
      case kTrainerBosId:
      case kTrainerEosId: {
        TRY(Expect(reader, field, 0));
        const auto id = static_cast<int32_t>(static_cast<int64_t>(field.value));
        if (field.number == kTrainerUnkId) model.unk_id = id;
        if (field.number == kTrainerBosId) model.bos_id = id;
        if (field.number == kTrainerEosId) model.eos_id = id;
        break;
      }
      case kTrainerUnkSurface:
        TRY(Expect(reader, field, 2));
        if (field.bytes.size() > SpmLimits::kMaxPieceBytes) return reader.Bad("text too long");
        model.unknown_surface = std::string(field.bytes);
        break;
      default:
        break;
    }
  }
  model.kind = model_type == kModelTypeUnigram ? SpmKind::kUnigram : SpmKind::kBpe;
  if (model_type != kModelTypeBpe && model_type != kModelTypeUnigram) {
    static constexpr const char* kNames[] = {"?", "unigram", "bpe", "word", "char"};
    const std::string found = model_type < 5 ? kNames[model_type] : std::to_string(model_type);
    return Error(ErrorCode::kInvalidArgument, "the SentencePiece model is of type '" + found +
                                                  "'; only 'bpe' and 'unigram' are supported");
  }
  return {};
}

// `name`: what the normaliser is called.
Result<void> ParseNormalizer(std::string_view bytes, size_t base, SpmModel& model,
                             std::string& name) {
  FieldReader reader(bytes, base);
  while (!reader.AtEnd()) {
    const Field field = TRY(reader.Next());
    switch (field.number) {
      case kNormalizerName:
        TRY(Expect(reader, field, 2));
        name = std::string(field.bytes.substr(0, 64));
        break;
      case kNormalizerCharsmap:
        TRY(Expect(reader, field, 2));
        model.charsmap = std::string(field.bytes);
        break;
      case kNormalizerDummyPrefix:
        TRY(Expect(reader, field, 0));
        model.add_dummy_prefix = field.value != 0;
        break;
      case kNormalizerRemoveSpaces:
        TRY(Expect(reader, field, 0));
        model.remove_extra_whitespaces = field.value != 0;
        break;
      case kNormalizerEscapeSpaces:
        TRY(Expect(reader, field, 0));
        model.escape_whitespaces = field.value != 0;
        break;
      default:
        break;
    }
  }
  return {};
}

// Rules other than identity are compiled into the charsmap, which the unigram model applies.
Result<void> CheckNormalizer(const SpmModel& model, const std::string& name) {
  const bool identity = name.empty() || name == "identity";
  const bool bpe = model.kind == SpmKind::kBpe;
  if (identity ? model.charsmap.empty() || !bpe : !bpe && !model.charsmap.empty()) return {};
  return Error(ErrorCode::kInvalidArgument,
               "the SentencePiece model normalises text with '" + name + "'" +
                   (bpe ? "; only 'identity' is supported" : ", but has no table for it"));
}

Result<void> CheckIds(const SpmModel& model) {
  const auto size = static_cast<int32_t>(model.pieces.size());
  if (size == 0) return Error(ErrorCode::kCorrupt, "not a SentencePiece model: it has no pieces");
  for (const int32_t id : {model.unk_id, model.bos_id, model.eos_id}) {
    if (id >= size) {
      return Error(ErrorCode::kCorrupt, "SentencePiece model: special id " + std::to_string(id) +
                                            " is outside the vocabulary");
    }
  }
  return {};
}

}  // namespace

Result<SpmModel> ParseSpmModel(std::string_view bytes) {
  if (bytes.size() > SpmLimits::kMaxFileBytes) {
    return Error(ErrorCode::kExhausted,
                 "SentencePiece model of " + std::to_string(bytes.size()) + " bytes: too large");
  }
  SpmModel model;
  bool has_trainer = false;
  std::string normalizer;
  FieldReader reader(bytes, 0);
  while (!reader.AtEnd()) {
    const Field field = TRY(reader.Next());
    if (field.number > kModelNormalizer) continue;  // self test, denormaliser: not needed here
    TRY(Expect(reader, field, 2));
    const size_t base = reader.offset() - field.bytes.size();
    if (field.number == kModelPieces) {
      if (model.pieces.size() == SpmLimits::kMaxPieces) {
        return Error(ErrorCode::kExhausted, "SentencePiece model: too many pieces");
      }
      SpmPiece piece = TRY(ParsePiece(field.bytes, base));
      model.pieces.push_back(std::move(piece));
    } else if (field.number == kModelTrainer) {
      has_trainer = true;
      TRY(ParseTrainer(field.bytes, base, model));
    } else {
      TRY(ParseNormalizer(field.bytes, base, model, normalizer));
    }
  }
  if (!has_trainer) return reader.Bad("no trainer specification");
  TRY(CheckIds(model));
  TRY(CheckNormalizer(model, normalizer));
  return model;
}

int BytePieceValue(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'A' && c <= 'F')) return -1;
    value = value * 16 + (digit ? c - '0' : c - 'A' + 10);
  }
  return value;
}

}  // namespace skerry::engine
