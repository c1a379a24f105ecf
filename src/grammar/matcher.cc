#include "grammar/matcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "grammar/internal/compiled_grammar_impl.h"

namespace hussar {

struct Matcher::Impl {
  std::shared_ptr<const CompiledGrammar> grammar;
  xgrammar::GrammarMatcher matcher;
  int64_t states_max;
};

Matcher::Matcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;
Matcher::~Matcher() = default;

Result<Matcher> Matcher::create(std::shared_ptr<const CompiledGrammar> grammar, int64_t states_max) {
  return without_throwing([&] {
    xgrammar::GrammarMatcher matcher(grammar->impl().grammar);
    return Matcher(std::make_unique<Impl>(Impl{std::move(grammar), std::move(matcher), states_max}));
  });
}

Result<void> Matcher::fill_mask(std::span<uint32_t> mask) {
  const int32_t vocab_size = impl_->grammar->vocab_size();
  const size_t words = mask_words(vocab_size);
  CHECK(mask.size() >= words);
  std::ranges::fill(mask, 0u);
  if (is_terminated()) return Error{ErrorCode::kInvalid, "the answer has ended", ""};
  int64_t shape = static_cast<int64_t>(words);
  DLTensor tensor{};
  tensor.data = mask.data();
  tensor.device = {kDLCPU, 0};
  tensor.ndim = 1;
  tensor.dtype = xgrammar::GetBitmaskDLType();
  tensor.shape = &shape;
  const ParseWork limit(impl_->states_max);
  RETURN_IF_ERROR(without_throwing([&] { impl_->matcher.FillNextTokenBitmask(&tensor); }));
  if (vocab_size % 32 != 0) mask[words - 1] &= (1u << (vocab_size % 32)) - 1;
  const bool any = std::ranges::any_of(mask, [](uint32_t word) { return word != 0; });
  if (!any) return Error{ErrorCode::kInvalid, "the grammar allows no token here", ""};
  return {};
}

Result<void> Matcher::accept(TokenId token) {
  const Error refused{ErrorCode::kInvalid,
                      "the grammar does not allow token " + std::to_string(token) + " here", ""};
  if (token < 0 || token >= impl_->grammar->vocab_size() || is_terminated()) return refused;
  const ParseWork limit(impl_->states_max);
  auto accepted = without_throwing([&] { return impl_->matcher.AcceptToken(token); });
  if (!accepted.ok()) return std::move(accepted).error();
  if (!*accepted) return refused;
  ++accepted_;
  return {};
}

void Matcher::rollback(int32_t count) {
  CHECK(count >= 0 && count <= accepted_);
  if (count == 0) return;
  impl_->matcher.Rollback(count);
  accepted_ -= count;
}

void Matcher::reset() {
  impl_->matcher.Reset();
  accepted_ = 0;
}

bool Matcher::may_end() const { return impl_->matcher.IsCompleted(); }
bool Matcher::is_terminated() const { return impl_->matcher.IsTerminated(); }

}  // namespace hussar
