// Splits the bytes of a text/event-stream body into events, wherever the pieces are cut: inside a character,
// inside a line, between \r and \n. An event that lies whole in one piece is not copied.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hussar {

inline constexpr size_t kSseEventBytesMax = 1 << 20;

struct SseEvent {
  std::string_view name;  // of the `event:` line; empty: none
  std::string_view data;  // the `data:` lines, joined by \n
};

// By the HTML standard's rules, and three things that servers do beyond them: a field `error:` (older
// llama-servers report a failure so) is data of an event named "error"; see finish() for the second; and an
// event with a name but without data is dropped, as there, but its name ends with it.
//   parser.feed(bytes);
//   while (parser.next(&event)) ...
class SseParser {
 public:
  explicit SseParser(size_t event_bytes_max = kSseEventBytesMax) : event_bytes_max_(event_bytes_max) {}

  // `bytes` must live until next() has returned false. REQUIRES: next() has returned false since the last
  // feed().
  void feed(std::string_view bytes);
  // False when the bytes are used up. The event's views hold until the next call.
  bool next(SseEvent* event);
  // The body has ended: what stands there without the blank line that should have closed it. The standard
  // drops it, but some servers leave the blank line behind their last event out. False: nothing.
  bool finish(SseEvent* event);
  // An event was longer than the limit. Nothing comes any more.
  bool too_large() const { return too_large_; }

 private:
  bool take_line(std::string_view* line);
  void drop_mark(std::string_view* line);
  void take_field(std::string_view line);
  void add_data(std::string_view value);
  bool end_event(SseEvent* event);
  void keep_what_is_left();
  bool fits(size_t more_bytes);

  const size_t event_bytes_max_;
  std::string_view input_;   // of this piece, what is not used yet
  std::string cut_line_;     // begun in earlier pieces
  bool line_taken_ = false;  // cut_line_ was handed out and can be cleared
  bool after_cr_ = false;    // a \n that comes now belongs to the line before
  bool first_line_ = true;   // may begin with a byte order mark

  std::string name_;
  bool has_data_ = false;
  bool ended_ = false;         // the event was handed out: its memory is free with the next call
  std::string_view one_line_;  // the data so far, where it is one line of this piece
  std::string data_;           // else
  bool too_large_ = false;
};

}  // namespace hussar
