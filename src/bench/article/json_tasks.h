// The structured-output tasks: the article's own, which leaves the names of the fields open, and further ones
// that name them.
#pragma once

#include <string_view>
#include <vector>

#include "bench/article/json_answer.h"

namespace hussar {

// A person in Chinese, as the article has it.
const JsonTask& article_json_task();
// Tasks that name their keys, in Chinese and English.
const std::vector<JsonTask>& keyed_json_tasks();
// Null when there is none.
const JsonTask* find_json_task(std::string_view id);

}  // namespace hussar
