// The body of OpenAI's /v1/responses, translated into the request that the chat endpoint has.
#pragma once

#include "server/completion_request.h"

namespace hussar {

// Errors: kInvalid, kUnsupported, kNotFound (another model), each naming the field.
Result<CompletionRequest> read_responses_request(const Json& body, const FieldContext& context);

}  // namespace hussar
