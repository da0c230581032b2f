// Runs a fuzz target without libFuzzer: its corpus first, then mutations of it for a while, the
// same ones every time. Usage: TARGET SECONDS CORPUS_DIRECTORY. A failure is a crash (abort,
// sanitizer); the input that was tried last then lies in TARGET.crash in the working directory.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMaxInputBytes = 64 << 10;
constexpr char kTokens[] = "{}[]\",:0123456789abcdefGUF./\n\0\xff\x80";

std::string current_input;
std::string crash_name;

void WriteCrash() {
  const int fd = ::open(crash_name.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return;
  (void)!::write(fd, current_input.data(), current_input.size());
  ::close(fd);
}

void OnSignal(int number) {
  WriteCrash();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void Try(std::string input) {
  current_input = std::move(input);
  // A copy of exactly this size, so that a read behind its end is found.
  const std::vector<uint8_t> bytes(current_input.begin(), current_input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string Mutated(const std::vector<std::string>& corpus, std::mt19937_64& random) {
  std::string input = corpus[random() % corpus.size()];
  for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
    const size_t at = input.empty() ? 0 : random() % input.size();
    switch (random() % 7) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << (random() % 8)));
        break;
      case 1:
        if (!input.empty()) input[at] = static_cast<char>(random());
        break;
      case 2:
        input.insert(at, 1, kTokens[random() % sizeof kTokens]);
        break;
      case 3:
        input.erase(at, 1 + random() % 16);
        break;
      case 4:
        input.insert(at, input.substr(at / 2, 1 + random() % 64));
        break;
      case 5: {
        const std::string& other = corpus[random() % corpus.size()];
        input = input.substr(0, at) + other.substr(std::min(at, other.size()));
        break;
      }
      default: {
        const uint64_t numbers[] = {0,          ~uint64_t{0}, uint64_t{1} << 63,
                                    0x7fffffff, 0xffffffff,   random() % 256};
        const uint64_t number = numbers[random() % std::size(numbers)];
        for (size_t i = 0; i < 8 && at + i < input.size(); ++i) {
          input[at + i] = static_cast<char>(number >> (8 * i));
        }
      }
    }
  }
  input.resize(std::min(input.size(), kMaxInputBytes));
  return input;
}

std::vector<std::string> ReadCorpus(const std::string& directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s SECONDS CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  crash_name = std::filesystem::path(argv[0]).filename().string() + ".crash";
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::signal(number, OnSignal);
  const std::vector<std::string> corpus = ReadCorpus(argv[2]);
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus in '%s'\n", argv[2]);
    return 1;
  }
  for (const std::string& input : corpus) Try(input);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  std::mt19937_64 random(1);
  uint64_t runs = corpus.size();
  for (; std::chrono::steady_clock::now() < end; ++runs) Try(Mutated(corpus, random));
  std::printf("%s: %zu inputs of the corpus, %llu runs\n", argv[0], corpus.size(),
              static_cast<unsigned long long>(runs));
  return 0;
}
