#include "bench/dataset.h"

#include <algorithm>
#include <utility>

#include "base/mapped_file.h"
#include "bench/json_rows.h"
#include "bench/lengths.h"

namespace hussar {
namespace {

Error bad(const std::string& message) { return {ErrorCode::kInvalid, message, ""}; }

// The member `key` as text; nothing where there is none.
Result<std::string> read_text(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr) return bad("\"" + std::string(key) + "\" is missing");
  const std::string* text = value->as_string();
  if (text == nullptr) {
    return bad("\"" + std::string(key) + "\" must be a string, not " + std::string(value->type_name()));
  }
  return *text;
}

Result<void> read_messages(const Json& value, DatasetRow* row) {
  const JsonArray* messages = value.as_array();
  if (messages == nullptr || messages->empty()) return bad("\"messages\" must be an array with a message");
  for (const Json& message : *messages) {
    ASSIGN_OR_RETURN(std::string role, read_text(message, "role"));
    ASSIGN_OR_RETURN(std::string content, read_text(message, "content"));
    row->messages.push_back({std::move(role), std::move(content)});
  }
  return {};
}

bool is_person(const std::string& from) { return from == "human" || from == "user"; }

// False: no person speaks in it.
Result<bool> read_conversation(const Json& value, DatasetRow* row) {
  const JsonArray* turns = value.as_array();
  if (turns == nullptr) return bad("\"conversations\" must be an array");
  bool asked = false;
  for (const Json& turn : *turns) {
    ASSIGN_OR_RETURN(const std::string from, read_text(turn, "from"));
    ASSIGN_OR_RETURN(std::string said, read_text(turn, "value"));
    if (asked) {
      if (!is_person(from)) row->reply = std::move(said);
      break;
    }
    if (from == "system") row->system = std::move(said);
    if (!is_person(from) || said.empty()) continue;
    row->prompt = std::move(said);
    asked = true;
  }
  return asked;
}

// False: to be left out.
Result<bool> read_row(const Json& object, DatasetRow* row) {
  if (const Json* conversations = object.find("conversations")) {
    return read_conversation(*conversations, row);
  }
  RETURN_IF_ERROR(read_request_text(object, row));
  if (row->prompt.empty() && row->messages.empty()) {
    return bad("neither \"prompt\" nor \"messages\" nor \"conversations\" is in it");
  }
  ASSIGN_OR_RETURN(row->output_tokens, read_answer_tokens(object, 1));
  return true;
}

}  // namespace

Result<void> read_request_text(const Json& object, DatasetRow* row) {
  if (object.as_object() == nullptr) {
    return bad("a JSON object is wanted, not " + std::string(object.type_name()));
  }
  const Json* messages = object.find("messages");
  if (object.find("prompt") == nullptr)
    return messages == nullptr ? Result<void>() : read_messages(*messages, row);
  if (messages != nullptr) return bad("both \"prompt\" and \"messages\" are in it");
  ASSIGN_OR_RETURN(row->prompt, read_text(object, "prompt"));
  if (row->prompt.empty()) return bad("\"prompt\" is empty");
  return {};
}

Result<int32_t> read_answer_tokens(const Json& object, int32_t least) {
  for (const std::string_view key :
       {"output_tokens", "output_length", "max_tokens", "max_completion_tokens"}) {
    const Json* value = object.find(key);
    if (value == nullptr || value->is_null()) continue;
    const int64_t* tokens = value->as_int();
    if (tokens == nullptr || *tokens < least || *tokens > kTokensMax) {
      return bad("\"" + std::string(key) + "\" must be a whole number from " + std::to_string(least) +
                 " to " + std::to_string(kTokensMax));
    }
    return static_cast<int32_t>(*tokens);
  }
  return -1;
}

Result<Dataset> parse_dataset(std::string_view text, const std::string& name, const DatasetLimits& limits) {
  RowReader reader(text, name, limits.row_bytes_max);
  Dataset dataset;
  size_t text_bytes = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<TextRow> row, reader.next());
    if (!row) break;
    text_bytes += row->text.size();
    if (dataset.rows.size() == limits.rows_max || text_bytes > limits.text_bytes_max) {
      dataset.cut = true;
      break;
    }
    const auto json = parse_json(row->text, JsonLimits{.bytes_max = limits.row_bytes_max});
    if (!json.ok()) return row_error(name, row->line, json.error().message, json.error().code);
    DatasetRow read;
    const auto kept = read_row(*json, &read);
    if (!kept.ok()) return row_error(name, row->line, kept.error().message);
    if (*kept) {
      dataset.rows.push_back(std::move(read));
    } else {
      ++dataset.without_person;
    }
  }
  if (dataset.rows.empty()) return Error{ErrorCode::kInvalid, name + ": there is no prompt in it", ""};
  return dataset;
}

Result<Dataset> read_dataset(const std::string& path, const DatasetLimits& limits) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  if (static_cast<int64_t>(bytes.size()) > limits.file_bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 path + ": the file is larger than " + std::to_string(limits.file_bytes_max) + " bytes", ""};
  }
  return parse_dataset({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, limits);
}

}  // namespace hussar
