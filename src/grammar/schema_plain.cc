// Keywords that leave one way only.
#include <algorithm>
#include <utility>

#include "grammar/regex_automaton.h"
#include "grammar/schema_expander.h"
#include "grammar/schema_formats.h"
#include "grammar/schema_keywords.h"

namespace hussar {
namespace {

int64_t count_or(const Json& schema, std::string_view keyword, int64_t otherwise) {
  const Json* value = schema.find(keyword);
  return value == nullptr ? otherwise : *as_count(*value);
}

uint8_t type_bits(const Json& types, bool* integer_only) {
  *integer_only = false;
  const auto bits_of = [&](const std::string& name) -> uint8_t {
    if (name == "null") return Alternative::kNull;
    if (name == "boolean") return Alternative::kBoolean;
    if (name == "string") return Alternative::kString;
    if (name == "array") return Alternative::kArray;
    if (name == "object") return Alternative::kObject;
    return Alternative::kNumber;
  };
  if (const std::string* name = types.as_string(); name != nullptr) {
    *integer_only = *name == "integer";
    return bits_of(*name);
  }
  uint8_t bits = 0;
  bool number = false;
  bool integer = false;
  for (const Json& type : *types.as_array()) {
    bits |= bits_of(*type.as_string());
    number |= *type.as_string() == "number";
    integer |= *type.as_string() == "integer";
  }
  *integer_only = integer && !number;
  return bits;
}

}  // namespace

Alternative SchemaExpander::plain(Node node) {
  const Json& schema = document_.schema(node);
  Alternative alternative;
  if (const Json* types = schema.find("type"); types != nullptr) {
    bool integer_only = false;
    alternative.types = type_bits(*types, &integer_only);
    if (integer_only) alternative.number.kind = NumberFacet::Kind::kInteger;
  }
  plain_number(node, &alternative);
  plain_string(node, &alternative);
  plain_array(node, &alternative);
  plain_object(node, &alternative);
  if (schema.find("format") != nullptr) format(node, &alternative);
  alternative.intersect(Alternative());  // drops types whose bounds leave nothing
  return alternative;
}

void SchemaExpander::plain_number(Node node, Alternative* alternative) {
  const Json& schema = document_.schema(node);
  const auto demand = [&](std::string_view keyword, bool lower, bool excluded) {
    const Json* value = schema.find(keyword);
    if (value == nullptr) return;
    NumberFacet facet;
    (lower ? facet.min : facet.max) = NumberFacet::Bound{Decimal::parse(write_json(*value)), excluded};
    alternative->number.intersect(facet);
  };
  demand("minimum", true, false);
  demand("exclusiveMinimum", true, true);
  demand("maximum", false, false);
  demand("exclusiveMaximum", false, true);
  if (const Json* value = schema.find("multipleOf"); value != nullptr) {
    const std::optional<DecimalStep> step = decimal_step(Decimal::parse(write_json(*value)));
    if (!step || step->step > limits_.multiple_max) {
      refuse(ErrorCode::kTooLarge, "multipleOf", document_.path(node),
             "has digits beyond " + std::to_string(limits_.multiple_max) + ", its decimal point aside");
      return;
    }
    alternative->number.multiples.push_back(*step);
  }
}

void SchemaExpander::plain_string(Node node, Alternative* alternative) {
  const Json& schema = document_.schema(node);
  alternative->string.min = count_or(schema, "minLength", 0);
  alternative->string.max = count_or(schema, "maxLength", -1);
  if (const Json* text = schema.find("pattern"); text != nullptr) {
    if (const SharedAutomaton automaton = pattern(*text->as_string(), "pattern", node);
        automaton != nullptr) {
      alternative->string.all.push_back(automaton);
    }
  }
}

SharedAutomaton SchemaExpander::pattern(const std::string& text, std::string_view keyword, Node node) {
  if (const auto it = patterns_.find(text); it != patterns_.end()) return it->second;
  const RegexLimits limits{static_cast<size_t>(limits_.pattern_bytes_max), limits_.pattern_states_max};
  Result<StringAutomaton> automaton = regex_automaton(text, RegexMatch::kSearch, limits);
  if (!automaton.ok()) {
    const std::string what = automaton.error().code == ErrorCode::kUnsupported ? "not supported: " : "";
    refuse(automaton.error().code, keyword, document_.path(node), what + automaton.error().message);
    return nullptr;
  }
  spend(static_cast<int64_t>(automaton->states().size()));
  return patterns_[text] = std::make_shared<const StringAutomaton>(std::move(*automaton));
}

void SchemaExpander::format(Node node, Alternative* alternative) {
  const std::string& name = *document_.schema(node).find("format")->as_string();
  const std::optional<SchemaFormat> known = find_format(name);
  if (!known) {
    refuse(ErrorCode::kUnsupported, "format", document_.path(node),
           "not supported: \"" + name.substr(0, 100) + "\" is not known; use 'pattern' instead");
    return;
  }
  switch (known->treatment) {
    case SchemaFormat::Treatment::kPattern: {
      const std::string whole = "^(?:" + std::string(known->pattern) + ")$";
      const bool anchored = known->pattern.starts_with("^");
      const SharedAutomaton automaton =
          pattern(anchored ? std::string(known->pattern) : whole, "format", node);
      if (automaton != nullptr) alternative->string.all.push_back(automaton);
      break;
    }
    case SchemaFormat::Treatment::kCheck:
      add_check("format", document_.path(node));
      break;
    case SchemaFormat::Treatment::kRange: {
      NumberFacet facet;
      facet.min = NumberFacet::Bound{Decimal::parse(std::to_string(known->min)), false};
      facet.max = NumberFacet::Bound{Decimal::parse(std::to_string(known->max)), false};
      facet.kind = NumberFacet::Kind::kInteger;
      alternative->number.intersect(facet);
      break;
    }
    case SchemaFormat::Treatment::kAnnotation:
      break;
  }
}

void SchemaExpander::plain_array(Node node, Alternative* alternative) {
  const Json& schema = document_.schema(node);
  ArrayFacet& array = alternative->array;
  array.min = count_or(schema, "minItems", 0);
  array.max = count_or(schema, "maxItems", -1);
  const Json* prefix = schema.find("prefixItems");
  const Json* items = schema.find("items");
  if (prefix != nullptr || items != nullptr) {
    ArrayFacet::Layer layer;
    if (prefix != nullptr) {
      for (const Json& item : *prefix->as_array()) layer.prefix.push_back(ref_of(item));
    }
    if (items != nullptr) layer.rest = ref_of(*items);
    alternative->evaluated.items = static_cast<int64_t>(layer.prefix.size());
    alternative->evaluated.all_items = items != nullptr;
    array.layers.push_back(std::move(layer));
  }
  if (const Json* item = schema.find("contains"); item != nullptr) {
    array.contains.push_back(
        {ref_of(*item), 0, count_or(schema, "minContains", 1), count_or(schema, "maxContains", -1)});
    alternative->evaluated.contained.push_back(ref_of(*item));
  }
  const Json* unique = schema.find("uniqueItems");
  if (unique != nullptr && *unique->as_bool() && (array.max < 0 || array.max > 1)) {
    const bool can_be_array = (alternative->types & Alternative::kArray) != 0;
    if (can_be_array) add_check("uniqueItems", document_.path(node));
  }
}

ObjectFacet::Layer SchemaExpander::property_layer(Node node) {
  const Json& schema = document_.schema(node);
  ObjectFacet::Layer layer;
  if (const Json* properties = schema.find("properties"); properties != nullptr) {
    for (const auto& [name, value] : *properties->as_object()) layer.names.emplace_back(name, ref_of(value));
  }
  if (const Json* patterns = schema.find("patternProperties"); patterns != nullptr) {
    for (const auto& [text, value] : *patterns->as_object()) {
      const SharedAutomaton automaton = pattern(text, "patternProperties", node);
      if (automaton == nullptr) return {};
      layer.patterns.emplace_back(automaton, ref_of(value));
    }
  }
  if (const Json* rest = schema.find("additionalProperties"); rest != nullptr) layer.rest = ref_of(*rest);
  return layer;
}

void SchemaExpander::plain_object(Node node, Alternative* alternative) {
  const Json& schema = document_.schema(node);
  ObjectFacet& object = alternative->object;
  object.min = count_or(schema, "minProperties", 0);
  object.max = count_or(schema, "maxProperties", -1);
  if (const Json* names = schema.find("required"); names != nullptr) {
    for (const Json& name : *names->as_array()) object.require(*name.as_string());
  }
  if (const Json* names = schema.find("propertyNames"); names != nullptr)
    object.names.push_back(ref_of(*names));
  const Json* const listed = schema.find("properties");
  object.lists_properties = listed != nullptr && !listed->as_object()->empty();
  for (const std::string_view keyword :
       {"additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties"}) {
    object.says_of_others |= schema.find(keyword) != nullptr;
  }
  ObjectFacet::Layer layer = property_layer(node);
  if (layer == ObjectFacet::Layer()) return;
  for (const auto& [name, value] : layer.names) alternative->evaluated.properties.insert(name);
  for (const auto& [automaton, value] : layer.patterns) alternative->evaluated.patterns.push_back(automaton);
  alternative->evaluated.all_properties = schema.find("additionalProperties") != nullptr;
  object.layers.push_back(std::move(layer));
}

// const and enum: scalars in one list, arrays and objects as schemas that allow just them.
Alternatives SchemaExpander::listed_values(const std::vector<const Json*>& values, Node node) {
  Alternatives alternatives;
  if (values.size() > static_cast<size_t>(limits_.enum_values_max)) {
    refuse(ErrorCode::kTooLarge, "enum", document_.path(node),
           "has more than " + std::to_string(limits_.enum_values_max) + " values");
    return {};
  }
  Alternative list = Alternative::of(0);
  std::vector<std::string> words;
  std::vector<Decimal> numbers;
  for (const Json* value : values) {
    double number = 0;
    if (value->is_null()) {
      list.types |= Alternative::kNull;
    } else if (const bool* truth = value->as_bool(); truth != nullptr) {
      list.types |= *truth ? Alternative::kTrue : Alternative::kFalse;
    } else if (value->as_number(&number)) {
      list.types |= Alternative::kNumber;
      numbers.push_back(Decimal::parse(write_json(*value)));
    } else if (const std::string* word = value->as_string(); word != nullptr) {
      list.types |= Alternative::kString;
      words.push_back(*word);
    } else {
      const Node made = document_.add_made(value_as_schema(*value), document_.path(node));
      add(expand(2 * made, Tracking::kNo), node, &alternatives);
    }
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  if ((list.types & Alternative::kString) != 0) list.string.words = std::move(words);
  if ((list.types & Alternative::kNumber) != 0) list.number.one_of = std::move(numbers);
  if (list.types != 0) alternatives.push_back(std::move(list));
  return alternatives;
}

Json SchemaExpander::value_as_schema(const Json& value) const {
  JsonObject schema;
  if (const JsonArray* items = value.as_array(); items != nullptr) {
    JsonArray constants;
    for (const Json& item : *items) constants.push_back(JsonObject{{"const", item}});
    schema.emplace_back("type", "array");
    if (!items->empty()) schema.emplace_back("prefixItems", std::move(constants));
    schema.emplace_back("minItems", static_cast<int64_t>(items->size()));
    schema.emplace_back("maxItems", static_cast<int64_t>(items->size()));
    return schema;
  }
  JsonArray names;
  JsonObject constants;
  for (const auto& [name, member] : *value.as_object()) {
    names.emplace_back(name);
    constants.emplace_back(name, JsonObject{{"const", member}});
  }
  schema.emplace_back("type", "object");
  schema.emplace_back("maxProperties", static_cast<int64_t>(names.size()));
  schema.emplace_back("properties", std::move(constants));
  schema.emplace_back("required", std::move(names));
  return schema;
}

}  // namespace hussar
