// How fast masks are: grammar_bench TOKENIZER [WALKS]. For each of some grammars: the time to
// compile it, then masks along random texts that obey it, first with nothing remembered (a grammar
// seen for the first time), then again with what the first round left behind. Times are those of
// the processor.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <time.h>

#include "engine/grammar/answer.h"
#include "engine/grammar/grammar.h"
#include "engine/grammar/json_schema.h"
#include "engine/grammar/matcher.h"
#include "engine/grammar/regex_grammar.h"
#include "engine/tokenizer/load.h"

namespace {

using namespace skerry::engine;
using skerry::Result;

// Seconds that this thread has run: what else the machine does is not counted.
double Now() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Case {
  std::string name;
  std::function<Result<Grammar>()> compile;
};

std::string Enumeration(int n) {
  std::string text = R"({"type":"object","properties":{"city":{"enum":[)";
  for (int i = 0; i < n; ++i) {
    text += (i > 0 ? "," : "");
    text += "\"value " + std::to_string(i * 7919 % 100003) + " of the list\"";
  }
  return text + R"(]}},"required":["city"]})";
}

std::vector<Case> Cases() {
  const auto schema = [](std::string text) {
    return [text = std::move(text)] { return CompileJsonSchema(text); };
  };
  return {
      {"flat tool arguments",
       schema(R"({"type":"object","properties":{"query":{"type":"string"},"size":{"type":"integer",
         "minimum":1,"maximum":1000},"sort":{"enum":["asc","desc"]},"exact":{"type":"boolean"}},
         "required":["query"]})")},
      {"nested", schema(R"({"type":"object","properties":{"user":{"type":"object","properties":{
         "name":{"type":"string","maxLength":40},"mail":{"type":"string","format":"email"},
         "address":{"type":"object","properties":{"street":{"type":"string"},
         "zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["street","zip"]}},
         "required":["name","address"]},"at":{"type":"string","format":"date-time"}},
         "required":["user","at"]})")},
      {"arrays",
       schema(R"({"type":"object","properties":{"rows":{"type":"array","minItems":1,"maxItems":50,
         "items":{"type":"object","properties":{"id":{"type":"integer"},"score":{"type":"number"},
         "tags":{"type":"array","items":{"type":"string"}}},"required":["id","score","tags"]}}},
         "required":["rows"]})")},
      {"1000 values", schema(Enumeration(1000))},
      {"recursive",
       schema(R"({"$defs":{"node":{"type":"object","properties":{"name":{"type":"string"},
         "children":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["name"]}},
         "$ref":"#/$defs/node"})")},
      {"additional properties",
       schema(R"({"type":"object","properties":{"id":{"type":"string"}},"required":["id"],
         "additionalProperties":{"type":["string","number","null"]}})")},
      {"bounded string", schema(R"({"type":"string","minLength":10,"maxLength":400})")},
      {"any JSON object", [] { return CompileAnyJsonObject(); }},
      {"regex", [] { return CompileRegex("[A-Za-z_][A-Za-z0-9_-]{0,63}(\\.[a-z]{2,10}){1,3}"); }},
      {"text, or calls of two tools",
       [] {
         AnswerShape shape;
         shape.thoughts_end = {{false, "</think>"}};
         shape.thoughts_begin = {{false, "<think>"}};
         shape.calls.emplace();
         shape.calls->begin = {{false, "<tool_call>"}};
         shape.calls->separator = {{false, "\n<tool_call>"}};
         for (const char* name : {"search", "fetch"}) {
           shape.calls->tools.push_back(
               {{{false, std::string("\n{\"name\": \"") + name + "\", \"arguments\": "}},
                R"({"type":"object","properties":{"query":{"type":"string"}},"required":["query"]})",
                {{false, "}\n</tool_call>"}}});
         }
         return CompileAnswer(shape);
       }},
      {"choice",
       [] {
         const std::vector<std::string> choices = {"positive", "negative", "neutral", "mixed"};
         return CompileChoice(choices);
       }},
  };
}

struct Times {
  std::vector<double> us;

  void Print(const char* label) {
    if (us.empty()) return;
    std::ranges::sort(us);
    double sum = 0;
    for (const double t : us) sum += t;
    std::printf("  %-6s %7zu masks  mean %7.2f  p50 %7.2f  p99 %8.2f  max %8.2f us\n", label,
                us.size(), sum / static_cast<double>(us.size()), us[us.size() / 2],
                us[us.size() * 99 / 100], us.back());
  }
};

