// Finds the calls that a model writes within its text, while the text comes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/tools.h"

namespace hussar {

struct ToolCall {
  std::string id;         // chosen by whoever shows the call
  std::string name;       // of an offered tool
  std::string arguments;  // a JSON object
};

// Two formats, told apart by how they begin: Qwen's
//   <tool_call>{"name": ..., "arguments": {...}}</tool_call>
// anywhere in the text, and Llama's
//   {"name": ..., "parameters": {...}}
// as all of it, several separated by semicolons. A call is shown when it is complete, since what is no
// well-formed call of an offered tool stays text, and is not looked through again. White space around calls
// is left out.
//
// Where a call of one function is forced, all of the text is its arguments, and they are shown as they come;
// where one of several is, all of the text is the call.
//
// One per answer; not thread-safe. Takes time in proportion to the text.
class ToolParser {
 public:
  // `offer` outlives the object.
  explicit ToolParser(const ToolOffer& offer) : offer_(offer) {}

  struct Piece {
    std::string text;             // before the calls
    std::vector<ToolCall> calls;  // each with an empty id
    std::string arguments{};      // more of the last call's
  };
  // What can be shown now, in its order.
  std::vector<Piece> add(std::string_view text);
  // The rest, when the answer has ended. A last call whose closing tag is missing counts if its JSON is
  // whole.
  std::vector<Piece> finish();

 private:
  enum class Form { kText, kTagged, kBare };
  enum class Scan { kMore, kWhole, kBroken };

  enum class More { kComes, kEnded };

  void advance(More more);
  // Reads pending_ as a call that a grammar saw to; it stays text when the answer was cut.
  void take_forced();
  // The call that a text is; nothing when it is none.
  std::optional<ToolCall> call_of(std::string_view object) const;
  // Whether a call begins; shows the text before it.
  bool find_begin(More more);
  Scan scan_object();
  // What stands behind a whole object: the call's end, or something that makes it none.
  Scan scan_close(More more);
  void take_call();
  void keep_as_text(size_t bytes);
  void show(std::string_view text);
  bool may_call() const;

  const ToolOffer& offer_;
  std::vector<Piece> pieces_;  // to be handed out
  std::string pending_;        // not shown yet
  Form form_ = Form::kText;
  bool shown_ = false;       // something of the text, so that no bare call can begin any more
  bool skip_space_ = false;  // behind a call
  size_t calls_ = 0;
  // Of the call that pending_ begins with.
  size_t object_begin_ = 0, scanned_ = 0, end_ = 0;
  bool in_object_ = false, in_string_ = false, escaped_ = false;
  int32_t depth_ = 0;
};

}  // namespace hussar
