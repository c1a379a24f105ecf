// Runs a fuzz target over the files and folders that are given as arguments: the driver where there is no
// libFuzzer, and the regression test of each corpus. A corpus that is missing or empty is a failure: a test
// of nothing must not pass.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// The number of files that were run, or -1 when one could not be read.
int run_path(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      const int more = run_path(entry.path());
      if (more < 0) return -1;
      count += more;
    }
    return count;
  }
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    std::fprintf(stderr, "can't read %s\n", path.c_str());
    return -1;
  }
  // A copy of the exact size on the heap, so that a sanitizer sees a read past the end.
  const std::vector<uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FILE_OR_FOLDER ...\n", argv[0]);
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    const int count = run_path(argv[i]);
    if (count < 0) return 1;
    if (count == 0) {
      std::fprintf(stderr, "no file in %s\n", argv[i]);
      return 1;
    }
    std::printf("%s: %d inputs\n", argv[i], count);
  }
  return 0;
}
