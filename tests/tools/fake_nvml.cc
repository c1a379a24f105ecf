// A stand-in for NVIDIA's management library with two GPUs of known figures; the second one does not tell its
// power.
#include <cstring>

extern "C" {

struct Memory {
  unsigned long long total, free, used;
};
struct Rates {
  unsigned int gpu, memory;
};
static int devices[2];

static bool is_second(void* device) { return device == &devices[1]; }

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = 3;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  if (index > 1) return 15;  // "GPU is lost"
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetName(void*, char* name, unsigned int size) {
  std::strncpy(name, "Imaginary GPU 24GB", size);
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
  *memory = is_second(device) ? Memory{24ull << 30, 20ull << 30, 4ull << 30}
                              : Memory{24ull << 30, 8ull << 30, 16ull << 30};
  return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned int* milliwatts) {
  if (is_second(device)) return 3;  // "not supported"
  *milliwatts = 215'500;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, Rates* rates) {
  *rates = {is_second(device) ? 20u : 90u, 5};
  return 0;
}

}  // extern "C"
