#include "bench/trace.h"

namespace hussar {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

// Takes text apart from the front; once something is not what it should be, `fine` stays false.
struct DateCursor {
  std::string_view left;
  bool fine = true;

  int64_t digits(size_t count) {
    int64_t number = 0;
    if (left.size() < count) fine = false;
    for (size_t i = 0; fine && i < count; ++i) {
      if (left[i] < '0' || left[i] > '9') fine = false;
      number = number * 10 + (left[i] - '0');
    }
    if (fine) left.remove_prefix(count);
    return number;
  }
  bool take(std::string_view any) {
    if (left.empty() || any.find(left[0]) == std::string_view::npos) return false;
    left.remove_prefix(1);
    return true;
  }
  void need(std::string_view any) { fine = take(any) && fine; }
  // The digits behind a point as nanoseconds; what is finer is dropped.
  int64_t fraction_ns() {
    int64_t ns = 0, unit = kNsPerSecond;
    size_t count = 0;
    for (; !left.empty() && left[0] >= '0' && left[0] <= '9'; left.remove_prefix(1), ++count) {
      unit /= 10;
      ns += unit * (left[0] - '0');
    }
    if (count == 0 || count > 18) fine = false;
    return ns;
  }
};

// Days from 1970-01-01 to a date of the Gregorian calendar: years begin in March here, so that a leap day is
// a year's last day.
int64_t days_since_1970(int64_t year, int64_t month, int64_t day) {
  if (month < 3) --year;
  const int64_t month_from_march = (month + 9) % 12;
  const int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  constexpr int64_t kDaysTo1970 = 719'468;
  return 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - kDaysTo1970;
}

int64_t days_in_month(int64_t year, int64_t month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Seconds that the zone is ahead of UTC.
int64_t read_zone_s(DateCursor* cursor) {
  if (cursor->left.empty() || cursor->take("Z")) return 0;
  const bool behind = cursor->left[0] == '-';
  cursor->need("+-");
  const int64_t hours = cursor->digits(2);
  cursor->take(":");
  const int64_t minutes = cursor->left.empty() ? 0 : cursor->digits(2);
  if (hours > 14 || minutes > 59) cursor->fine = false;
  const int64_t seconds = hours * 3600 + minutes * 60;
  return behind ? -seconds : seconds;
}

}  // namespace

std::optional<int64_t> read_date_ns(std::string_view text) {
  DateCursor cursor{text};
  const int64_t year = cursor.digits(4);
  cursor.need("-");
  const int64_t month = cursor.digits(2);
  cursor.need("-");
  const int64_t day = cursor.digits(2);
  cursor.need(" T");
  const int64_t hour = cursor.digits(2);
  cursor.need(":");
  const int64_t minute = cursor.digits(2);
  cursor.need(":");
  const int64_t second = cursor.digits(2);
  const int64_t fraction_ns = cursor.take(".") ? cursor.fraction_ns() : 0;
  const int64_t zone_s = read_zone_s(&cursor);
  if (!cursor.fine || !cursor.left.empty()) return std::nullopt;
  if (year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  const int64_t seconds =
      days_since_1970(year, month, day) * 86'400 + hour * 3600 + minute * 60 + second - zone_s;
  return seconds * kNsPerSecond + fraction_ns;
}

}  // namespace hussar