// A token of the mask: any one, but mostly a stop token where one may come, so that texts end.
TokenId Pick(const std::vector<uint32_t>& words, const TokenVocabulary& vocabulary, int step,
             std::mt19937& random) {
  const TokenId stop = vocabulary.stop_tokens().front();
  const bool can_stop = words[static_cast<size_t>(stop) / 32] >> (stop % 32) & 1;
  if (can_stop && random() % 8 == 0) return stop;
  // Short texts end more often than a uniform choice would have it: look for a few, take the one
  // with fewer bytes once in a while.
  TokenId best = -1;
  for (int tries = 0; tries < 3; ++tries) {
    const size_t start = random() % words.size();
    for (size_t i = 0; i < words.size(); ++i) {
      const uint32_t word = words[(start + i) % words.size()];
      if (word == 0) continue;
      uint32_t bits = word;
      for (uint32_t skip = random() % static_cast<uint32_t>(__builtin_popcount(word)); skip > 0;
           --skip) {
        bits &= bits - 1;
      }
      const auto token =
          static_cast<TokenId>((start + i) % words.size() * 32 + __builtin_ctz(bits));
      if (best < 0 || vocabulary.Bytes(token).size() < vocabulary.Bytes(best).size()) best = token;
      break;
    }
    if (step < 200) break;
  }
  return best;
}

// Closes what is open now and then: the quote and the brackets are a few of many tokens.
TokenId PickClosing(const std::vector<uint32_t>& words, const std::vector<TokenId>& closing,
                    std::mt19937& random) {
  if (random() % 6 != 0) return -1;
  const TokenId token = closing[random() % closing.size()];
  return words[static_cast<size_t>(token) / 32] >> (token % 32) & 1 ? token : -1;
}

void Walk(const std::shared_ptr<Constraint>& constraint, const std::vector<TokenId>& closing,
          uint32_t seed, Times& times) {
  std::mt19937 random(seed);
  const TokenVocabulary& vocabulary = constraint->vocabulary();
  std::vector<uint32_t> words(vocabulary.mask_words());
  Matcher matcher(constraint);
  for (int step = 0; step < 400 && !matcher.Ended(); ++step) {
    const double start = Now();
    const bool possible = matcher.FillMask(words);
    times.us.push_back((Now() - start) * 1e6);
    if (!possible) std::abort();
    TokenId token = PickClosing(words, closing, random);
    if (token < 0) token = Pick(words, vocabulary, step, random);
    if (!matcher.Accept(token)) std::abort();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: grammar_bench TOKENIZER [WALKS]\n");
    return 2;
  }
  const auto loaded = LoadTokenizer(argv[1]);
  if (!loaded) {
    std::fprintf(stderr, "grammar_bench: %s\n", loaded.error().message().c_str());
    return 1;
  }
  const uint32_t n_walks = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 20;
  std::vector<TokenId> stops = loaded->stop_tokens;
  if (stops.empty()) stops.push_back(loaded->tokenizer->eos().value_or(0));
  double start = Now();
  auto made = TokenVocabulary::Create(*loaded->tokenizer, stops, loaded->tokenizer->vocab_size());
  if (!made) {
    std::fprintf(stderr, "grammar_bench: %s\n", made.error().message().c_str());
    return 1;
  }
  std::printf("%d tokens; vocabulary prepared in %.0f ms\n", made->n_tokens(),
              (Now() - start) * 1e3);
  const auto vocabulary = std::make_shared<const TokenVocabulary>(std::move(made).value());
  std::vector<TokenId> closing;
  for (const char* text : {"\"", "}", "]", "\"}", ","}) {
    const std::vector<TokenId> ids = loaded->tokenizer->Encode(text);
    if (ids.size() == 1) closing.push_back(ids[0]);
  }
  if (closing.empty()) closing.push_back(stops[0]);
  Times first;
  Times again;
  for (const Case& one : Cases()) {
    start = Now();
    const Result<Grammar> grammar = one.compile();
    const double compiled_ms = (Now() - start) * 1e3;
    if (!grammar) {
      std::fprintf(stderr, "grammar_bench: %s: %s\n", one.name.c_str(),
                   grammar.error().message().c_str());
      return 1;
    }
    const auto constraint = std::make_shared<Constraint>(*grammar, vocabulary);
    std::printf("%s: compiled in %.2f ms, %zu states\n", one.name.c_str(), compiled_ms,
                grammar->n_states());
    for (const auto& [label, all] : {std::pair{"first", &first}, std::pair{"again", &again}}) {
      Times times;
      for (uint32_t seed = 1; seed <= n_walks; ++seed) Walk(constraint, closing, seed, times);
      all->us.insert(all->us.end(), times.us.begin(), times.us.end());
      times.Print(label);
    }
    std::printf("  %.1f MB remembered\n", static_cast<double>(constraint->Bytes()) / 1e6);
  }
  std::printf("all\n");
  first.Print("first");
  again.Print("again");
  return 0;
}
