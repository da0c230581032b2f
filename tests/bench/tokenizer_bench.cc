// How fast a tokenizer is: tokenizer_bench PATH [MEGABYTES]. English text made of a fixed list of
// words, code-like text, and texts of the worst kind; one thread.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/load.h"

namespace {

using skerry::engine::LoadedTokenizer;
using skerry::engine::Tokenizer;

double Now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

constexpr std::string_view kStems[] = {
    "the",          "of",         "and",         "to",          "in",
    "that",         "is",         "was",         "he",          "for",
    "it",           "with",       "as",          "his",         "on",
    "be",           "at",         "by",          "had",         "not",
    "are",          "but",        "from",        "or",          "have",
    "an",           "they",       "which",       "one",         "you",
    "were",         "her",        "all",         "she",         "there",
    "would",        "their",      "we",          "him",         "been",
    "has",          "when",       "who",         "will",        "more",
    "no",           "if",         "out",         "so",          "said",
    "what",         "up",         "its",         "about",       "into",
    "than",         "them",       "can",         "only",        "other",
    "new",          "some",       "could",       "time",        "these",
    "two",          "may",        "then",        "do",          "first",
    "any",          "my",         "now",         "such",        "like",
    "our",          "over",       "man",         "me",          "even",
    "most",         "made",       "after",       "also",        "did",
    "many",         "before",     "must",        "through",     "back",
    "years",        "where",      "much",        "your",        "way",
    "well",         "down",       "should",      "because",     "each",
    "just",         "those",      "people",      "how",         "too",
    "little",       "state",      "good",        "very",        "make",
    "world",        "still",      "own",         "see",         "men",
    "work",         "long",       "get",         "here",        "between",
    "both",         "life",       "being",       "under",       "never",
    "day",          "same",       "another",     "know",        "while",
    "last",         "might",      "great",       "old",         "year",
    "off",          "come",       "since",       "against",     "go",
    "came",         "right",      "used",        "take",        "three",
    "states",       "himself",    "few",         "house",       "use",
    "during",       "without",    "again",       "place",       "around",
    "however",      "home",       "small",       "found",       "thought",
    "went",         "say",        "part",        "once",        "general",
    "high",         "upon",       "school",      "every",       "number",
    "server",       "network",    "machine",     "model",       "weights",
    "token",        "system",     "question",    "answer",      "program",
    "computer",     "language",   "memory",      "signature",   "verify",
    "appliance",    "release",    "customer",    "document",    "government",
    "development",  "experience", "information", "temperature", "responsibility",
    "understanding"};
constexpr std::string_view kEndings[] = {"", "", "", "", "", "s", "ed", "ing", "ly", "er"};

// Words as often as in a language: the n-th one in proportion to 1/n.
std::string English(size_t bytes) {
  std::mt19937 random(1);
  std::string text;
  text.reserve(bytes + 64);
  int in_sentence = 0;
  int in_paragraph = 0;
  while (text.size() < bytes) {
    const double u = static_cast<double>(random()) / 4294967296.0;
    const auto rank = static_cast<size_t>(std::exp(u * std::log(std::size(kStems) + 1.0))) - 1;
    std::string word(kStems[std::min(rank, std::size(kStems) - 1)]);
    if (word.size() > 3) word += kEndings[random() % std::size(kEndings)];
    if (in_sentence == 0) word[0] = static_cast<char>(word[0] - 32);
    if (random() % 60 == 0) word = std::to_string(random() % 3000);
    text += word;
    if (++in_sentence > 8 && random() % 8 == 0) {
      text += ".";
      in_sentence = 0;
      text += ++in_paragraph % 7 == 0 ? "\n\n" : " ";
    } else {
      text += random() % 12 == 0 ? ", " : " ";
    }
  }
  return text;
}

std::string Repeated(std::string_view part, size_t bytes) {
  std::string text;
  text.reserve(bytes + part.size());
  while (text.size() < bytes) text += part;
  return text;
}

void Measure(const Tokenizer& tokenizer, const char* name, const std::string& text, int rounds) {
  double best = 1e9;
  size_t ids = 0;
  for (int round = 0; round < rounds; ++round) {
    const double start = Now();
    ids = tokenizer.Encode(text).size();
    best = std::min(best, Now() - start);
  }
  std::printf("%-28s %8.1f MB/s  %6.2f bytes per token\n", name,
              static_cast<double>(text.size()) / best / 1e6,
              static_cast<double>(text.size()) / static_cast<double>(ids));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: tokenizer_bench PATH [MEGABYTES]\n");
    return 2;
  }
  const double start = Now();
  const auto loaded = skerry::engine::LoadTokenizer(argv[1]);
  if (!loaded) {
    std::fprintf(stderr, "tokenizer_bench: %s\n", loaded.error().message().c_str());
    return 1;
  }
  std::printf("%-28s %8.2f s\n", "loading", Now() - start);
  const Tokenizer& tokenizer = *loaded->tokenizer;
  const size_t bytes = static_cast<size_t>(argc > 2 ? std::atoi(argv[2]) : 8) << 20;
  constexpr size_t kMegabyte = 1 << 20;
  Measure(tokenizer, "English", English(bytes), 5);
  Measure(
      tokenizer, "code",
      Repeated("  if (state.count > 12) {\n    return Compute(state, \"key_name\");\n  }\n", bytes),
      3);
  Measure(tokenizer, "German and Chinese",
          Repeated("Gr\xC3\xB6\xC3\x9F"
                   "ere \xC3\x84nderungen f\xC3\xBCr \xE4\xBD\xA0\xE5\xA5\xBD\xEF\xBC\x8C"
                   "\xE4\xB8\x96\xE7\x95\x8C\xE3\x80\x82 ",
                   kMegabyte),
          3);
  Measure(tokenizer, "one word, 1 MB", std::string(kMegabyte, 'a'), 1);
  Measure(tokenizer, "spaces, 1 MB", std::string(kMegabyte, ' '), 1);
  Measure(tokenizer, "combining marks, 1 MB", Repeated("\xCC\x81\xCC\xA3", kMegabyte), 1);
  std::mt19937 random(2);
  std::string letters;
  while (letters.size() < kMegabyte) letters += static_cast<char>('a' + random() % 26);
  Measure(tokenizer, "random letters, 1 MB", letters, 1);
  return 0;
}
