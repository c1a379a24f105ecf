// The parts of a tokenizer.json around its vocabulary, recognised by their structure. Only for
// tokenizer_json.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace hussar {

// `message` names the part; the callers put the file's name in front.
Error json_invalid(const std::string& message);
// ", which is not supported" is added.
Error json_unsupported(const std::string& message);

// The boolean member `key`, `otherwise` when it is absent or null. Errors: kInvalid, naming `place` and it.
Result<bool> read_flag(const Json& object, const char* key, bool otherwise, const std::string& place);

// In each of these, null is an absent member. Errors: kUnsupported naming what was found, kInvalid.

// Whether text is brought to normal form C.
Result<bool> read_normalizer(const Json* normalizer);
// The name of the same pre-tokenizer in GGUF.
Result<std::string> read_pre_tokenizer(const Json* pre_tokenizer);
Result<void> check_decoder(const Json* decoder);

struct FirstToken {
  int64_t id;
  std::string spelling;
};
// The token that is put in front of a text, if any.
Result<std::optional<FirstToken>> read_post_processor(const Json* post_processor);

}  // namespace hussar
