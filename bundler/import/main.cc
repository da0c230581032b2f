// The program skerry-import: has a connection as descriptor 0, imports one bundle into a data
// directory and ends. It parses bytes from a medium, so it shuts itself in before it reads any.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>

#include "bundler/import/sandbox.h"
#include "bundler/import/session.h"
#include "bundler/import/staging.h"

namespace skerry::import {
namespace {

constexpr int kConnection = 0;

Result<void> Run(const std::string& data_directory) {
  TRY(DropInherited());
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(data_directory));
  const trust::TrustState trust = TRY(trust::LoadTrust(*files));
  TRY(MakeStaging(*files));
  TRY(EnterSandbox(data_directory));
  RealStagingLocks locks(data_directory);
  const Result<void> served = ServeImport(kConnection, *files, locks, trust, data_directory);
  // The client has the error already.
  return served ? Result<void>() : Error(ErrorCode::kCancelled, served.error().message());
}

int Main(int argc, char** argv) {
  if (argc != 3 || std::string(argv[1]) != "--data") {
    std::cerr
        << "skerry-import: usage: skerry-import --data DIR, with a connection as descriptor 0 "
           "('skerry import' starts it)"
        << std::endl;
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(0022);
  const Result<void> result = Run(argv[2]);
  if (result) return 0;
  if (result.error().code() != ErrorCode::kCancelled) SendError(kConnection, result.error());
  std::cerr << "skerry-import: " << result.error().message() << std::endl;
  return 1;
}

}  // namespace
}  // namespace skerry::import

int main(int argc, char** argv) {
  // Without the C library's end: nothing is left to do, and the leak checker of debug builds wants
  // a call that the sandbox denies.
  ::_exit(skerry::import::Main(argc, argv));
}
