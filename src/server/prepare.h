// From a checked request to the engine's: template, tokens, limits. Runs on a worker; everything here is a
// plain function over values.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/request.h"
#include "server/completion_request.h"
#include "server/server.h"

namespace hussar {

struct Prepared {
  std::vector<Request> requests;  // for each prompt its choices, one behind the other
  size_t choices_per_prompt = 1;
  std::vector<std::string> echoes;  // by prompt, its text to be shown before the answer; empty: none is
};

// Errors: those of encode_chat; kTooLarge (the prompt and the asked-for tokens exceed the context); kInvalid
// (an empty prompt).
Result<Prepared> prepare(const CompletionRequest& request, const ServerOptions& options,
                         const ServerContext& context);

}  // namespace hussar
