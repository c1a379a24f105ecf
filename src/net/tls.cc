#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

#include "base/check.h"

namespace hussar {

struct TlsContext::Impl {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  ~Impl() { SSL_CTX_free(context); }
};

struct TlsSession::Impl {
  SSL* ssl = nullptr;
  BIO* input = nullptr;  // both owned by ssl
  BIO* output = nullptr;
  bool closed = false;
  std::string error;
  ~Impl() { SSL_free(ssl); }

  void note_failure();
};

namespace {

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::create(const std::string& ca_file) {
  auto impl = std::make_unique<Impl>();
  if (impl->context == nullptr) return Error{ErrorCode::kOutOfMemory, "TLS can't be started", ""};
  SSL_CTX_set_min_proto_version(impl->context, TLS1_2_VERSION);
  SSL_CTX_set_verify(impl->context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(impl->context, SSL_MODE_RELEASE_BUFFERS);
  ERR_clear_error();
  const bool loaded = ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(impl->context) == 1
                          : SSL_CTX_load_verify_locations(impl->context, ca_file.c_str(), nullptr) == 1;
  if (!loaded) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalid,
                 ca_file.empty() ? "the system's certificates can't be read: name a file of trusted ones"
                                 : "no certificates can be read from " + ca_file + ": it must be a PEM file",
                 ""};
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

TlsSession::TlsSession(const TlsContext& context, const std::string& host) : impl_(std::make_unique<Impl>()) {
  impl_->ssl = SSL_new(context.impl_->context);
  impl_->input = BIO_new(BIO_s_mem());
  impl_->output = BIO_new(BIO_s_mem());
  CHECK_NOTE(impl_->ssl != nullptr && impl_->input != nullptr && impl_->output != nullptr, "out of memory");
  SSL_set_bio(impl_->ssl, impl_->input, impl_->output);
  SSL_set_connect_state(impl_->ssl);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(impl_->ssl), host.c_str());
  } else {
    SSL_set_hostflags(impl_->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(impl_->ssl, host.c_str());
    SSL_set_tlsext_host_name(impl_->ssl, host.c_str());
  }
}

TlsSession::~TlsSession() = default;

void TlsSession::take_input(std::string_view sealed) {
  // A memory BIO takes everything.
  BIO_write(impl_->input, sealed.data(), static_cast<int>(sealed.size()));
}

std::string TlsSession::take_output() {
  std::string bytes(BIO_ctrl_pending(impl_->output), '\0');
  if (!bytes.empty()) BIO_read(impl_->output, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

// REQUIRES: an operation of OpenSSL has just failed for good.
void TlsSession::Impl::note_failure() {
  const unsigned long code = ERR_peek_error();
  const long trust = SSL_get_verify_result(ssl);
  if (trust != X509_V_OK) {
    error = std::string("the server's certificate is not trusted: ") + X509_verify_cert_error_string(trust);
  } else if (ERR_GET_LIB(code) == ERR_LIB_SSL && (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
                                                  ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST)) {
    error = "the server speaks no TLS here: begin the URL with http://";
  } else {
    const char* reason = ERR_reason_error_string(code);
    error = std::string("TLS failed: ") + (reason != nullptr ? reason : "the connection broke");
  }
  ERR_clear_error();
}

TlsSession::Handshake TlsSession::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(impl_->ssl);
  if (done == 1) return Handshake::kDone;
  if (SSL_get_error(impl_->ssl, done) == SSL_ERROR_WANT_READ) return Handshake::kGoesOn;
  impl_->note_failure();
  return Handshake::kFailed;
}

void TlsSession::write(std::string_view plain) {
  ERR_clear_error();
  size_t written = 0;
  if (plain.empty() || !impl_->error.empty()) return;
  if (SSL_write_ex(impl_->ssl, plain.data(), plain.size(), &written) != 1) impl_->note_failure();
}

size_t TlsSession::read(char* to, size_t size) {
  if (impl_->closed || !impl_->error.empty()) return 0;
  ERR_clear_error();
  size_t bytes = 0;
  if (SSL_read_ex(impl_->ssl, to, size, &bytes) == 1) return bytes;
  const int error = SSL_get_error(impl_->ssl, 0);
  if (error == SSL_ERROR_ZERO_RETURN) {
    impl_->closed = true;
  } else if (error != SSL_ERROR_WANT_READ) {
    impl_->note_failure();
  }
  return 0;
}

bool TlsSession::closed() const { return impl_->closed; }
const std::string& TlsSession::error() const { return impl_->error; }

}  // namespace hussar
