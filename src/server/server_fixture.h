// Test support: a server over real sockets and a fake engine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "net/raw_client.h"
#include "server/server.h"
#include "server/testing.h"

namespace hussar {

struct Answer {
  int status = 0;
  std::string head;
  std::string body;  // chunks joined
  Json json;         // null when the body is none
};

inline Answer parse_answer(const std::string& raw) {
  Answer answer;
  const size_t border = raw.find("\r\n\r\n");
  if (border == std::string::npos) return answer;
  answer.head = raw.substr(0, border + 2);
  answer.status = std::atoi(raw.c_str() + std::string_view("HTTP/1.1 ").size());
  std::string_view rest = std::string_view(raw).substr(border + 4);
  if (answer.head.find("chunked") == std::string::npos) {
    answer.body = rest;
  } else {
    while (!rest.empty()) {
      const size_t size = std::strtoul(std::string(rest.substr(0, 16)).c_str(), nullptr, 16);
      const size_t begin = rest.find("\r\n") + 2;
      answer.body += rest.substr(begin, size);
      rest.remove_prefix(std::min(rest.size(), begin + size + 2));
    }
  }
  auto json = parse_json(answer.body, {});
  if (json.ok()) answer.json = std::move(*json);
  return answer;
}

inline std::string post(std::string_view path, std::string_view body,
                        std::string_view headers = "Content-Type: application/json\r\n") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
         std::string(headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

class ServerTest : public ::testing::Test {
 protected:
  void start() {
    options_.port = 0;
    const ServerContext context{.engine = engine_,
                                .tokenizer = tokenizer_,
                                .chat_template = chat_template_ ? &*chat_template_ : nullptr,
                                .model_name = "m",
                                .model_summary = "a model",
                                .version = "1.2.3",
                                .stop_ids = {kImEnd},
                                .bos_token = "",
                                .eos_token = "",
                                .created_unix_seconds = 0,
                                .grammars = grammars_.get()};
    auto server = Server::start(options_, context);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }
  void TearDown() override {
    if (server_) server_->stop();
  }

  int port() const { return static_cast<int>(server_->port()); }
  Answer exchange(const std::string& bytes) {
    RawClient client(port());
    client.send(bytes);
    return parse_answer(client.read_all());
  }
  Answer get(const std::string& path) {
    return exchange("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  static std::string error_code(const Answer& answer) {
    const Json* error = answer.json.find("error");
    if (error == nullptr || error->find("code")->as_string() == nullptr) return "no error object";
    return *error->find("code")->as_string();
  }
  bool wait_for_request(RequestId id) {
    return eventually([&] { return engine_.request(id).has_value(); });
  }

  // Before start().
  void with_grammars() {
    grammars_ = std::make_unique<GrammarCompiler>(
        GrammarLimits{}, [this] { return answer_bytes_table(tokenizer_); }, std::vector<TokenId>{kImEnd},
        GrammarCompiler::ChildCommand{HUSSAR_GRAMMAR_CHILD, {}});
  }

  FakeEngine engine_;
  const Tokenizer tokenizer_ = testing_tokenizer();
  std::optional<ChatTemplate> chat_template_;
  ServerOptions options_;
  std::unique_ptr<GrammarCompiler> grammars_;
  std::unique_ptr<Server> server_;
};

}  // namespace hussar
