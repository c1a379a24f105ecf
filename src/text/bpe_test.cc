#include "text/bpe.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace hussar {
namespace {

// The definition, in quadratic time.
std::vector<TokenId> encode_slowly(std::vector<TokenId> ids, const std::vector<Bpe::Merge>& merges) {
  while (true) {
    size_t best_rank = merges.size();
    size_t best_at = 0;
    for (size_t at = 0; at + 1 < ids.size(); ++at) {
      for (size_t rank = 0; rank < best_rank; ++rank) {
        if (merges[rank].left == ids[at] && merges[rank].right == ids[at + 1]) {
          best_rank = rank;
          best_at = at;
        }
      }
    }
    if (best_rank == merges.size()) return ids;
    ids[best_at] = merges[best_rank].result;
    ids.erase(ids.begin() + static_cast<int64_t>(best_at) + 1);
  }
}

TEST(Bpe, EqualsTheDefinitionOnRandomMerges) {
  constexpr unsigned kSeed = 4711;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 400; ++round) {
    const int letters = 1 + static_cast<int>(random() % 4);
    std::array<TokenId, 256> byte_tokens;
    byte_tokens.fill(-1);
    std::vector<std::string> spellings;
    for (int i = 0; i < letters; ++i) {
      byte_tokens['a' + i] = i;
      spellings.push_back(std::string(1, static_cast<char>('a' + i)));
    }
    // Merges in any order, also such that a later token's parts come after it, and two that form one
    // spelling.
    std::vector<Bpe::Merge> merges;
    for (size_t i = random() % 14; i > 0; --i) {
      const auto left = static_cast<TokenId>(random() % spellings.size());
      const auto right = static_cast<TokenId>(random() % spellings.size());
      const std::string joined = spellings[left] + spellings[right];
      auto result =
          static_cast<TokenId>(std::find(spellings.begin(), spellings.end(), joined) - spellings.begin());
      if (result == static_cast<TokenId>(spellings.size())) spellings.push_back(joined);
      merges.push_back({left, right, result});
    }
    std::shuffle(merges.begin(), merges.end(), random);
    const Bpe bpe(byte_tokens, merges);
    Bpe::Scratch scratch;
    for (int word_round = 0; word_round < 30; ++word_round) {
      std::string word;
      std::vector<TokenId> bytes;
      for (size_t i = random() % 24; i > 0; --i) {
        const auto letter = static_cast<TokenId>(random() % (letters + 1));  // the last one has no token
        word.push_back(static_cast<char>('a' + letter));
        if (letter < letters) bytes.push_back(letter);
      }
      std::vector<TokenId> ids;
      bpe.encode(word, &scratch, &ids);
      ASSERT_EQ(ids, encode_slowly(bytes, merges))
          << "seed " << kSeed << " round " << round << " word " << word;
    }
  }
}

}  // namespace
}  // namespace hussar
