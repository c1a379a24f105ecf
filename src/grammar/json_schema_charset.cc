#include "grammar/json_schema_charset.h"

#include <utf8proc.h>

#include <algorithm>

namespace hussar {
namespace {

constexpr char32_t kLast = 0x10FFFF;

constexpr CharSet::Range kDigit[] = {{'0', '9'}};
constexpr CharSet::Range kWord[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
// ECMA-262's WhiteSpace and LineTerminator.
constexpr CharSet::Range kSpace[] = {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
                                     {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                     {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};

template <size_t N>
void add_all(const CharSet::Range (&ranges)[N], CharSet* set) {
  for (const auto& [first, last] : ranges) set->add_range(first, last);
}

template <size_t N>
void add_all_but(const CharSet::Range (&ranges)[N], CharSet* set) {
  char32_t next = 0;
  for (const auto& [first, last] : ranges) {
    set->add_range(next, first - 1);
    next = last + 1;
  }
  set->add_range(next, kLast);
}

constexpr uint32_t bit(int category) { return uint32_t{1} << category; }

// The categories' own bits, so that utf8proc's numbers stand in one place.
constexpr uint32_t kLu = bit(UTF8PROC_CATEGORY_LU), kLl = bit(UTF8PROC_CATEGORY_LL),
                   kLt = bit(UTF8PROC_CATEGORY_LT), kLm = bit(UTF8PROC_CATEGORY_LM),
                   kLo = bit(UTF8PROC_CATEGORY_LO), kMn = bit(UTF8PROC_CATEGORY_MN),
                   kMc = bit(UTF8PROC_CATEGORY_MC), kMe = bit(UTF8PROC_CATEGORY_ME),
                   kNd = bit(UTF8PROC_CATEGORY_ND), kNl = bit(UTF8PROC_CATEGORY_NL),
                   kNo = bit(UTF8PROC_CATEGORY_NO), kPc = bit(UTF8PROC_CATEGORY_PC),
                   kPd = bit(UTF8PROC_CATEGORY_PD), kPs = bit(UTF8PROC_CATEGORY_PS),
                   kPe = bit(UTF8PROC_CATEGORY_PE), kPi = bit(UTF8PROC_CATEGORY_PI),
                   kPf = bit(UTF8PROC_CATEGORY_PF), kPo = bit(UTF8PROC_CATEGORY_PO),
                   kSm = bit(UTF8PROC_CATEGORY_SM), kSc = bit(UTF8PROC_CATEGORY_SC),
                   kSk = bit(UTF8PROC_CATEGORY_SK), kSo = bit(UTF8PROC_CATEGORY_SO),
                   kZs = bit(UTF8PROC_CATEGORY_ZS), kZl = bit(UTF8PROC_CATEGORY_ZL),
                   kZp = bit(UTF8PROC_CATEGORY_ZP), kCc = bit(UTF8PROC_CATEGORY_CC),
                   kCf = bit(UTF8PROC_CATEGORY_CF), kCs = bit(UTF8PROC_CATEGORY_CS),
                   kCo = bit(UTF8PROC_CATEGORY_CO), kCn = bit(UTF8PROC_CATEGORY_CN);
constexpr uint32_t kCased = kLu | kLl | kLt, kLetter = kCased | kLm | kLo, kMark = kMn | kMc | kMe,
                   kNumber = kNd | kNl | kNo, kPunctuation = kPc | kPd | kPs | kPe | kPi | kPf | kPo,
                   kSymbol = kSm | kSc | kSk | kSo, kSeparator = kZs | kZl | kZp,
                   kOther = kCc | kCf | kCs | kCo | kCn;
constexpr uint32_t kAny = kLetter | kMark | kNumber | kPunctuation | kSymbol | kSeparator | kOther;

struct CategoryName {
  std::string_view names[4];
  uint32_t mask;
};

constexpr CategoryName kCategoryNames[] = {
    {{"L", "Letter"}, kLetter},
    {{"LC", "Cased_Letter"}, kCased},
    {{"Lu", "Uppercase_Letter"}, kLu},
    {{"Ll", "Lowercase_Letter"}, kLl},
    {{"Lt", "Titlecase_Letter"}, kLt},
    {{"Lm", "Modifier_Letter"}, kLm},
    {{"Lo", "Other_Letter"}, kLo},
    {{"M", "Mark", "Combining_Mark"}, kMark},
    {{"Mn", "Nonspacing_Mark"}, kMn},
    {{"Mc", "Spacing_Mark"}, kMc},
    {{"Me", "Enclosing_Mark"}, kMe},
    {{"N", "Number"}, kNumber},
    {{"Nd", "Decimal_Number", "digit"}, kNd},
    {{"Nl", "Letter_Number"}, kNl},
    {{"No", "Other_Number"}, kNo},
    {{"P", "Punctuation", "punct"}, kPunctuation},
    {{"Pc", "Connector_Punctuation"}, kPc},
    {{"Pd", "Dash_Punctuation"}, kPd},
    {{"Ps", "Open_Punctuation"}, kPs},
    {{"Pe", "Close_Punctuation"}, kPe},
    {{"Pi", "Initial_Punctuation"}, kPi},
    {{"Pf", "Final_Punctuation"}, kPf},
    {{"Po", "Other_Punctuation"}, kPo},
    {{"S", "Symbol"}, kSymbol},
    {{"Sm", "Math_Symbol"}, kSm},
    {{"Sc", "Currency_Symbol"}, kSc},
    {{"Sk", "Modifier_Symbol"}, kSk},
    {{"So", "Other_Symbol"}, kSo},
    {{"Z", "Separator"}, kSeparator},
    {{"Zs", "Space_Separator"}, kZs},
    {{"Zl", "Line_Separator"}, kZl},
    {{"Zp", "Paragraph_Separator"}, kZp},
    {{"C", "Other"}, kOther},
    {{"Cc", "Control", "cntrl"}, kCc},
    {{"Cf", "Format"}, kCf},
    {{"Cs", "Surrogate"}, kCs},
    {{"Co", "Private_Use"}, kCo},
    {{"Cn", "Unassigned"}, kCn},
};

// 0 where no category has the name.
uint32_t category_mask(std::string_view name) {
  if (name == "Any") return kAny;
  if (name == "Assigned") return kAny & ~kCn;
  for (const std::string_view prefix : {"General_Category=", "gc="}) {
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  }
  for (const CategoryName& category : kCategoryNames) {
    for (const std::string_view known : category.names) {
      if (!known.empty() && known == name) return category.mask;
    }
  }
  return 0;
}

}  // namespace

void CharSet::add_escape(char letter) {
  switch (letter) {
    case 'd':
      return add_all(kDigit, this);
    case 'D':
      return add_all_but(kDigit, this);
    case 's':
      return add_all(kSpace, this);
    case 'S':
      return add_all_but(kSpace, this);
    case 'w':
      return add_all(kWord, this);
    case 'W':
      return add_all_but(kWord, this);
    default:
      return;
  }
}

void CharSet::seal() {
  std::sort(ranges_.begin(), ranges_.end());
  std::vector<Range> merged;
  for (const Range& range : ranges_) {
    if (!merged.empty() && range.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, range.second);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
  for (char32_t point = 0; point < 128; ++point) {
    if (holds(point) != negated_) ascii_[point >> 6] |= uint64_t{1} << (point & 63);
  }
}

bool CharSet::holds(char32_t point) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), point,
                                      [](char32_t p, const Range& range) { return p < range.first; });
  if (after != ranges_.begin() && point <= std::prev(after)->second) return true;
  return categories_ != 0 &&
         (categories_ >> utf8proc_category(static_cast<utf8proc_int32_t>(point)) & 1) != 0;
}

bool CharSet::add_property(std::string_view name, Which which) {
  if (name == "ASCII") {
    which == Which::kThose ? add_range(0, 0x7F) : add_range(0x80, kLast);
    return true;
  }
  const uint32_t mask = category_mask(name);
  categories_ |= which == Which::kThose ? mask : kAny & ~mask;
  return mask != 0;
}

}  // namespace hussar
