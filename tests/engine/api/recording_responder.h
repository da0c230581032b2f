// A client of a reply that remembers what it was sent.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "appliance/http/server.h"

namespace skerry::engine::testing {

class RecordingResponder : public http::Responder {
 public:
  void Send(http::Response response) override { sent.push_back(std::move(response)); }
  void Start(int, http::HeaderList) override { started = true; }
  size_t Write(std::string bytes) override {
    writes.push_back(std::move(bytes));
    return backlog;
  }
  void Finish(http::HeaderList its_trailers) override {
    finished = true;
    trailers = std::move(its_trailers);
  }
  void Abort() override { aborted = true; }
  bool ClientGone() const override { return gone; }
  void OnClientGone(std::function<void()>) override {}

  std::vector<http::Response> sent;
  std::vector<std::string> writes;
  http::HeaderList trailers;
  bool started = false, finished = false, aborted = false, gone = false;
  size_t backlog = 0;
};

}  // namespace skerry::engine::testing
