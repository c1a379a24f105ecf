#include "server/tool_parser.h"

#include <algorithm>
#include <utility>

namespace hussar {

namespace {

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kSpace = " \t\r\n";
constexpr size_t kHeldSpaceMax = 1024;  // white space that waits for a call

bool is_space(char c) { return kSpace.find(c) != std::string_view::npos; }

// How many bytes at the end of `text` might become the beginning of a tag.
size_t tag_begin_bytes(std::string_view text) {
  for (size_t bytes = std::min(text.size(), kOpen.size() - 1); bytes > 0; --bytes) {
    if (text.ends_with(kOpen.substr(0, bytes))) return bytes;
  }
  return 0;
}

// The arguments of a call: an object, or a string that holds one, as some models write it. Empty: neither.
std::string arguments_of(const Json& call) {
  const Json* arguments = call.find("arguments");
  if (arguments == nullptr) arguments = call.find("parameters");
  if (arguments == nullptr || arguments->is_null()) return "{}";
  if (arguments->as_object() != nullptr) return write_json(*arguments);
  if (arguments->as_string() == nullptr) return "";
  const auto parsed = parse_json(*arguments->as_string(), {});
  return parsed.ok() && parsed->as_object() != nullptr ? write_json(*parsed) : "";
}

}  // namespace

bool ToolParser::may_call() const { return offer_.parallel || calls_ == 0; }

void ToolParser::show(std::string_view text) {
  if (text.empty()) return;
  shown_ = true;
  skip_space_ = false;
  if (pieces_.empty() || !pieces_.back().calls.empty()) pieces_.emplace_back();
  pieces_.back().text += text;
}

std::vector<ToolParser::Piece> ToolParser::add(std::string_view text) {
  if (offer_.forced() && !offer_.forced_name().empty()) {
    if (text.empty()) return {};
    Piece piece;
    if (calls_++ == 0) piece.calls.push_back({"", std::string(offer_.forced_name()), ""});
    piece.arguments = text;
    return {std::move(piece)};
  }
  pending_ += text;
  if (!offer_.forced()) advance(More::kComes);
  return std::exchange(pieces_, {});
}

std::vector<ToolParser::Piece> ToolParser::finish() {
  if (offer_.forced()) {
    take_forced();
  } else {
    advance(More::kEnded);
  }
  return std::exchange(pieces_, {});
}

void ToolParser::advance(More more) {
  for (;;) {
    if (form_ == Form::kText && !find_begin(more)) return;
    Scan scan = in_object_ ? scan_object() : Scan::kWhole;
    if (scan == Scan::kWhole) scan = scan_close(more);
    if (scan == Scan::kMore && more == More::kComes) return;
    if (scan == Scan::kWhole) {
      take_call();
    } else {
      keep_as_text(scan == Scan::kMore ? pending_.size() : scanned_);
    }
  }
}

bool ToolParser::find_begin(More more) {
  if (skip_space_) pending_.erase(0, std::min(pending_.find_first_not_of(kSpace), pending_.size()));
  const std::string_view text = pending_;
  const size_t first = text.find_first_not_of(kSpace);
  if (may_call() && !shown_ && first != std::string_view::npos && text[first] == '{') {
    form_ = Form::kBare;
    object_begin_ = scanned_ = first;
  } else {
    const size_t tag = may_call() ? text.find(kOpen) : std::string_view::npos;
    if (tag == std::string_view::npos) {
      size_t kept = 0;
      if (more == More::kComes && may_call()) {
        kept = tag_begin_bytes(text);
        while (kept < std::min(text.size(), kHeldSpaceMax) && is_space(text[text.size() - kept - 1])) ++kept;
      }
      show(text.substr(0, text.size() - kept));
      pending_.erase(0, pending_.size() - kept);
      return false;
    }
    size_t before = tag;
    while (before > 0 && is_space(text[before - 1])) --before;
    show(text.substr(0, before));
    pending_.erase(0, before);
    form_ = Form::kTagged;
    object_begin_ = scanned_ = tag - before + kOpen.size();
  }
  in_object_ = true;
  in_string_ = escaped_ = false;
  depth_ = 0;
  return true;
}

// Goes on to where the object's last brace stands.
ToolParser::Scan ToolParser::scan_object() {
  for (; scanned_ < pending_.size(); ++scanned_) {
    const char c = pending_[scanned_];
    if (depth_ == 0 && c != '{') {
      if (!is_space(c)) return Scan::kBroken;
      object_begin_ = scanned_ + 1;
    } else if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      ++scanned_;
      in_object_ = false;
      return Scan::kWhole;
    }
  }
  return Scan::kMore;
}

ToolParser::Scan ToolParser::scan_close(More more) {
  const size_t next = std::min(pending_.find_first_not_of(kSpace, scanned_), pending_.size());
  const std::string_view rest = std::string_view(pending_).substr(next);
  if (next - scanned_ > kHeldSpaceMax) return Scan::kBroken;
  if (form_ == Form::kBare) {
    if (!rest.empty() && rest.front() != ';') return Scan::kBroken;
    if (rest.empty() && more == More::kComes) return Scan::kMore;
    end_ = rest.empty() ? pending_.size() : next + 1;
    return Scan::kWhole;
  }
  if (rest.starts_with(kClose)) {
    end_ = next + kClose.size();
    return Scan::kWhole;
  }
  if (!kClose.starts_with(rest)) return Scan::kBroken;
  if (more == More::kComes) return Scan::kMore;
  end_ = pending_.size();
  return Scan::kWhole;
}

std::optional<ToolCall> ToolParser::call_of(std::string_view object) const {
  JsonLimits limits;
  limits.bytes_max = object.size();
  const auto call = parse_json(object, limits);
  const Json* name = call.ok() ? call->find("name") : nullptr;
  if (name == nullptr || name->as_string() == nullptr || offer_.find(*name->as_string()) == nullptr)
    return std::nullopt;
  std::string arguments = arguments_of(*call);
  if (arguments.empty() || !offer_.fits(*name->as_string(), arguments)) return std::nullopt;
  return ToolCall{"", *name->as_string(), std::move(arguments)};
}

void ToolParser::take_forced() {
  auto call = call_of(pending_);
  if (!call) return keep_as_text(pending_.size());
  pieces_.emplace_back().calls.push_back(std::move(*call));
  pending_.clear();
}

void ToolParser::take_call() {
  const auto object = std::string_view(pending_).substr(object_begin_, scanned_ - object_begin_);
  auto call = call_of(object);
  if (!call) return keep_as_text(end_);
  if (pieces_.empty()) pieces_.emplace_back();
  pieces_.back().calls.push_back(std::move(*call));
  ++calls_;
  pending_.erase(0, end_);
  form_ = Form::kText;
  skip_space_ = true;
}

void ToolParser::keep_as_text(size_t bytes) {
  show(std::string_view(pending_).substr(0, bytes));
  pending_.erase(0, bytes);
  form_ = Form::kText;
}

}  // namespace hussar
