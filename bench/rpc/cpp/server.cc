// SPDX-License-Identifier: Apache-2.0
// The echo server on gRPC C++'s asynchronous interface, one completion queue and one thread, as its performance guide advises.
// server [PORT [CERT KEY]]: prints its address; runs until killed.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "echo.grpc.pb.h"

using plankton::bench::Echo;
using plankton::bench::EchoReply;
using plankton::bench::EchoRequest;

namespace {
constexpr int kCallsWaiting = 1000;  // asked for in advance, so that no call waits for a place

struct Step {
  virtual ~Step() = default;
  virtual void Proceed(bool ok) = 0;
};

void Fill(EchoReply* reply, EchoRequest* request) {
  reply->mutable_id()->swap(*request->mutable_id());
  reply->mutable_payload()->swap(*request->mutable_payload());
  reply->set_number(1);
}

class Unary final : public Step {
 public:
  Unary(Echo::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), responder_(&context_) {
    service_->RequestUnary(&context_, &request_, &responder_, queue_, queue_, this);
  }
  void Proceed(bool ok) override {
    if (!ok || done_) {
      delete this;
      return;
    }
    new Unary(service_, queue_);
    Fill(&reply_, &request_);
    done_ = true;
    responder_.Finish(reply_, grpc::Status::OK, this);
  }

 private:
  Echo::AsyncService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  EchoRequest request_;
  EchoReply reply_;
  grpc::ServerAsyncResponseWriter<EchoReply> responder_;
  bool done_ = false;
};

class Stream final : public Step {
 public:
  Stream(Echo::AsyncService* service, grpc::ServerCompletionQueue* queue) : service_(service), queue_(queue), stream_(&context_) {
    service_->RequestStream(&context_, &stream_, queue_, queue_, this);
  }
  void Proceed(bool ok) override {
    switch (state_) {
      case kWaiting:
        if (!ok) {
          delete this;
          return;
        }
        new Stream(service_, queue_);
        Read();
        return;
      case kReading:
        if (!ok) {
          state_ = kEnding;
          stream_.Finish(grpc::Status::OK, this);
          return;
        }
        Fill(&reply_, &request_);
        state_ = kWriting;
        stream_.Write(reply_, this);
        return;
      case kWriting:
        Read();
        return;
      case kEnding:
        delete this;
    }
  }

 private:
  void Read() {
    state_ = kReading;
    stream_.Read(&request_, this);
  }
  enum { kWaiting, kReading, kWriting, kEnding } state_ = kWaiting;
  Echo::AsyncService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  EchoRequest request_;
  EchoReply reply_;
  grpc::ServerAsyncReaderWriter<EchoReply, EchoRequest> stream_;
};

std::string Contents(const char* path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
}  // namespace

int main(int argc, char** argv) {
  Echo::AsyncService service;
  grpc::ServerBuilder builder;
  int port = 0;
  auto credentials = grpc::InsecureServerCredentials();
  if (argc > 3) {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({Contents(argv[3]), Contents(argv[2])});
    credentials = grpc::SslServerCredentials(options);
  }
  builder.AddListeningPort(std::string("127.0.0.1:") + (argc > 1 ? argv[1] : "0"), credentials, &port);
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(&service);
  auto queue = builder.AddCompletionQueue();
  auto server = builder.BuildAndStart();
  if (!server) return EXIT_FAILURE;
  std::printf("127.0.0.1:%d\n", port);
  std::fflush(stdout);
  for (int i = 0; i < kCallsWaiting; i++) new Unary(&service, queue.get());
  for (int i = 0; i < 100; i++) new Stream(&service, queue.get());
  void* tag;
  bool ok;
  while (queue->Next(&tag, &ok)) static_cast<Step*>(tag)->Proceed(ok);
}
