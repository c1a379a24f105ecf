#include "net/curl_library.h"

#include <dlfcn.h>

#include <type_traits>

#include "base/check.h"

namespace hussar {
namespace {

// The file's name has the version of the interface that curl.h describes.
constexpr const char* kFile = "libcurl.so.4";

CurlLibrary load() {
  void* const library = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  CHECK_NOTE(library != nullptr, "libcurl.so.4 can't be loaded: install libcurl4");
  const auto find = [library](const char* name, auto* function) {
    void* const symbol = dlsym(library, name);
    CHECK_NOTE(symbol != nullptr, "libcurl.so.4 is too old");
    *function = reinterpret_cast<std::remove_reference_t<decltype(*function)>>(symbol);
  };
  CurlLibrary curl{};
  find("curl_global_init", &curl.global_init);
  find("curl_easy_init", &curl.easy_init);
  find("curl_easy_cleanup", &curl.easy_cleanup);
  find("curl_easy_reset", &curl.easy_reset);
  find("curl_easy_setopt", &curl.easy_setopt);
  find("curl_easy_perform", &curl.easy_perform);
  find("curl_easy_getinfo", &curl.easy_getinfo);
  find("curl_easy_strerror", &curl.easy_strerror);
  find("curl_slist_append", &curl.slist_append);
  find("curl_slist_free_all", &curl.slist_free_all);
  find("curl_url", &curl.url);
  find("curl_url_cleanup", &curl.url_cleanup);
  find("curl_url_get", &curl.url_get);
  find("curl_url_set", &curl.url_set);
  find("curl_free", &curl.free);
  return curl;
}

}  // namespace

const CurlLibrary& curl_library() {
  static const CurlLibrary curl = load();
  return curl;
}

}  // namespace hussar
