// What a value must be, type by type, when it satisfies some schemas in one certain way. A set of schemas is
// satisfied in one of several such ways, its alternatives.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grammar/number_automaton.h"
#include "grammar/string_automaton.h"

namespace hussar {

// A subschema by its number in the document, or its negation: 2 * node, plus 1 when negated.
using SchemaRef = int32_t;
constexpr SchemaRef kAllowAll = 0;  // node 0 allows everything
constexpr SchemaRef kAllowNone = 1;
constexpr SchemaRef negated(SchemaRef ref) { return ref ^ 1; }

using SharedAutomaton = std::shared_ptr<const StringAutomaton>;

struct StringFacet {
  std::vector<SharedAutomaton> all;   // each must match
  std::vector<SharedAutomaton> none;  // none may
  // Sorted; one of them. Then there are no other demands: they were settled word by word.
  std::optional<std::vector<std::string>> words;
  int64_t min = 0, max = -1;  // code points
};

struct ArrayFacet {
  // Items by their place: prefix[i], then `rest`.
  struct Layer {
    std::vector<SchemaRef> prefix;
    SchemaRef rest = kAllowAll;
    bool operator==(const Layer&) const = default;
  };
  // Of the items from `from` on, min to max satisfy `item`.
  struct Contains {
    SchemaRef item = kAllowAll;
    int64_t from = 0;
    int64_t min = 1, max = -1;
    bool operator==(const Contains&) const = default;
  };
  std::vector<Layer> layers;
  std::vector<Contains> contains;
  int64_t min = 0, max = -1;

  SchemaRef item_of(const Layer& layer, size_t index) const {
    return index < layer.prefix.size() ? layer.prefix[index] : layer.rest;
  }
};

struct ObjectFacet {
  // Values by their name: that of `names`, and of each pattern that matches; `rest` where there is neither.
  struct Layer {
    std::vector<std::pair<std::string, SchemaRef>> names;
    std::vector<std::pair<SharedAutomaton, SchemaRef>> patterns;
    SchemaRef rest = kAllowAll;
    bool operator==(const Layer&) const = default;
  };
  std::vector<Layer> layers;
  std::vector<std::string> required;  // in the order of the schema, each once
  std::vector<SchemaRef> names;       // schemas that each name satisfies
  int64_t min = 0, max = -1;
  bool lists_properties = false;  // by name
  bool says_of_others = false;    // what properties there may be beside those

  bool requires_name(const std::string& name) const {
    return std::find(required.begin(), required.end(), name) != required.end();
  }
  void require(const std::string& name) {
    if (!requires_name(name)) required.push_back(name);
  }
};

// Which properties and items a schema has looked at, for unevaluatedProperties and unevaluatedItems.
struct Evaluated {
  bool all_properties = false;
  std::set<std::string> properties;
  std::vector<SharedAutomaton> patterns;
  bool all_items = false;
  int64_t items = 0;                 // the first so many
  std::vector<SchemaRef> contained;  // and those that satisfy one of these
};

struct Alternative {
  enum Type : uint8_t {
    kNull = 1,
    kFalse = 2,
    kTrue = 4,
    kNumber = 8,
    kString = 16,
    kArray = 32,
    kObject = 64
  };
  static constexpr uint8_t kBoolean = kFalse | kTrue;
  static constexpr uint8_t kAnyType = 127;

  uint8_t types = kAnyType;
  NumberFacet number;
  StringFacet string;
  ArrayFacet array;
  ObjectFacet object;
  Evaluated evaluated;

  static Alternative of(uint8_t types) {
    Alternative alternative;
    alternative.types = types;
    return alternative;
  }
  // Keeps the values that both allow; types that have none left are dropped where that is cheap to see.
  void intersect(const Alternative& other);
  // Only values of a list, none of them an array or object.
  bool is_list() const;
};

using Alternatives = std::vector<Alternative>;

// Joins the alternatives that are lists into one.
void join_lists(Alternatives* alternatives);

}  // namespace hussar
