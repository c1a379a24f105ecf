#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>

#include "net/raw_server.h"
#include "net/stream_client.h"

namespace hussar {
namespace {

constexpr std::string_view kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

// A key with a certificate for `names` ("DNS:a,IP:b") that it has signed itself.
struct Identity {
  explicit Identity(const char* names) : key(EVP_EC_gen("P-256")), certificate(X509_new()) {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  EVP_PKEY* key;
  X509* certificate;
};

// The server's side of TLS over a RawPeer's socket; blocking.
struct TlsPeer {
  TlsPeer(const Identity& identity, const RawPeer& peer)
      : context(SSL_CTX_new(TLS_server_method())), ssl(nullptr) {
    SSL_CTX_use_certificate(context, identity.certificate);
    SSL_CTX_use_PrivateKey(context, identity.key);
    ssl = SSL_new(context);
    SSL_set_fd(ssl, peer.socket());
    accepted = SSL_accept(ssl) == 1;
  }
  ~TlsPeer() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  // A request's head, and its body where `end` is the body's last byte.
  std::string read_until(std::string_view end) {
    std::string text;
    char bytes[4096];
    for (int size = 0; !text.ends_with(end); text.append(bytes, static_cast<size_t>(size))) {
      size = SSL_read(ssl, bytes, sizeof bytes);
      if (size <= 0) break;
    }
    return text;
  }
  void send(std::string_view bytes) { SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())); }

  SSL_CTX* context;
  SSL* ssl;
  bool accepted = false;
};

class StreamClientTls : public ::testing::Test {
 protected:
  StreamClientTls()
      : ca_file_(::testing::TempDir() + "hussar_tls_test_" + std::to_string(getpid()) + ".pem") {
    std::FILE* file = std::fopen(ca_file_.c_str(), "w");
    PEM_write_X509(file, identity_.certificate);
    std::fclose(file);
  }
  ~StreamClientTls() override { std::filesystem::remove(ca_file_); }

  std::unique_ptr<StreamClient> make_client(const std::string& url, const std::string& ca_file) {
    StreamClientOptions options;
    options.url = url;
    options.ca_file = ca_file;
    auto client = StreamClient::create(options);
    EXPECT_TRUE(client.ok()) << client.error().message;
    return std::move(*client);
  }
  static std::string secure_url(const RawServer& server, const char* host = "127.0.0.1") {
    return std::string("https://") + host + ":" + std::to_string(server.port());
  }
  static HttpReply get(StreamClient& client) {
    return exchange_blocking(client, client.make_request("GET", "/", {}, "").value(), 5000);
  }

  const Identity identity_{"IP:127.0.0.1,DNS:localhost"};
  const std::string ca_file_;
};

TEST_F(StreamClientTls, TalksToAServerThatItTrusts) {
  const RawServer::Script twice = [this](RawPeer& peer) {
    TlsPeer tls(identity_, peer);
    EXPECT_TRUE(tls.accepted);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(tls.read_until("\r\n\r\n").starts_with("GET / HTTP/1.1\r\n"));
      tls.send(kHello);
    }
    peer.wait();
  };
  RawServer server({twice, twice});
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const auto client = make_client(secure_url(server, host), ca_file_);
    for (int i = 0; i < 2; ++i) {  // over one connection
      const HttpReply reply = get(*client);
      EXPECT_EQ(reply.end, CallEnd::kDone) << host << ": " << reply.detail;
      EXPECT_EQ(reply.body, "hello");
    }
  }
}

TEST_F(StreamClientTls, CarriesLongBodiesBothWays) {
  std::string body(3 << 20, 'x');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 26);
  body.back() = '!';
  RawServer server({[&](RawPeer& peer) {
    TlsPeer tls(identity_, peer);
    const std::string request = tls.read_until("!");
    EXPECT_TRUE(request.ends_with(body));
    tls.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    peer.wait();
  }});
  const auto client = make_client(secure_url(server), ca_file_);
  const HttpReply reply =
      exchange_blocking(*client, client->make_request("POST", "/", {}, body).value(), 10'000);
  EXPECT_EQ(reply.end, CallEnd::kDone) << reply.detail;
  EXPECT_TRUE(reply.body == body);
}

