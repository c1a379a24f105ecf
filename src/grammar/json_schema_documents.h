// The documents that a schema is made of: which parts of them are resources of their own ($id), which names
// they have ($anchor, $dynamicAnchor), by which vocabularies they are read ($schema), and what a reference
// leads to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "grammar/json_schema_program.h"
#include "grammar/json_schema_validator.h"

namespace hussar {

// A document that references may lead to, under the URI that they name.
struct SchemaSource {
  std::string_view uri;
  std::string_view text;
};

// The metaschemas of draft 2020-12, under their own URIs.
std::span<const SchemaSource> builtin_metaschemas();

enum class SchemaDraft : uint8_t { k6, k7, k2019, k2020 };  // in their order

// The vocabularies that change what is checked. Core always applies; the others only describe.
struct SchemaDialect {
  bool applicator = true;
  bool unevaluated = true;
  bool validation = true;
  bool format_assertion = false;
  SchemaDraft draft = SchemaDraft::k2020;  // older ones are read as if they were this one
};

class SchemaDocuments {
 public:
  explicit SchemaDocuments(const JsonSchema::Options& options)
      : others_(options.documents), limits_(options.limits.json), older_drafts_(options.older_drafts) {}

  struct Place {
    TreeValue value;
    uint32_t document = 0;
    uint32_t resource = 0;
    bool by_dynamic_anchor = false;
  };

  // Reads the schema itself, document 0, whose root's resource is 0.
  Result<Place> add_root(std::string_view text);
  // Where a $ref or $dynamicRef that stands in `resource` leads. Reads a further document when it leads
  // there.
  Result<Place> resolve(std::string_view reference, uint32_t resource);
  // The resource of a subschema in `parent`'s resource.
  uint32_t resource_of(TreeValue schema, uint32_t document, uint32_t parent) const;
  // All $dynamicAnchors of a name in what has been read so far.
  const std::vector<Place>& dynamic_anchors(const std::string& name) { return dynamic_anchors_[name]; }

  // Names the keyword and where it stands: "'minimum' at "/properties/a": <reason>", or "at the root".
  Error error(ErrorCode code, std::string_view keyword, TreeValue schema, uint32_t document,
              std::string_view reason) const;
  const SchemaDialect& dialect(uint32_t resource) const { return resources_[resource].dialect; }
  // REQUIRES: nothing else is called afterwards.
  std::vector<SchemaDocument> release() { return std::move(documents_); }

 private:
  struct Resource {
    std::string uri;
    TreeValue root;
    uint32_t document = 0;
    SchemaDialect dialect;
    std::map<std::string, Place, std::less<>> anchors;  // dynamic ones too
  };

  // Both hand out the resource of the document's root.
  Result<uint32_t> add_document(const std::string& uri, std::string_view text, const JsonLimits& limits);
  Result<uint32_t> find_or_add(const std::string& uri);  // kNotFound
  Result<void> scan(TreeValue schema, uint32_t document, uint32_t resource);
  Result<void> scan_children(TreeValue schema, uint32_t document, uint32_t resource);
  Result<std::string> read_id(TreeValue schema, TreeValue id, uint32_t document, uint32_t parent) const;
  Result<void> add_anchor(TreeValue schema, std::string_view keyword, uint32_t document, uint32_t resource);
  Result<SchemaDialect> read_dialect(TreeValue schema, uint32_t document, const SchemaDialect& inherited);
  Result<Place> follow_pointer(std::string_view pointer, uint32_t resource) const;

  std::span<const SchemaSource> others_;
  JsonLimits limits_;
  JsonSchema::OlderDrafts older_drafts_;
  std::vector<SchemaDocument> documents_;
  std::vector<Resource> resources_;
  std::unordered_map<std::string, uint32_t> resource_by_uri_;
  std::unordered_map<std::string, std::vector<Place>> dynamic_anchors_;
  // The resource of each subschema that was found where keywords keep them; for each document by node.
  std::vector<std::vector<uint32_t>> resource_by_node_;
};

}  // namespace hussar
