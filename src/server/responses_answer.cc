#include "server/responses_answer.h"

namespace hussar {

namespace {

Json part_json(const std::string& text) {
  return JsonObject{
      {"type", "output_text"}, {"text", text}, {"annotations", JsonArray{}}, {"logprobs", JsonArray{}}};
}

Json usage_json(const Usage& usage) {
  JsonObject details{{"reasoning_tokens", 0}};
  if (usage.discarded_tokens > 0) details.emplace_back("discarded_tokens", usage.discarded_tokens);
  return JsonObject{{"input_tokens", usage.prompt_tokens},
                    {"input_tokens_details", JsonObject{{"cached_tokens", usage.cached_tokens}}},
                    {"output_tokens", usage.completion_tokens},
                    {"output_tokens_details", std::move(details)},
                    {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

}  // namespace

ResponsesAnswer::ResponsesAnswer(std::string model, int64_t created_unix_seconds, JsonObject settings)
    : id_(random_id("resp_")),
      model_(std::move(model)),
      created_(created_unix_seconds),
      settings_(std::move(settings)) {}

JsonObject ResponsesAnswer::response(std::string_view status, Json usage) const {
  Json incomplete;
  if (status == "incomplete") {
    const bool late = end_.reason == FinishReason::kDeadline;
    incomplete = JsonObject{{"reason", late ? "deadline" : "max_output_tokens"}};
  }
  JsonObject object{{"id", id_},        {"object", "response"}, {"created_at", created_},
                    {"status", status}, {"error", error_},      {"incomplete_details", std::move(incomplete)},
                    {"model", model_},  {"output", output_},    {"usage", std::move(usage)}};
  object.insert(object.end(), settings_.begin(), settings_.end());
  return object;
}

void ResponsesAnswer::event(std::string_view type, JsonObject members, std::string* out) {
  members.insert(members.begin(), {{"type", type}, {"sequence_number", events_++}});
  *out += "event: ";
  *out += type;
  *out += "\ndata: ";
  *out += write_json(members);
  *out += "\n\n";
}

JsonObject ResponsesAnswer::place() const {
  return {{"item_id", open_.id}, {"output_index", static_cast<int64_t>(output_.size())}};
}

JsonObject ResponsesAnswer::item_json(std::string_view status) const {
  if (open_.kind == OpenItem::Kind::kCall) {
    return {{"type", "function_call"}, {"id", open_.id},          {"call_id", open_.call.id},
            {"name", open_.call.name}, {"arguments", open_.text}, {"status", status}};
  }
  JsonArray content;
  if (status != "in_progress") content.push_back(part_json(open_.text));
  return {{"type", "message"},
          {"id", open_.id},
          {"status", status},
          {"role", "assistant"},
          {"content", std::move(content)}};
}

void ResponsesAnswer::begin(int32_t, std::string* out) {
  event("response.created", {{"response", response("in_progress", nullptr)}}, out);
  event("response.in_progress", {{"response", response("in_progress", nullptr)}}, out);
}

void ResponsesAnswer::add_text(const std::string& text, std::string* out) {
  if (open_.kind != OpenItem::Kind::kMessage) {
    close_item(out);
    open_ = {OpenItem::Kind::kMessage, random_id("msg_"), "", {}};
    event("response.output_item.added",
          {{"output_index", static_cast<int64_t>(output_.size())}, {"item", item_json("in_progress")}}, out);
    JsonObject members = place();
    members.emplace_back("content_index", 0);
    members.emplace_back("part", part_json(""));
    event("response.content_part.added", std::move(members), out);
  }
  open_.text += text;
  if (text.empty()) return;
  JsonObject members = place();
  members.emplace_back("content_index", 0);
  members.emplace_back("delta", text);
  members.emplace_back("logprobs", JsonArray{});
  event("response.output_text.delta", std::move(members), out);
}

void ResponsesAnswer::open_call(const ToolCall& call, std::string* out) {
  close_item(out);
  open_ = {OpenItem::Kind::kCall, random_id("fc_"), "", call};
  event("response.output_item.added",
        {{"output_index", static_cast<int64_t>(output_.size())}, {"item", item_json("in_progress")}}, out);
  add_arguments(call.arguments, out);
}

void ResponsesAnswer::add_arguments(const std::string& arguments, std::string* out) {
  if (arguments.empty()) return;
  open_.text += arguments;
  JsonObject members = place();
  members.emplace_back("delta", arguments);
  event("response.function_call_arguments.delta", std::move(members), out);
}

void ResponsesAnswer::close_item(std::string* out) {
  if (open_.kind == OpenItem::Kind::kNone) return;
  const bool call = open_.kind == OpenItem::Kind::kCall;
  const std::string_view status = end_.reason == FinishReason::kStop ? "completed" : "incomplete";
  const JsonObject item = item_json(status);
  JsonObject done = place();
  if (call) {
    done.emplace_back("name", open_.call.name);
    done.emplace_back("arguments", open_.text);
    event("response.function_call_arguments.done", std::move(done), out);
  } else {
    JsonObject part = done;
    done.emplace_back("content_index", 0);
    done.emplace_back("text", open_.text);
    done.emplace_back("logprobs", JsonArray{});
    event("response.output_text.done", std::move(done), out);
    part.emplace_back("content_index", 0);
    part.emplace_back("part", part_json(open_.text));
    event("response.content_part.done", std::move(part), out);
  }
  event("response.output_item.done", {{"output_index", static_cast<int64_t>(output_.size())}, {"item", item}},
        out);
  output_.push_back(item);
  open_ = {};
}

void ResponsesAnswer::add(size_t, const ChoicePiece& piece, std::string* out) {
  if (!piece.text.empty()) add_text(piece.text, out);
  for (const ToolCall& call : piece.calls) open_call(call, out);
  add_arguments(piece.arguments, out);
}

void ResponsesAnswer::end_choice(size_t choice, const ChoicePiece& rest, const ChoiceEnd& end,
                                 std::optional<double>, std::string* out) {
  add(choice, rest, out);
  if (output_.empty() && open_.kind == OpenItem::Kind::kNone) add_text("", out);  // an answer without text
  end_ = end;
  close_item(out);
}

void ResponsesAnswer::end(const Usage& usage, double, std::string* out) {
  const std::string status = end_.reason == FinishReason::kStop ? "completed" : "incomplete";
  event("response." + status, {{"response", response(status, usage_json(usage))}}, out);
}

void ResponsesAnswer::fail(const ApiError& error, std::string* out) {
  error_ = JsonObject{{"code", error.code}, {"message", error.message}};
  event("response.failed", {{"response", response("failed", nullptr)}}, out);
}

// The items are those that a stream's events would have completed.
std::string ResponsesAnswer::whole(std::span<const WholeChoice> choices, const Usage& usage, double) {
  std::string events;
  const WholeChoice& choice = choices.front();
  for (const ChoicePiece& piece : choice.pieces) add(0, piece, &events);
  end_choice(0, {}, choice.end, std::nullopt, &events);
  const std::string_view status = choice.end.reason == FinishReason::kStop ? "completed" : "incomplete";
  return write_json(response(status, usage_json(usage)));
}

}  // namespace hussar
