// A JSON Schema document, walked once: every subschema has a number and a path, every $id and anchor is
// known, every keyword has been looked at. What is no schema, or holds a keyword that is refused wherever it
// stands, is found here.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "grammar/schema_gate.h"

namespace hussar {

class IndexedSchema {
 public:
  using Node = int32_t;
  static constexpr Node kTrue = 0;  // a schema that allows everything, for whoever needs one

  // Keeps a pointer to `root`.
  static std::variant<IndexedSchema, SchemaRefusal> read(const Json& root, int32_t nodes_max);

  Node root() const { return 1; }
  const Json& schema(Node node) const { return *nodes_[node].schema; }
  const std::string& path(Node node) const { return nodes_[node].path; }
  int32_t node_count() const { return static_cast<int32_t>(nodes_.size()); }

  // Of a subschema that stands in the document. REQUIRES: one of those that were walked.
  Node node_of(const Json& schema) const { return numbers_.at(&schema); }
  // A schema made here, which counts as standing at `path`. Of its keywords, only prefixItems and properties
  // may hold schemas.
  Node add_made(Json schema, std::string path);

  // Where a $ref or $dynamicRef of `from` leads; or why nowhere.
  std::variant<Node, SchemaRefusal> resolve(Node from, std::string_view keyword);

 private:
  struct Entry {
    const Json* schema = nullptr;
    std::string path;
    std::string base;  // URI of the resource that it stands in, without fragment
  };

  IndexedSchema() = default;
  void number_made(const Json& schema, const std::string& path);
  std::optional<SchemaRefusal> walk(const Json& schema, const std::string& path, const std::string& base,
                                    int32_t nodes_max);
  std::optional<SchemaRefusal> check_keyword(const std::string& name, const Json& value,
                                             const std::string& path) const;
  void note_names(const JsonObject& object, Node node);
  std::variant<Node, SchemaRefusal> at_pointer(Node resource, std::string_view pointer,
                                               const SchemaRefusal& lost);

  std::vector<Entry> nodes_;
  std::deque<Json> made_;
  std::unordered_map<const Json*, Node> numbers_;
  std::map<std::string, Node> resources_;                        // by URI
  std::map<std::pair<std::string, std::string>, Node> anchors_;  // by the resource's URI and the name
  std::map<std::string, int32_t> dynamic_anchors_;               // how many of each name
  int32_t nodes_max_ = 0;
};

}  // namespace hussar
