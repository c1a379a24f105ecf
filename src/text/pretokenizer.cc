#include "text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <string>

namespace hussar {
namespace {

// Unicode's White_Space. PCRE2's own \s also takes U+180E, which has been no space since Unicode 6.3 and is
// none to the trainers' engines.
#define SPACE_SET "\\x{09}-\\x{0D}\\x{85}\\p{Z}"
#define SPACE "[" SPACE_SET "]"
#define NO_SPACE "[^" SPACE_SET "]"
#define SYMBOL "[^" SPACE_SET "\\p{L}\\p{N}]"

#define GPT2_CONTRACTION "'s|'t|'re|'ve|'m|'ll|'d"
// The last run of spaces is one word; before a word it leaves its last space to it.
#define SPACE_RUNS SPACE "+(?!" NO_SPACE ")|" SPACE "+"
// The cut of Llama 3 and its heirs, which differ in how many digits make a word.
#define LLAMA3(DIGITS)                                                                               \
  "(?i:" GPT2_CONTRACTION ")|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" DIGITS "| ?" SYMBOL "+[\\r\\n]*|" SPACE \
  "*[\\r\\n]+|" SPACE_RUNS

struct Rule {
  std::string_view name;
  std::string_view pattern;
  bool wants_nfc;
  bool ignores_merges;
};

constexpr Rule kRules[] = {
    {"gpt-2", GPT2_CONTRACTION "| ?\\p{L}+| ?\\p{N}+| ?" SYMBOL "+|" SPACE_RUNS, false, false},
    // Its trainer cut out every digit first and then applied gpt-2's rule to what lay between, so a digit
    // ends a run of spaces as the end of the text does. One pattern says both.
    {"smollm",
     GPT2_CONTRACTION "| ?\\p{L}+|\\p{N}| ?" SYMBOL "+|" SPACE "+(?![^" SPACE_SET "\\p{N}])|" SPACE "+",
     false, false},
    {"qwen2", LLAMA3("\\p{N}"), true, false},
    {"llama-bpe", LLAMA3("\\p{N}{1,3}"), false, true},
    {"llama3", LLAMA3("\\p{N}{1,3}"), false, true},
    {"llama-v3", LLAMA3("\\p{N}{1,3}"), false, true},
};

// No pattern above needs more than one step back for each character of a word, so these are far away; they
// exist so that an engine's surprise costs time and not the process.
constexpr uint32_t kMatchLimit = 100'000'000;
constexpr uint32_t kHeapLimitKib = 64 << 10;

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

struct Pretokenizer::Impl {
  const Rule* rule = nullptr;
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;

  ~Impl() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Result<Pretokenizer> Pretokenizer::create(std::string_view name) {
  const auto rule =
      std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.name == name; });
  if (rule == std::end(kRules)) {
    std::string known;
    for (const Rule& r : kRules) known += (known.empty() ? "" : ", ") + std::string(r.name);
    return Error{ErrorCode::kUnsupported,
                 "pre-tokenizer \"" + std::string(name.substr(0, 64)) +
                     "\" is not supported (supported: " + known + ")",
                 "tokenizer.ggml.pre"};
  }
  auto impl = std::make_unique<Impl>();
  impl->rule = rule;
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  impl->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rule->pattern.data()), rule->pattern.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &error_offset, nullptr);
  CHECK_NOTE(impl->code != nullptr, "a pre-tokenizer's pattern does not compile");
  // Where the system forbids executable memory there is no JIT; pcre2_match then interprets the pattern.
  pcre2_jit_compile(impl->code, PCRE2_JIT_COMPLETE);
  impl->context = pcre2_match_context_create(nullptr);
  CHECK(impl->context != nullptr);
  pcre2_set_match_limit(impl->context, kMatchLimit);
  pcre2_set_heap_limit(impl->context, kHeapLimitKib);
  return Pretokenizer(std::move(impl));
}

void Pretokenizer::split(std::string_view text, std::vector<std::string_view>* words) const {
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> match(pcre2_match_data_create(1, nullptr));
  CHECK(match != nullptr);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
  size_t offset = 0;
  while (offset < text.size()) {
    const int count = pcre2_match(impl_->code, subject, text.size(), offset, PCRE2_NO_UTF_CHECK, match.get(),
                                  impl_->context);
    // The patterns match every character, so a match starts at `offset` and is not empty; anything else is
    // the engine giving up.
    const bool matched = count > 0 && bounds[0] == offset && bounds[1] > offset;
    const size_t end = matched ? bounds[1] : text.size();
    words->push_back(text.substr(offset, end - offset));
    offset = end;
  }
}

bool Pretokenizer::wants_nfc() const { return impl_->rule->wants_nfc; }
bool Pretokenizer::ignores_merges() const { return impl_->rule->ignores_merges; }

Pretokenizer::Pretokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;

}  // namespace hussar
