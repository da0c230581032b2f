// gpt-oss's answers: messages of a header (role, receiver, channel) and a text, told apart by
// control tokens. The prompt ends behind the first role.
#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kReceiver = "to=";
constexpr std::string_view kFunctions = "functions.";
constexpr size_t kMaxHeader = 1024;

class HarmonyReader final : public AnswerReader {
 public:
  HarmonyReader(bool split_reasoning, bool calls, std::vector<OfferedTool> offered)
      : split_(split_reasoning), calls_(calls), offered_(std::move(offered)) {}

  Step Push(std::string_view text) override {
    Step step;
    size_t at = 0;
    for (; at < text.size() && (part_ == Part::kHeader || part_ == Part::kCall); ++at) {
      if (part_ == Part::kHeader) {
        FollowHeader(text[at], step);
      } else {
        FollowCall(text[at], step);
      }
    }
    if (at < text.size()) Say(text.substr(at), step);
    return step;
  }

  Step Mark(std::string_view token) override {
    Step step;
    if (token == "<|message|>") {
      if (part_ == Part::kHeader) BeginBody();
    } else if (token == "<|start|>" || token == "<|end|>") {
      EndMessage(step);
      role_given_ = token == "<|start|>";
    } else if (token == "<|channel|>") {
      // Behind a text that was not ended it begins a message of its own.
      if (part_ != Part::kHeader) EndMessage(step);
      Open(channel_);
    } else if (token == "<|constrain|>") {
      if (part_ == Part::kHeader) Open(type_);
    }
    return step;
  }

  Step Finish(bool cut) override {
    Step step;
    if (!cut) EndMessage(step);
    return step;
  }

 private:
  enum class Part { kHeader, kThoughts, kAnswer, kCall, kForOthers };

  // What follows in the header belongs to `part`.
  void Open(std::string& part) {
    if (!part.empty()) part += ' ';
    in_ = &part;
  }

  // The text of a header, or an answer that has none.
  void FollowHeader(char c, Step& step) {
    if (in_->size() < kMaxHeader) *in_ += c;
    if (role_given_ || in_ != &role_) return;
    const size_t at = role_.find_first_not_of(kSpace);
    if (at == std::string::npos) return;
    const std::string_view said = std::string_view(role_).substr(at);
    if (said.starts_with(kReceiver) || kReceiver.starts_with(said)) return;
    const std::string text(said);
    part_ = Part::kAnswer;
    Say(text, step);
  }

  void BeginBody() {
    const std::string role = Word(role_);
    const std::string channel = Word(channel_);
    std::string receiver = Receiver(role_);
    if (receiver.empty()) receiver = Receiver(channel_);
    if (receiver.starts_with(kFunctions)) receiver.erase(0, kFunctions.size());
    begun_ = false;
    if (!role.empty() && role != "assistant") {
      part_ = Part::kForOthers;
    } else if (calls_ && !receiver.empty() && offered_.Has(receiver)) {
      part_ = Part::kCall;
      name_ = std::move(receiver);
    } else {
      part_ = channel == "analysis" && split_ ? Part::kThoughts : Part::kAnswer;
    }
  }

  // The first word that names no receiver.
  static std::string Word(std::string_view text) { return FindWord(text, /*receiver=*/false); }
  static std::string Receiver(std::string_view text) {
    const std::string word = FindWord(text, /*receiver=*/true);
    return word.empty() ? word : word.substr(kReceiver.size());
  }
  static std::string FindWord(std::string_view text, bool receiver) {
    for (size_t at = text.find_first_not_of(kSpace); at != std::string_view::npos;
         at = text.find_first_not_of(kSpace, at)) {
      const size_t end = std::min(text.find_first_of(kSpace, at), text.size());
      const std::string_view word = text.substr(at, end - at);
      if (word.starts_with(kReceiver) == receiver) return std::string(word);
      at = end;
    }
    return "";
  }

  // Messages of one kind are paragraphs.
  void Say(std::string_view text, Step& step) {
    if (part_ == Part::kForOthers || text.empty()) return;
    const bool thought = part_ == Part::kThoughts;
    bool& any = thought ? any_thought_ : any_text_;
    std::string& out = thought ? step.reasoning : step.text;
    if (any && !begun_) out += "\n\n";
    any = begun_ = true;
    out += text;
  }

  void FollowCall(char c, Step& step) {
    if (called_ || (arguments_.empty() && IsJsonSpace(c))) return;
    arguments_ += c;
    if (arguments_[0] != '{' || arguments_.size() >= kMaxBytes) return GiveUp(step);
    if (!extent_.Ends(c)) return;
    if (!IsJsonObject(arguments_)) return GiveUp(step);
    step.calls.push_back({"", name_, std::exchange(arguments_, "")});
    called_ = true;
  }

  // What was no call is text, as is the rest of its message.
  void GiveUp(Step& step) {
    part_ = Part::kAnswer;
    Say(std::exchange(arguments_, ""), step);
  }

  void EndMessage(Step& step) {
    if (part_ == Part::kCall && !called_) {
      if (arguments_.empty()) {
        step.calls.push_back({"", name_, "{}"});
      } else {
        GiveUp(step);
      }
    }
    part_ = Part::kHeader;
    role_.clear();
    channel_.clear();
    type_.clear();
    in_ = &role_;
    role_given_ = false;
    called_ = false;
    arguments_.clear();
    extent_ = {};
  }

  const bool split_;
  const bool calls_;
  const Offered offered_;

  Part part_ = Part::kHeader;
  bool role_given_ = false;  // the header begins with a role
  std::string role_, channel_, type_;
  std::string* in_ = &role_;  // the part of the header that is read

  bool begun_ = false;  // this message has said something
  bool any_text_ = false;
  bool any_thought_ = false;

  std::string name_;
  std::string arguments_;
  JsonExtent extent_;
  bool called_ = false;
};

}  // namespace

std::unique_ptr<AnswerReader> MakeHarmonyReader(bool split_reasoning, bool calls,
                                                std::vector<OfferedTool> offered) {
  return std::make_unique<HarmonyReader>(split_reasoning, calls, std::move(offered));
}

}  // namespace skerry::engine::internal
