// SPDX-License-Identifier: Apache-2.0
// The load client on gRPC C++, asynchronous, one completion queue and one thread: the same options and the same output as
// rpc_bench_client (modes unary and stream). --ca=FILE: over TLS, the server's name being localhost.
#include <dirent.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "echo.grpc.pb.h"

using plankton::bench::Echo;
using plankton::bench::EchoReply;
using plankton::bench::EchoRequest;

namespace {
uint64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

uint64_t CpuNs(unsigned pid) {
  std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  uint64_t sum = 0;
  DIR* dir = opendir(tasks.c_str());
  if (!dir) return 0;
  while (dirent* entry = readdir(dir)) {
    uint64_t ns = 0;
    if (entry->d_name[0] == '.') continue;
    std::ifstream(tasks + "/" + entry->d_name + "/schedstat") >> ns;
    sum += ns;
  }
  closedir(dir);
  return sum;
}

struct Bench {
  unsigned connections = 1, outstanding = 1, seconds = 2, bytes = 62, pid = 0;
  bool stream = false, measuring = false;
  std::string address, ca;
  EchoRequest request;
  grpc::CompletionQueue queue;
  std::vector<uint32_t> latencies_us;
  size_t failed = 0;

  void Count(uint64_t began_us, bool ok) {
    if (!measuring) return;
    if (ok)
      latencies_us.push_back(static_cast<uint32_t>(NowUs() - began_us));
    else
      failed++;
  }
};

struct Step {
  virtual ~Step() = default;
  virtual void Proceed(bool ok) = 0;
};

class UnaryCall final : public Step {
 public:
  UnaryCall(Bench* bench, Echo::Stub* stub) : bench_(bench), stub_(stub) { Start(); }
  void Proceed(bool ok) override {
    bench_->Count(began_us_, ok && status_.ok());
    if (!status_.ok()) return;
    Start();
  }

 private:
  void Start() {
    context_ = std::make_unique<grpc::ClientContext>();
    began_us_ = NowUs();
    reader_ = stub_->AsyncUnary(context_.get(), bench_->request, &bench_->queue);
    reader_->Finish(&reply_, &status_, this);
  }
  Bench* bench_;
  Echo::Stub* stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<EchoReply>> reader_;
  EchoReply reply_;
  grpc::Status status_;
  uint64_t began_us_ = 0;
};

// One operation of each kind may be under way at a time, so writes wait in a queue of their own.
class StreamCall {
 public:
  StreamCall(Bench* bench, Echo::Stub* stub) : bench_(bench), write_(this), read_(this), waiting_(bench->outstanding) {
    stream_ = stub->AsyncStream(&context_, &bench->queue, &write_);
  }

 private:
  struct Write final : Step {
    explicit Write(StreamCall* call) : call(call) {}
    void Proceed(bool ok) override {
      if (!ok) {
        call->bench_->failed++;
        return;
      }
      if (!call->started_) {
        call->started_ = true;
        call->stream_->Read(&call->reply_, &call->read_);
      }
      call->writing_ = false;
      call->MaybeWrite();
    }
    StreamCall* call;
  };
  struct Read final : Step {
    explicit Read(StreamCall* call) : call(call) {}
    void Proceed(bool ok) override {
      if (!ok) return;
      call->bench_->Count(call->began_us_.front(), true);
      call->began_us_.pop_front();
      call->waiting_++;
      call->stream_->Read(&call->reply_, this);
      call->MaybeWrite();
    }
    StreamCall* call;
  };
  void MaybeWrite() {
    if (writing_ || waiting_ == 0) return;
    waiting_--;
    writing_ = true;
    began_us_.push_back(NowUs());
    stream_->Write(bench_->request, &write_);
  }
  Bench* bench_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<EchoRequest, EchoReply>> stream_;
  Write write_;
  Read read_;
  EchoReply reply_;
  std::deque<uint64_t> began_us_;
  unsigned waiting_;
  bool started_ = false, writing_ = true;
};

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Parse(Bench* bench, int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    std::string arg = argv[i];
    auto number = [&](const char* name, unsigned* value) {
      if (arg.rfind(name, 0) == 0) *value = std::stoul(arg.substr(std::strlen(name)));
    };
    number("--connections=", &bench->connections);
    number("--outstanding=", &bench->outstanding);
    number("--seconds=", &bench->seconds);
    number("--bytes=", &bench->bytes);
    number("--pid=", &bench->pid);
    if (arg == "--mode=stream") bench->stream = true;
    if (arg.rfind("--ca=", 0) == 0) bench->ca = arg.substr(5);
    if (arg.rfind("--", 0) != 0) bench->address = arg;
  }
}

std::unique_ptr<Echo::Stub> Connect(const Bench& bench) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all channels share one connection
  args.SetMaxReceiveMessageSize(64 << 20);
  auto credentials = grpc::InsecureChannelCredentials();
  if (!bench.ca.empty()) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Contents(bench.ca);
    credentials = grpc::SslCredentials(options);
    args.SetSslTargetNameOverride("localhost");
  }
  auto channel = grpc::CreateCustomChannel(bench.address, credentials, args);
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5));
  return Echo::NewStub(channel);
}
}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  Parse(&bench, argc, argv);
  bench.request.set_id("0199c0de-0000-7000-8000-000000000002");
  bench.request.set_payload(std::string(bench.bytes, '\0'));
  bench.latencies_us.reserve(4000000);
  std::vector<std::unique_ptr<Echo::Stub>> stubs;
  for (unsigned c = 0; c < bench.connections; c++) {
    stubs.push_back(Connect(bench));
    if (bench.stream)
      new StreamCall(&bench, stubs.back().get());
    else
      for (unsigned i = 0; i < bench.outstanding; i++) new UnaryCall(&bench, stubs.back().get());
  }
  uint64_t began_us = NowUs(), until_us = began_us + 300000, server_ns = 0, own_ns = 0;
  void* tag;
  bool ok;
  while (bench.queue.Next(&tag, &ok)) {
    static_cast<Step*>(tag)->Proceed(ok);
    if (NowUs() < until_us) continue;
    if (bench.measuring) break;
    bench.measuring = true;
    server_ns = CpuNs(bench.pid);
    own_ns = CpuNs(getpid());
    began_us = NowUs();
    until_us = began_us + bench.seconds * 1000000ull;
  }
  double seconds = (NowUs() - began_us) / 1e6, n = std::max<size_t>(bench.latencies_us.size(), 1);
  double server_us = (CpuNs(bench.pid) - server_ns) / 1e3 / n, own_us = (CpuNs(getpid()) - own_ns) / 1e3 / n;
  if (bench.latencies_us.empty()) bench.latencies_us.push_back(0);
  std::sort(bench.latencies_us.begin(), bench.latencies_us.end());
  std::printf("rate=%.0f p50=%u p99=%u server_us=%.3f client_us=%.3f mb_s=%.1f failed=%zu\n", n / seconds,
              bench.latencies_us[bench.latencies_us.size() / 2], bench.latencies_us[bench.latencies_us.size() * 99 / 100], server_us,
              own_us, n * bench.bytes / seconds / 1e6, bench.failed);
  std::fflush(stdout);
  _exit(bench.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS);  // calls are still open
}
