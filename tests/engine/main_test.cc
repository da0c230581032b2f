// The program from outside: exit codes, error lines, a served answer, a clean stop.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "appliance/http/client.h"

namespace skerry {
namespace {

constexpr const char* kEngine = SKERRY_BIN_DIR "/skerry-engine";
constexpr const char* kModel = SKERRY_SOURCE_DIR "/installer/demo-model/model";

class EngineProgram : public ::testing::Test {
 protected:
  pid_t Start(std::vector<std::string> words, const std::string& input = "") {
    std::ofstream(directory_.path() + "/in") << input;
    const auto open = [&](const char* name, int flags) {
      return UniqueFd(::open((directory_.path() + name).c_str(), flags, 0600));
    };
    const UniqueFd in = open("/in", O_RDONLY);
    const UniqueFd out = open("/out", O_WRONLY | O_CREAT | O_TRUNC);
    const UniqueFd err = open("/err", O_WRONLY | O_CREAT | O_TRUNC);
    SpawnOptions options;
    options.argv = {kEngine};
    options.argv.insert(options.argv.end(), words.begin(), words.end());
    options.fds = {{in.get(), 0}, {out.get(), 1}, {err.get(), 2}};
    return Spawn(options).value();
  }
  int Finish(const std::vector<std::string>& words, const std::string& input = "") {
    const auto state = WaitForExit(Start(words, input), 60'000).value();
    return state && !state->signalled ? state->code : -1;
  }
  std::string Output() { return Read("/out"); }
  std::string Errors() { return Read("/err"); }
  std::string Read(const char* name) {
    std::ostringstream text;
    text << std::ifstream(directory_.path() + name).rdbuf();
    return text.str();
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(EngineProgram, UsageIs2AndFailuresAre1WithOneLine) {
  struct Case {
    std::vector<std::string> words;
    int status;
    std::string expected;
  };
  const std::string socket = "unix:" + directory_.path() + "/s";
  const auto taken = ListenUnix(directory_.path() + "/taken");
  ASSERT_TRUE(taken);
  std::ofstream(directory_.path() + "/not-a-model.gguf") << "hello";
  const Case cases[] = {
      {{}, 2, "--model"},
      {{"--model", kModel}, 2, "--listen"},
      {{"--model", kModel, "--listen", "0.0.0.0:80"}, 2, "0.0.0.0:80"},
      {{"--model", kModel, "--listen", socket, "--nonsense"}, 2, "nonsense"},
      {{"--model", kModel, "--listen", socket, "--tensor-parallel-size", "2"},
       2,
       "tensor-parallel-size"},
      {{"--model", kModel, "--listen", socket, "--tool-call-parser", "pythonic"}, 2, "pythonic"},
      {{"--model", "/nonexistent", "--listen", socket}, 1, "/nonexistent"},
      {{"--model", directory_.path() + "/not-a-model.gguf", "--listen", socket}, 1, "not-a-model"},
      {{"--model", kModel, "--listen", "unix:" + directory_.path() + "/taken"}, 1, "taken"},
      {{"--model", kModel, "--listen", socket, "--max-model-len", "4096"}, 1, "2048"},
      {{"--model", kModel, "--listen", socket, "--kv-cache-memory-bytes", "100"},
       1,
       "--max-model-len"},
      {{"tokenize", "--model", "/nonexistent"}, 1, "/nonexistent"},
  };
  for (const Case& c : cases) {
    const int status = Finish(c.words);
    const std::string errors = Errors();
    EXPECT_EQ(status, c.status) << errors;
    EXPECT_NE(errors.find(c.expected), std::string::npos) << errors;
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
    EXPECT_TRUE(errors.starts_with("skerry-engine: ")) << errors;
    struct stat info {};
    EXPECT_NE(::stat((directory_.path() + "/s").c_str(), &info), 0) << "socket left behind";
  }
}

TEST_F(EngineProgram, TokenizeAndLogits) {
  ASSERT_EQ(Finish({"tokenize", "--model", kModel}, "What is Skerry?"), 0) << Errors();
  EXPECT_EQ(Output(), "[533,324,567,1000]\n");
  ASSERT_EQ(Finish({"tokenize", "--model", kModel, "--json"}, R"(["Hello!"])"), 0) << Errors();
  EXPECT_EQ(Output(), "[[830,337,1016]]\n");
  ASSERT_EQ(
      Finish({"logits", "--model", kModel, "--tokens", "1 3 830 337 1016 4", "--greedy", "2"}), 0);
  EXPECT_NE(Output().find("\"greedy\":[830,337]"), std::string::npos);
}

TEST_F(EngineProgram, ServesAndStopsCleanly) {
  const std::string socket = directory_.path() + "/s";
  const pid_t pid = Start({"--model", kModel, "--listen", "unix:" + socket, "--served-model-name",
                           "demo", "--enable-auto-tool-choice", "--tool-call-parser", "mistral",
                           "--gpu-memory-utilization", "0.9", "--max-model-len", "1024"});
  http::ClientRequest health;
  health.target = "/health";
  int status = 0;
  for (int i = 0; i < 600 && status != 200; ++i) {
    const auto reply = http::FetchUnix(socket, health);
    status = reply ? reply->status : 0;
    // The program has no other way to tell a test that it is ready.
    if (status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_EQ(status, 200) << Errors();
  http::ClientRequest ask;
  ask.method = "POST";
  ask.target = "/v1/chat/completions";
  ask.body = R"({"model":"demo","messages":[{"role":"user","content":"What is 3 plus 4?"}]})";
  const auto reply = http::FetchUnix(socket, ask);
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->status, 200);
  EXPECT_NE(reply->body.find("3 plus 4 is 7."), std::string::npos) << reply->body;
  const auto state = StopProcess(pid, 20'000);
  ASSERT_TRUE(state);
  EXPECT_FALSE(state->signalled);
  EXPECT_EQ(state->code, 0) << Errors();
  struct stat info {};
  EXPECT_NE(::stat(socket.c_str(), &info), 0);
}

TEST_F(EngineProgram, EmbeddingModelsNeedATokenizerToBeServed) {
  const std::string model =
      std::string(SKERRY_SOURCE_DIR) + "/tests/engine/oracle/models/bert-cls/hf";
  EXPECT_EQ(Finish({"--model", model, "--listen", "127.0.0.1:0"}), 1);
  EXPECT_NE(Errors().find("tokenizer"), std::string::npos) << Errors();
  ASSERT_EQ(Finish({"embed", "--model", model, "--tokens", "2 5 9"}), 0) << Errors();
  EXPECT_NE(Output().find(R"({"tokens":[2,5,9],"embedding":[)"), std::string::npos) << Output();
}

TEST_F(EngineProgram, CapabilitiesNameWhatLoads) {
  ASSERT_EQ(Finish({"capabilities", "--json"}), 0) << Errors();
  for (const char* text :
       {R"("gguf":["llama","mistral3","qwen2","qwen3","qwen3moe","gemma3","gpt-oss","bert"])",
        R"("huggingface":["llama","mistral","mistral3","ministral3","mixtral",)",
        R"("mistral":["mistral"])", R"("tensor_types":["F32","F16","BF16",)", R"("format":1)",
        R"("version":")"}) {
    EXPECT_NE(Output().find(text), std::string::npos) << Output();
  }
}

}  // namespace
}  // namespace skerry
