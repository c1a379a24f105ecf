// What a client asks of the mock, read from its request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "bench/mock_options.h"
#include "net/http.h"

namespace hussar {

struct MockRequest {
  bool chat = false;
  bool article = false;  // /v1/completions without `model` or with `max_new_tokens`
  bool stream = false;
  int64_t prompt_tokens = 0;
  int64_t max_tokens = -1;  // -1: not said
  int64_t min_tokens = 0;
  bool ignore_eos = false;
  bool include_usage = false, continuous_usage = false;
  std::string request_id;          // the header X-Request-Id
  std::optional<MockFault> fault;  // the header X-Mock-Fault
};

// Reads the body of /v1/completions or /v1/chat/completions, and the headers. Errors, as OpenAI's servers
// have them, `field` the member at fault: kInvalid (400), kNotFound (404: another model), kTooLarge (400:
// over the context).
Result<MockRequest> read_mock_request(const HttpRequest& request, const MockOptions& options);

// The text that a body has the mock tokenize: `prompt`, `content` or the contents of `messages`. Errors:
// kInvalid.
Result<std::string> read_mock_tokenize_text(std::string_view body);

}  // namespace hussar
