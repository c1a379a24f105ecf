// Schemas of older drafts, read as draft 2020-12: possible wherever both drafts give every keyword the same
// meaning, and refused by name elsewhere. Refusing is the only safe answer: what one reading makes stricter,
// a `not` around it makes weaker.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "grammar/json_schema_keywords.h"

namespace hussar {

// The older draft that a $schema (without its fragment) names; nothing where it is none that is known.
std::optional<SchemaDraft> older_draft(std::string_view uri);

// Errors: kUnsupported, naming the keyword.
Result<void> refuse_other_meanings(const KeywordReader& reader, SchemaDraft draft);

}  // namespace hussar
