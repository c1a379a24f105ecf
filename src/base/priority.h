// Work that others should not feel.
#pragma once

namespace hussar {

// The calling thread, and the threads and processes that it starts, run from now on only while nobody else
// wants their processor, and then get some thousandths of it. Lower niceness would not do: who gets a
// processor keeps it until the next tick of the clock, which is as long as a step of the engine, so that work
// of a certain length makes as many steps late at any niceness. There is no way back.
void run_when_idle();

// Lower niceness: about a tenth of a processor that others want.
void run_in_background();

}  // namespace hussar