TEST_F(StreamClientTls, TrustsNobodyElse) {
  const Identity other("DNS:other.example");
  const RawServer::Script refused = [this](RawPeer& peer) {
    EXPECT_FALSE(TlsPeer(identity_, peer).accepted);
  };
  {
    RawServer server({refused});
    const HttpReply reply = get(*make_client(secure_url(server), ""));
    EXPECT_EQ(reply.end, CallEnd::kConnectFailed);
    EXPECT_NE(reply.detail.find("certificate is not trusted"), std::string::npos) << reply.detail;
  }
  {
    // Signed by a certificate that is trusted, but for another name.
    const std::string other_file = ca_file_ + ".other";
    std::FILE* file = std::fopen(other_file.c_str(), "w");
    PEM_write_X509(file, other.certificate);
    std::fclose(file);
    RawServer server({[&](RawPeer& peer) { EXPECT_FALSE(TlsPeer(other, peer).accepted); }});
    const HttpReply reply = get(*make_client(secure_url(server), other_file));
    std::filesystem::remove(other_file);
    EXPECT_EQ(reply.end, CallEnd::kConnectFailed);
    EXPECT_NE(reply.detail.find("mismatch"), std::string::npos) << reply.detail;
  }
}

TEST_F(StreamClientTls, SaysWhichSideSpeaksNoTls) {
  RawServer plain({[](RawPeer& peer) {
    peer.wait();
    peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  }});
  const HttpReply to_plain = get(*make_client(secure_url(plain), ca_file_));
  EXPECT_EQ(to_plain.end, CallEnd::kConnectFailed);
  EXPECT_NE(to_plain.detail.find("begin the URL with http://"), std::string::npos) << to_plain.detail;

  RawServer silent({[](RawPeer& peer) { peer.wait(); }});
  const HttpReply cut = get(*make_client(secure_url(silent), ca_file_));
  EXPECT_EQ(cut.end, CallEnd::kConnectFailed);
  EXPECT_NE(cut.detail.find("handshake"), std::string::npos) << cut.detail;

  RawServer secure({[](RawPeer& peer) {
    peer.read_request();
    peer.send(std::string_view("\x15\x03\x01\x00\x02\x02\x46",
                               7));  // an alert, as most servers answer what is no handshake
  }});
  const HttpReply to_secure = get(*make_client(secure.url(), ""));
  EXPECT_EQ(to_secure.end, CallEnd::kBadAnswer);
  EXPECT_NE(to_secure.detail.find("https://"), std::string::npos) << to_secure.detail;
}

TEST_F(StreamClientTls, ACutConnectionIsNoEndOfABody) {
  const std::string until_close = "HTTP/1.1 200 OK\r\n\r\nhello";
  RawServer server({[&](RawPeer& peer) {
                      TlsPeer tls(identity_, peer);
                      tls.read_until("\r\n\r\n");
                      tls.send(until_close);
                      SSL_shutdown(tls.ssl);
                    },
                    [&](RawPeer& peer) {
                      TlsPeer tls(identity_, peer);
                      tls.read_until("\r\n\r\n");
                      tls.send(until_close);
                    }});
  const auto client = make_client(secure_url(server), ca_file_);
  const HttpReply whole = get(*client);
  EXPECT_EQ(whole.end, CallEnd::kDone) << whole.detail;
  EXPECT_EQ(whole.body, "hello");
  EXPECT_EQ(get(*client).end, CallEnd::kBroken);
}

TEST_F(StreamClientTls, NamesAFileWithoutCertificates) {
  for (const char* file : {"/nowhere/ca.pem", "/dev/null"}) {
    StreamClientOptions options;
    options.url = "https://127.0.0.1";
    options.ca_file = file;
    const auto client = StreamClient::create(options);
    ASSERT_FALSE(client.ok());
    EXPECT_EQ(client.error().code, ErrorCode::kInvalid);
    EXPECT_NE(client.error().message.find(file), std::string::npos);
  }
}

}  // namespace
}  // namespace hussar
