// Work that others should not feel.
#pragma once

namespace hussar {

// The calling thread, and the threads and processes that it starts, give way to others from now on: where all
// processors are wanted they get about a tenth of one, in pieces that are short beside a step of the engine.
// There is no way back.
void run_in_background();

}  // namespace hussar
