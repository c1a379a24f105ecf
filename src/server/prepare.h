// From a checked request to the engine's: template, tokens, limits. Runs on a worker; everything here is a
// plain function over values.
#pragma once

#include <memory>

#include "base/result.h"
#include "engine/request.h"
#include "server/completion_request.h"
#include "server/server.h"

namespace hussar {

// Renders the template over `messages` and encodes it; special tokens are recognised only in the template's
// own text. Errors: kUnsupported (no template), kInvalid (the template refuses the messages).
Result<std::vector<TokenId>> encode_messages(const JsonArray& messages, const ServerContext& context);

// Errors: those of encode_messages; kTooLarge (the prompt and the asked-for tokens exceed the context);
// kInvalid (an empty prompt).
Result<Request> prepare(CompletionRequest request, const ServerOptions& options,
                        const ServerContext& context);

}  // namespace hussar
