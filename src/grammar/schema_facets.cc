#include "grammar/schema_facets.h"

#include <algorithm>
#include <iterator>

namespace hussar {
namespace {

void raise(int64_t other, int64_t* min) { *min = std::max(*min, other); }
void lower(int64_t other, int64_t* max) {
  if (other >= 0) *max = *max < 0 ? other : std::min(*max, other);
}
bool crossed(int64_t min, int64_t max) { return max >= 0 && min > max; }

template <typename T>
void append_new(const std::vector<T>& from, std::vector<T>* to) {
  for (const T& one : from) {
    if (std::find(to->begin(), to->end(), one) == to->end()) to->push_back(one);
  }
}

int64_t code_points_in(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

// What a list of words must be beside being in the list is settled word by word.
void settle_words(StringFacet* facet) {
  std::erase_if(*facet->words, [&](const std::string& word) {
    const auto matches = [&](const SharedAutomaton& automaton) { return automaton->matches(word); };
    const int64_t length = code_points_in(word);
    return length < facet->min || (facet->max >= 0 && length > facet->max) ||
           !std::all_of(facet->all.begin(), facet->all.end(), matches) ||
           std::any_of(facet->none.begin(), facet->none.end(), matches);
  });
  StringFacet settled;
  settled.words = std::move(facet->words);
  *facet = std::move(settled);
}

// False when nothing is left.
bool intersect_strings(const StringFacet& other, StringFacet* facet) {
  append_new(other.all, &facet->all);
  append_new(other.none, &facet->none);
  raise(other.min, &facet->min);
  lower(other.max, &facet->max);
  if (facet->words && other.words) {
    std::vector<std::string> both;
    std::set_intersection(facet->words->begin(), facet->words->end(), other.words->begin(),
                          other.words->end(), std::back_inserter(both));
    facet->words = std::move(both);
  } else if (other.words) {
    facet->words = other.words;
  }
  if (facet->words) settle_words(facet);
  return !crossed(facet->min, facet->max) && !(facet->words && facet->words->empty());
}

bool intersect_arrays(const ArrayFacet& other, ArrayFacet* facet) {
  append_new(other.layers, &facet->layers);
  append_new(other.contains, &facet->contains);
  raise(other.min, &facet->min);
  lower(other.max, &facet->max);
  return !crossed(facet->min, facet->max);
}

bool intersect_objects(const ObjectFacet& other, ObjectFacet* facet) {
  append_new(other.layers, &facet->layers);
  append_new(other.names, &facet->names);
  append_new(other.required, &facet->required);
  raise(other.min, &facet->min);
  lower(other.max, &facet->max);
  facet->lists_properties |= other.lists_properties;
  facet->says_of_others |= other.says_of_others;
  if (crossed(std::max(facet->min, static_cast<int64_t>(facet->required.size())), facet->max)) return false;
  for (const ObjectFacet::Layer& layer : facet->layers) {
    for (const auto& [name, value] : layer.names) {
      if (value == kAllowNone && facet->requires_name(name)) return false;
    }
  }
  return true;
}

void add_evaluated(const Evaluated& other, Evaluated* evaluated) {
  evaluated->all_properties |= other.all_properties;
  evaluated->properties.insert(other.properties.begin(), other.properties.end());
  append_new(other.patterns, &evaluated->patterns);
  evaluated->all_items |= other.all_items;
  raise(other.items, &evaluated->items);
  append_new(other.contained, &evaluated->contained);
}

bool is_nothing_evaluated(const Evaluated& evaluated) {
  return !evaluated.all_properties && evaluated.properties.empty() && evaluated.patterns.empty() &&
         !evaluated.all_items && evaluated.items == 0 && evaluated.contained.empty();
}

}  // namespace

void Alternative::intersect(const Alternative& other) {
  types &= other.types;
  number.intersect(other.number);
  if (number.nothing) types &= static_cast<uint8_t>(~kNumber);
  if (!intersect_strings(other.string, &string)) types &= static_cast<uint8_t>(~kString);
  if (!intersect_arrays(other.array, &array)) types &= static_cast<uint8_t>(~kArray);
  if (!intersect_objects(other.object, &object)) types &= static_cast<uint8_t>(~kObject);
  add_evaluated(other.evaluated, &evaluated);
}

bool Alternative::is_list() const {
  if ((types & (kArray | kObject)) != 0 || !is_nothing_evaluated(evaluated)) return false;
  const bool numbers_listed = (types & kNumber) == 0 || number.one_of;
  const bool strings_listed = (types & kString) == 0 || string.words;
  return numbers_listed && strings_listed;
}

void join_lists(Alternatives* alternatives) {
  const auto first_list = std::stable_partition(alternatives->begin(), alternatives->end(),
                                                [](const Alternative& one) { return !one.is_list(); });
  if (std::distance(first_list, alternatives->end()) < 2) return;
  Alternative joined = Alternative::of(0);
  std::vector<Decimal> numbers;
  std::set<std::string> words;
  for (auto it = first_list; it != alternatives->end(); ++it) {
    joined.types |= it->types;
    if ((it->types & Alternative::kNumber) != 0) {
      for (const Decimal& number : *it->number.one_of) {
        if (it->number.allows(number)) append_new({number}, &numbers);
      }
    }
    if ((it->types & Alternative::kString) != 0)
      words.insert(it->string.words->begin(), it->string.words->end());
  }
  if ((joined.types & Alternative::kNumber) != 0) joined.number.one_of = std::move(numbers);
  if ((joined.types & Alternative::kString) != 0) {
    joined.string.words = std::vector<std::string>(words.begin(), words.end());
  }
  alternatives->erase(first_list, alternatives->end());
  alternatives->push_back(std::move(joined));
}

}  // namespace hussar
