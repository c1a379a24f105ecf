// The body of Anthropic's /v1/messages, translated into the request that the chat endpoint has.
#pragma once

#include "server/completion_request.h"
#include "server/tokenize_api.h"

namespace hussar {

// Errors: kInvalid, kUnsupported, kNotFound (another model), each naming the field.
Result<CompletionRequest> read_messages_request(const Json& body, const FieldContext& context);

// /v1/messages/count_tokens: what the prompt of such a request would have. Errors: also encode_chat's.
Result<TokenizeAnswer> count_message_tokens(const Json& body, const ServerOptions& options,
                                            const ServerContext& context);

}  // namespace hussar
