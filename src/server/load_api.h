// GET /v1/load: how busy the server is, for whoever spreads requests over several.
#pragma once

#include "base/json.h"
#include "engine/engine.h"
#include "server/admission.h"

namespace hussar {

Json load_json(const Engine& engine, const Admission& admission);

}  // namespace hussar
