// libcurl, loaded when something is first fetched: it brings some thirty libraries along (other TLS stacks,
// LDAP, Kerberos, ...), which a server of a local file need not hold in memory.
#pragma once

#include <curl/curl.h>

namespace hussar {

// Its functions by their names without "curl_".
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_url) url;
  decltype(&::curl_url_cleanup) url_cleanup;
  decltype(&::curl_url_get) url_get;
  decltype(&::curl_url_set) url_set;
  decltype(&::curl_free) free;
};

// Any thread. The process ends with a message where the library is not there: it is installed with hussar.
const CurlLibrary& curl_library();

}  // namespace hussar
