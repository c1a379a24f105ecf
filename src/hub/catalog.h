// The names that hussar knows, and where each model lives: one table, in catalog.cc.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/listing.h"
#include "hub/names.h"

namespace hussar {

// The SHA-256 of a file, which must be the same wherever it comes from.
struct PinnedFile {
  std::string_view file, sha256;
};

struct CatalogRow {
  std::string_view name;
  std::string_view hugging_face;  // the repository there
  std::string_view model_scope;   // empty: not there, as far as this table knows
  std::string_view commit;        // that is taken from Hugging Face; empty: the newest
  // A file without a pin is checked against the hub's own metadata.
  std::array<PinnedFile, 2> pins;
};

std::span<const CatalogRow> catalog();

// Null for a repository, and for a name that the table has not.
const CatalogRow* find_in_catalog(const ModelName& name);

// Where `name` lives on `hub`. Errors: kNotFound, with the names that there are.
Result<std::string> repository_of(const ModelName& name, HubKind hub);

}  // namespace hussar
