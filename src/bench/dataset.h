// Prompts from a file: what people really asked, in place of made-up text.
//
//   JSONL     one object a line: {"prompt": "..."} or {"messages": [{"role": "...", "content": "..."}]}; the
//             length of the answer may stand in "output_tokens", "output_length", "max_tokens" or
//             "max_completion_tokens". Other members are ignored.
//   ShareGPT  one JSON array of {"conversations": [{"from": "human", "value": "..."}, ...]}, or such objects
//             line by line. What a person says first is the prompt (a system text before it is kept), the
//             reply to it tells how long the answer should be. Conversations in which no person speaks are
//             left out and counted.
//
// Files are foreign: everything is bounded, and the first bad line ends the reading with its number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "bench/target.h"

namespace hussar {

struct DatasetRow {
  std::string prompt;                 // empty where there are messages
  std::string system;                 // ShareGPT: what stands before the prompt; mostly empty
  std::vector<ChatMessage> messages;  // role and content
  int32_t output_tokens = -1;         // -1: the file does not say
  std::string reply;                  // ShareGPT: its length in tokens is the answer's
};

struct DatasetLimits {
  int64_t file_bytes_max = int64_t{4} << 30;
  size_t row_bytes_max = 16 << 20;
  // What is beyond either is not read.
  size_t rows_max = 100'000;
  size_t text_bytes_max = 256 << 20;
};

struct Dataset {
  std::vector<DatasetRow> rows;  // at least one
  int64_t without_person = 0;    // ShareGPT: conversations left out
  bool cut = false;              // there was more than the limits allow
};

// `name` stands in front of each error: "chats.jsonl:12: ...". Errors: kInvalid, kTooLarge.
Result<Dataset> parse_dataset(std::string_view text, const std::string& name, const DatasetLimits& limits);
// Errors: also kNotFound, kIo.
Result<Dataset> read_dataset(const std::string& path, const DatasetLimits& limits);

// What a trace's lines share with these. Errors: kInvalid without a place.
// The "prompt" or "messages" of a JSON object; neither may be there.
Result<void> read_request_text(const Json& object, DatasetRow* row);
// The length of its answer, -1 where it says none.
Result<int32_t> read_answer_tokens(const Json& object, int32_t least);

}  // namespace hussar
