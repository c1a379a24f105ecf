#include "grammar/schema_gate.h"

namespace hussar {

std::string SchemaRefusal::message() const {
  const std::string where = path.empty() ? "the root" : path;
  return keyword.empty() ? where + ": " + reason : "'" + keyword + "' at " + where + ": " + reason;
}

}  // namespace hussar
