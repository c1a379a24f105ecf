#include "engine/validate.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace hussar {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

RequestLimits limits() {
  return {.vocab_size = 100, .context_max = 64, .kv_blocks = 4, .kv_block_tokens = 8};
}

Request good() {
  Request request;
  request.prompt = {1, 2, 3};
  request.tokens_max = 10;
  request.stop_ids = {99};
  request.bias = {{0, -100.0f}, {5, -kInfinity}};
  request.allowed = std::make_shared<const std::vector<uint32_t>>(4);
  request.bad_words = {{1}, {2, 3}};
  return request;
}

struct Case {
  const char* field;
  ErrorCode code;
  std::function<void(Request&)> spoil;
};

TEST(ValidateRequest, AcceptsAGoodOne) { EXPECT_TRUE(validate_request(good(), limits()).ok()); }

TEST(ValidateRequest, NamesWhatIsWrong) {
  const Case cases[] = {
      {"prompt", ErrorCode::kInvalid, [](Request& r) { r.prompt.clear(); }},
      {"prompt", ErrorCode::kInvalid, [](Request& r) { r.prompt[1] = 100; }},
      {"prompt", ErrorCode::kInvalid, [](Request& r) { r.prompt[1] = -1; }},
      {"prompt", ErrorCode::kTooLarge, [](Request& r) { r.prompt.assign(64, 1); }},
      {"max_tokens", ErrorCode::kInvalid, [](Request& r) { r.tokens_max = 0; }},
      {"max_tokens", ErrorCode::kInvalid,
       [](Request& r) { r.tokens_max = std::numeric_limits<int32_t>::min(); }},
      {"max_tokens", ErrorCode::kTooLarge, [](Request& r) { r.tokens_max = 62; }},
      {"max_tokens", ErrorCode::kTooLarge,
       [](Request& r) { r.tokens_max = std::numeric_limits<int32_t>::max(); }},
      {"max_tokens", ErrorCode::kTooLarge,
       [](Request& r) { r.tokens_max = 30; }},  // 33 positions, the pool has 32
      {"min_tokens", ErrorCode::kInvalid, [](Request& r) { r.tokens_min = -1; }},
      {"min_tokens", ErrorCode::kInvalid, [](Request& r) { r.tokens_min = 11; }},
      {"stop_token_ids", ErrorCode::kInvalid, [](Request& r) { r.stop_ids = {100}; }},
      {"stop_token_ids", ErrorCode::kInvalid, [](Request& r) { r.stop_ids.assign(5000, 1); }},
      {"logit_bias", ErrorCode::kInvalid,
       [](Request& r) {
         r.bias = {{100, 0.0f}};
       }},
      {"logit_bias", ErrorCode::kInvalid,
       [](Request& r) {
         r.bias = {{1, kNan}};
       }},
      {"logit_bias", ErrorCode::kInvalid,
       [](Request& r) {
         r.bias = {{1, kInfinity}};
       }},
      {"logit_bias", ErrorCode::kInvalid,
       [](Request& r) {
         r.bias.assign(5000, {1, 0.0f});
       }},
      {"allowed_token_ids", ErrorCode::kInvalid,
       [](Request& r) { r.allowed = std::make_shared<const std::vector<uint32_t>>(3); }},
      {"bad_words", ErrorCode::kInvalid, [](Request& r) { r.bad_words = {{}}; }},
      {"bad_words", ErrorCode::kInvalid,
       [](Request& r) {
         r.bad_words = {{1, 100}};
       }},
      {"bad_words", ErrorCode::kInvalid, [](Request& r) { r.bad_words = {std::vector<TokenId>(65, 1)}; }},
      {"bad_words", ErrorCode::kInvalid, [](Request& r) { r.bad_words.assign(1025, {1}); }},
      {"logprobs", ErrorCode::kInvalid, [](Request& r) { r.logprobs_top = 21; }},
      {"logprobs", ErrorCode::kInvalid, [](Request& r) { r.logprobs_top = -2; }},
      {"cache_salt", ErrorCode::kInvalid, [](Request& r) { r.cache_salt.assign(2000, 'x'); }},
      {"temperature", ErrorCode::kInvalid, [](Request& r) { r.sample.temperature = -0.1f; }},
      {"temperature", ErrorCode::kInvalid, [](Request& r) { r.sample.temperature = kNan; }},
      {"temperature", ErrorCode::kInvalid, [](Request& r) { r.sample.temperature = kInfinity; }},
      {"top_k", ErrorCode::kInvalid, [](Request& r) { r.sample.top_k = -1; }},
      {"top_p", ErrorCode::kInvalid, [](Request& r) { r.sample.top_p = 0.0f; }},
      {"top_p", ErrorCode::kInvalid, [](Request& r) { r.sample.top_p = 1.1f; }},
      {"top_p", ErrorCode::kInvalid, [](Request& r) { r.sample.top_p = kNan; }},
      {"min_p", ErrorCode::kInvalid, [](Request& r) { r.sample.min_p = kNan; }},
      {"repetition_penalty", ErrorCode::kInvalid, [](Request& r) { r.sample.repetition_penalty = 0.0f; }},
      {"repetition_penalty", ErrorCode::kInvalid, [](Request& r) { r.sample.repetition_penalty = kNan; }},
      {"presence_penalty", ErrorCode::kInvalid, [](Request& r) { r.sample.presence_penalty = kNan; }},
      {"frequency_penalty", ErrorCode::kInvalid, [](Request& r) { r.sample.frequency_penalty = kInfinity; }},
  };
  for (const Case& c : cases) {
    Request request = good();
    c.spoil(request);
    const Result<void> result = validate_request(request, limits());
    ASSERT_FALSE(result.ok()) << c.field;
    EXPECT_EQ(result.error().field, c.field) << result.error().message;
    EXPECT_EQ(result.error().code, c.code) << result.error().message;
  }
}

}  // namespace
}  // namespace hussar
