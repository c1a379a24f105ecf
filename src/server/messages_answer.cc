#include "server/messages_answer.h"

namespace hussar {

namespace {

void append_event(JsonObject members, std::string* out) {
  *out += "event: ";
  *out += *members.front().second.as_string();
  *out += "\ndata: ";
  *out += write_json(members);
  *out += "\n\n";
}

// What the prefix cache held is told apart from what was read, as that API does.
Json usage_json(const Usage& usage) {
  JsonObject json{{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
                  {"cache_creation_input_tokens", 0},
                  {"cache_read_input_tokens", usage.cached_tokens},
                  {"output_tokens", usage.completion_tokens}};
  if (usage.discarded_tokens > 0) json.emplace_back("discarded_tokens", usage.discarded_tokens);
  return json;
}

std::string_view stop_reason(const ChoiceEnd& end) {
  if (end.reason == FinishReason::kDeadline) return "deadline";
  if (end.reason == FinishReason::kLength) return "max_tokens";
  if (end.called) return "tool_use";
  return end.stop_string.empty() ? "end_turn" : "stop_sequence";
}

Json stop_sequence(const ChoiceEnd& end) {
  return stop_reason(end) == "stop_sequence" ? Json(end.stop_string) : Json();
}

// A call's arguments as an object; those of a call that was cut are none, and shown as far as they came.
Json input_json(const std::string& arguments) {
  JsonLimits limits;
  limits.bytes_max = arguments.size();
  auto parsed = parse_json(arguments, limits);
  if (parsed.ok() && parsed->as_object() != nullptr) return std::move(*parsed);
  return JsonObject{{"incomplete", arguments}};
}

Json call_block(const ToolCall& call, Json input) {
  return JsonObject{{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", std::move(input)}};
}

}  // namespace

JsonObject MessagesAnswer::message(JsonArray content, Json reason, Json sequence, Json usage) const {
  return {{"id", id_},
          {"type", "message"},
          {"role", "assistant"},
          {"model", model_},
          {"content", std::move(content)},
          {"stop_reason", std::move(reason)},
          {"stop_sequence", std::move(sequence)},
          {"usage", std::move(usage)}};
}

std::string MessagesAnswer::whole(std::span<const WholeChoice> choices, const Usage& usage, double) {
  const WholeChoice& choice = choices.front();
  JsonArray content;
  for (const ChoicePiece& piece : choice.pieces) {
    if (!piece.text.empty()) content.push_back(JsonObject{{"type", "text"}, {"text", piece.text}});
    for (const ToolCall& call : piece.calls) content.push_back(call_block(call, input_json(call.arguments)));
  }
  return write_json(
      message(std::move(content), stop_reason(choice.end), stop_sequence(choice.end), usage_json(usage)));
}

void MessagesAnswer::begin(int32_t prompt_tokens, std::string* out) {
  append_event({{"type", "message_start"},
                {"message", message({}, nullptr, nullptr, usage_json({.prompt_tokens = prompt_tokens}))}},
               out);
}

void MessagesAnswer::open_block(Block kind, Json block, std::string* out) {
  close_block(out);
  block_ = kind;
  append_event({{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}},
               out);
}

void MessagesAnswer::add_delta(JsonObject delta, std::string* out) {
  append_event({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}}, out);
}

void MessagesAnswer::close_block(std::string* out) {
  if (block_ == Block::kNone) return;
  append_event({{"type", "content_block_stop"}, {"index", index_++}}, out);
  block_ = Block::kNone;
}

void MessagesAnswer::add(size_t, const ChoicePiece& piece, std::string* out) {
  if (!piece.text.empty()) {
    if (block_ != Block::kText) open_block(Block::kText, JsonObject{{"type", "text"}, {"text", ""}}, out);
    add_delta({{"type", "text_delta"}, {"text", piece.text}}, out);
  }
  const auto add_arguments = [&](const std::string& arguments) {
    if (!arguments.empty()) add_delta({{"type", "input_json_delta"}, {"partial_json", arguments}}, out);
  };
  for (const ToolCall& call : piece.calls) {
    open_block(Block::kCall, call_block(call, JsonObject{}), out);
    add_arguments(call.arguments);
  }
  add_arguments(piece.arguments);
}

void MessagesAnswer::end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                                std::optional<double>, std::string* out) {
  add(choice, rest, out);
  close_block(out);
  end_ = end;
}

void MessagesAnswer::end(const Usage& usage, double, std::string* out) {
  append_event(
      {{"type", "message_delta"},
       {"delta", JsonObject{{"stop_reason", stop_reason(end_)}, {"stop_sequence", stop_sequence(end_)}}},
       {"usage", usage_json(usage)}},
      out);
  append_event({{"type", "message_stop"}}, out);
}

void MessagesAnswer::fail(const ApiError& error, std::string* out) {
  *out += "event: error\ndata: ";
  *out += messages_error_json(error);
  *out += "\n\n";
}

}  // namespace hussar
