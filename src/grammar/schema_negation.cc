// What a schema's negation allows: for each of its keywords, the values that break it.
#include <algorithm>
#include <utility>

#include "grammar/schema_expander.h"
#include "grammar/schema_keywords.h"

namespace hussar {
namespace {

constexpr int64_t kExcludedNumbersMax = 100;

constexpr uint8_t without(uint8_t types) { return static_cast<uint8_t>(Alternative::kAnyType & ~types); }

}  // namespace

Alternatives SchemaExpander::negative(Node node) {
  Alternatives out;
  const Json& schema = document_.schema(node);
  for (const std::string_view keyword : {"unevaluatedProperties", "unevaluatedItems"}) {
    if (schema.find(keyword) == nullptr) continue;
    refuse(ErrorCode::kUnsupported, keyword, document_.path(node),
           "not supported where the schema is negated ('not', 'oneOf', 'if')");
  }
  negate_type(node, &out);
  if (const Json* value = schema.find("const"); value != nullptr)
    add(other_values({value}, node), node, &out);
  if (const Json* values = schema.find("enum"); values != nullptr) {
    std::vector<const Json*> listed;
    for (const Json& value : *values->as_array()) listed.push_back(&value);
    add(other_values(listed, node), node, &out);
  }
  negate_number(node, &out);
  negate_string(node, &out);
  negate_array(node, &out);
  negate_object(node, &out);
  negate_combination(node, &out);
  return out;
}

void SchemaExpander::negate_type(Node node, Alternatives* out) {
  const Json& schema = document_.schema(node);
  if (schema.find("type") == nullptr) return;
  JsonObject only_type{{"type", *schema.find("type")}};
  const Alternative allowed = plain(document_.add_made(std::move(only_type), document_.path(node)));
  if (const uint8_t others = without(allowed.types); others != 0) out->push_back(Alternative::of(others));
  if ((allowed.types & Alternative::kNumber) != 0 && allowed.number.kind == NumberFacet::Kind::kInteger) {
    Alternative fraction = Alternative::of(Alternative::kNumber);
    fraction.number.kind = NumberFacet::Kind::kFraction;
    out->push_back(std::move(fraction));
  }
}

// All values but those of a list.
Alternatives SchemaExpander::other_values(const std::vector<const Json*>& values, Node node) {
  Alternative other;
  std::vector<std::string> words;
  int64_t word_bytes = 0;
  std::vector<SchemaRef> composed;
  for (const Json* value : values) {
    double number = 0;
    if (value->is_null()) {
      other.types &= without(Alternative::kNull);
    } else if (const bool* truth = value->as_bool(); truth != nullptr) {
      other.types &= without(*truth ? Alternative::kTrue : Alternative::kFalse);
    } else if (value->as_number(&number)) {
      other.number.none_of.push_back(Decimal::parse(write_json(*value)));
    } else if (const std::string* word = value->as_string(); word != nullptr) {
      words.push_back(*word);
      word_bytes += static_cast<int64_t>(word->size());
    } else {
      composed.push_back(2 * document_.add_made(value_as_schema(*value), document_.path(node)));
    }
  }
  if (word_bytes > limits_.pattern_states_max || other.number.demands() > kExcludedNumbersMax) {
    refuse(ErrorCode::kTooLarge, "enum", document_.path(node),
           "not supported with so many values where the schema is negated ('not', 'oneOf', 'if')");
    return {};
  }
  if (!words.empty()) {
    other.string.none.push_back(std::make_shared<const StringAutomaton>(StringAutomaton::words(words)));
  }
  Alternatives others{std::move(other)};
  for (const SchemaRef ref : composed) others = cross(others, expand(negated(ref), Tracking::kNo), node);
  return others;
}

void SchemaExpander::negate_number(Node node, Alternatives* out) {
  const Json& schema = document_.schema(node);
  const auto beyond = [&](std::string_view keyword, bool above, bool excluded) {
    const Json* value = schema.find(keyword);
    if (value == nullptr) return;
    Alternative other = Alternative::of(Alternative::kNumber);
    (above ? other.number.min : other.number.max) =
        NumberFacet::Bound{Decimal::parse(write_json(*value)), excluded};
    out->push_back(std::move(other));
  };
  beyond("minimum", false, true);
  beyond("exclusiveMinimum", false, false);
  beyond("maximum", true, true);
  beyond("exclusiveMaximum", true, false);
  if (schema.find("multipleOf") == nullptr) return;
  JsonObject only_multiple{{"multipleOf", *schema.find("multipleOf")}};
  Alternative other = plain(document_.add_made(std::move(only_multiple), document_.path(node)));
  other.types = Alternative::kNumber;
  std::swap(other.number.multiples, other.number.no_multiples);
  out->push_back(std::move(other));
}

void SchemaExpander::negate_string(Node node, Alternatives* out) {
  const Json& schema = document_.schema(node);
  const Json* min = schema.find("minLength");
  const Json* max = schema.find("maxLength");
  if (min != nullptr && *as_count(*min) > 0) {
    Alternative other = Alternative::of(Alternative::kString);
    other.string.max = *as_count(*min) - 1;
    out->push_back(std::move(other));
  }
  if (max != nullptr) {
    Alternative other = Alternative::of(Alternative::kString);
    other.string.min = *as_count(*max) + 1;
    out->push_back(std::move(other));
  }
  JsonObject only_texts;
  for (const std::string_view keyword : {"pattern", "format"}) {
    if (const Json* value = schema.find(keyword); value != nullptr) only_texts.emplace_back(keyword, *value);
  }
  if (only_texts.empty()) return;
  if (const Json* name = schema.find("format"); name != nullptr) {
    // The grammar writes some of a format's texts, so what is left over is not what breaks it.
    refuse(ErrorCode::kUnsupported, "format", document_.path(node),
           "not supported where the schema is negated ('not', 'oneOf', 'if')");
    return;
  }
  const Alternative matching = plain(document_.add_made(std::move(only_texts), document_.path(node)));
  for (const SharedAutomaton& automaton : matching.string.all) {
    Alternative other = Alternative::of(Alternative::kString);
    other.string.none.push_back(automaton);
    out->push_back(std::move(other));
  }
}

void SchemaExpander::negate_array(Node node, Alternatives* out) {
  const Json& schema = document_.schema(node);
  const auto array = [&](const auto& set) {
    Alternative other = Alternative::of(Alternative::kArray);
    set(&other.array);
    out->push_back(std::move(other));
  };
  if (const Json* min = schema.find("minItems"); min != nullptr && *as_count(*min) > 0) {
    array([&](ArrayFacet* facet) { facet->max = *as_count(*min) - 1; });
  }
  if (const Json* max = schema.find("maxItems"); max != nullptr) {
    array([&](ArrayFacet* facet) { facet->min = *as_count(*max) + 1; });
  }
  int64_t prefix_items = 0;
  if (const Json* prefix = schema.find("prefixItems"); prefix != nullptr) {
    for (const Json& item : *prefix->as_array()) {
      array([&](ArrayFacet* facet) {
        ArrayFacet::Layer layer;
        layer.prefix.assign(static_cast<size_t>(prefix_items), kAllowAll);
        layer.prefix.push_back(negated(ref_of(item)));
        facet->layers.push_back(std::move(layer));
        facet->min = ++prefix_items;
      });
    }
  }
  if (const Json* items = schema.find("items"); items != nullptr) {
    array([&](ArrayFacet* facet) {
      facet->contains.push_back({negated(ref_of(*items)), prefix_items, 1, -1});
    });
  }
  if (const Json* item = schema.find("contains"); item != nullptr) {
    const Json* min_text = schema.find("minContains");
    const int64_t min = min_text == nullptr ? 1 : *as_count(*min_text);
    if (min > 0) {
      array([&](ArrayFacet* facet) { facet->contains.push_back({ref_of(*item), 0, 0, min - 1}); });
    }
    if (const Json* max = schema.find("maxContains"); max != nullptr) {
      array([&](ArrayFacet* facet) {
        facet->contains.push_back({ref_of(*item), 0, *as_count(*max) + 1, -1});
      });
    }
  }
  if (const Json* unique = schema.find("uniqueItems"); unique != nullptr && *unique->as_bool()) {
    refuse(ErrorCode::kUnsupported, "uniqueItems", document_.path(node),
           "not supported where the schema is negated ('not', 'oneOf', 'if')");
  }
}

void SchemaExpander::negate_object(Node node, Alternatives* out) {
  const Json& schema = document_.schema(node);
  const auto object = [&](const auto& set) {
    Alternative other = Alternative::of(Alternative::kObject);
    set(&other.object);
    out->push_back(std::move(other));
  };
  const auto absent = [](const std::string& name) {
    return ObjectFacet::Layer{{{name, kAllowNone}}, {}, kAllowAll};
  };
  if (const Json* min = schema.find("minProperties"); min != nullptr && *as_count(*min) > 0) {
    object([&](ObjectFacet* facet) { facet->max = *as_count(*min) - 1; });
  }
  if (const Json* max = schema.find("maxProperties"); max != nullptr) {
    object([&](ObjectFacet* facet) { facet->min = *as_count(*max) + 1; });
  }
  if (const Json* names = schema.find("required"); names != nullptr) {
    for (const Json& name : *names->as_array()) {
      object([&](ObjectFacet* facet) { facet->layers.push_back(absent(*name.as_string())); });
    }
  }
  if (const Json* properties = schema.find("properties"); properties != nullptr) {
    // By member, since not every compiler lets a lambda capture a structured binding.
    for (const auto& property : *properties->as_object()) {
      object([&](ObjectFacet* facet) {
        facet->require(property.first);
        facet->layers.push_back({{{property.first, negated(ref_of(property.second))}}, {}, kAllowAll});
      });
    }
  }
  if (const Json* dependent = schema.find("dependentRequired"); dependent != nullptr) {
    for (const auto& dependency : *dependent->as_object()) {
      for (const Json& other : *dependency.second.as_array()) {
        object([&](ObjectFacet* facet) {
          facet->require(dependency.first);
          facet->layers.push_back(absent(*other.as_string()));
        });
      }
    }
  }
  for (const std::string_view keyword : {"patternProperties", "additionalProperties", "propertyNames"}) {
    const Json* value = schema.find(keyword);
    if (value == nullptr || (value->as_bool() != nullptr && *value->as_bool())) continue;
    refuse(ErrorCode::kUnsupported, keyword, document_.path(node),
           "not supported where the schema is negated ('not', 'oneOf', 'if')");
  }
}

void SchemaExpander::negate_combination(Node node, Alternatives* out) {
  const Json& schema = document_.schema(node);
  const auto without_one = [&](const Json& part) { return expand(negated(ref_of(part)), Tracking::kNo); };
  const auto with_one = [&](const Json& part) { return expand(ref_of(part), Tracking::kNo); };
  for (const std::string_view keyword : {"$ref", "$dynamicRef"}) {
    if (schema.find(keyword) != nullptr) add(reference(node, keyword, Tracking::kNo, 1), node, out);
  }
  if (const Json* all = schema.find("allOf"); all != nullptr) {
    for (const Json& part : *all->as_array()) add(without_one(part), node, out);
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Json* parts = schema.find(keyword);
    if (parts == nullptr) continue;
    Alternatives none{Alternative()};
    for (const Json& part : *parts->as_array()) none = cross(none, without_one(part), node);
    add(none, node, out);
  }
  if (const Json* parts = schema.find("oneOf"); parts != nullptr) {
    const JsonArray& branches = *parts->as_array();
    for (size_t i = 0; i < branches.size(); ++i) {
      for (size_t j = i + 1; j < branches.size(); ++j) {
        if (refusal_) return;
        add(cross(with_one(branches[i]), with_one(branches[j]), node), node, out);
      }
    }
  }
  if (const Json* part = schema.find("not"); part != nullptr) add(with_one(*part), node, out);
  if (const Json* condition = schema.find("if"); condition != nullptr) {
    if (const Json* part = schema.find("then"); part != nullptr) {
      add(cross(with_one(*condition), without_one(*part), node), node, out);
    }
    if (const Json* part = schema.find("else"); part != nullptr) {
      add(cross(without_one(*condition), without_one(*part), node), node, out);
    }
  }
  if (const Json* dependent = schema.find("dependentSchemas"); dependent != nullptr) {
    for (const auto& [name, part] : *dependent->as_object()) {
      Alternative present = Alternative::of(Alternative::kObject);
      present.object.require(name);
      add(cross({present}, without_one(part), node), node, out);
    }
  }
}

}  // namespace hussar
