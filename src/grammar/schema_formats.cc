#include "grammar/schema_formats.h"

#include <limits>

namespace hussar {
namespace {

using Treatment = SchemaFormat::Treatment;

#define HUSSAR_DAY                                                                                           \
  "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8])" \
  ")|"                                                                                                       \
  "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
#define HUSSAR_TIME "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define HUSSAR_CLOCK "T(\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?|\\d{1,9}M(\\d{1,9}S)?|\\d{1,9}S)"
#define HUSSAR_LABEL "[A-Za-z0-9]{1,16}(-[A-Za-z0-9]{1,16}){0,2}"
#define HUSSAR_HOST HUSSAR_LABEL "(\\." HUSSAR_LABEL "){0,3}"
#define HUSSAR_OCTET "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
#define HUSSAR_HEX "[0-9a-fA-F]{1,4}"
#define HUSSAR_PATH_CHAR "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
#define HUSSAR_URI_TAIL \
  "(/" HUSSAR_PATH_CHAR "*)*(\\?([/?]|" HUSSAR_PATH_CHAR ")*)?(#([/?]|" HUSSAR_PATH_CHAR ")*)?"
#define HUSSAR_URI "(https?|ftp)://" HUSSAR_HOST "(:[1-9]\\d{0,3})?" HUSSAR_URI_TAIL
#define HUSSAR_EMAIL \
  "[A-Za-z0-9_+-]{1,16}(\\.[A-Za-z0-9_+-]{1,16}){0,2}@" HUSSAR_LABEL "(\\." HUSSAR_LABEL "){1,3}"
#define HUSSAR_POINTER "(/([^~/]|~[01])*)*"

struct Named {
  std::string_view name;
  SchemaFormat format;
};

constexpr SchemaFormat pattern(std::string_view text) { return {Treatment::kPattern, text}; }

constexpr Named kFormats[] = {
    {"date", pattern("^(?!0000)(" HUSSAR_DAY ")$")},
    {"time", pattern(HUSSAR_TIME)},
    {"date-time", pattern("^(?!0000)(" HUSSAR_DAY ")T" HUSSAR_TIME "$")},
    {"duration",
     pattern("P(\\d{1,9}W|(\\d{1,9}Y(\\d{1,9}M(\\d{1,9}D)?)?|\\d{1,9}M(\\d{1,9}D)?|\\d{1,9}D)(" HUSSAR_CLOCK
             ")?|" HUSSAR_CLOCK ")")},
    {"email", pattern(HUSSAR_EMAIL)},
    {"idn-email", pattern(HUSSAR_EMAIL)},
    {"hostname", pattern(HUSSAR_HOST)},
    {"idn-hostname", pattern(HUSSAR_HOST)},
    {"ipv4", pattern("(" HUSSAR_OCTET "\\.){3}" HUSSAR_OCTET)},
    {"ipv6",
     pattern("(" HUSSAR_HEX ":){7}" HUSSAR_HEX "|(" HUSSAR_HEX ":){1,7}:|(" HUSSAR_HEX ":){1,6}:" HUSSAR_HEX
             "|(" HUSSAR_HEX ":){1,5}(:" HUSSAR_HEX "){1,2}|(" HUSSAR_HEX ":){1,4}(:" HUSSAR_HEX
             "){1,3}|(" HUSSAR_HEX ":){1,3}(:" HUSSAR_HEX "){1,4}|(" HUSSAR_HEX ":){1,2}(:" HUSSAR_HEX
             "){1,5}|" HUSSAR_HEX ":(:" HUSSAR_HEX "){1,6}|:(:" HUSSAR_HEX "){1,7}|::")},
    {"uuid", pattern("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")},
    {"uri", pattern(HUSSAR_URI)},
    {"iri", pattern(HUSSAR_URI)},
    {"uri-reference", pattern(HUSSAR_URI "|" HUSSAR_URI_TAIL)},
    {"iri-reference", pattern(HUSSAR_URI "|" HUSSAR_URI_TAIL)},
    {"uri-template", pattern("([A-Za-z0-9/._~:?=&-]|\\{[A-Za-z0-9_]+\\})*")},
    {"json-pointer", pattern(HUSSAR_POINTER)},
    {"relative-json-pointer", pattern("(0|[1-9]\\d{0,8})(#|" HUSSAR_POINTER ")")},
    {"regex", {Treatment::kCheck}},
    // OpenAPI's.
    {"int32",
     {Treatment::kRange, {}, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()}},
    {"int64",
     {Treatment::kRange, {}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}},
    {"byte", pattern("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?")},
    {"float", {}},
    {"double", {}},
    {"password", {}},
    {"binary", {}},
};

}  // namespace

std::optional<SchemaFormat> find_format(std::string_view name) {
  for (const Named& known : kFormats) {
    if (known.name == name) return known.format;
  }
  return std::nullopt;
}

}  // namespace hussar
