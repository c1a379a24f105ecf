#include "hub/hub_client.h"

#include "hub/names.h"

namespace hussar {
namespace {

constexpr int64_t kAnswerBytesMax = 8 << 20;
constexpr int64_t kAnswerMsMax = 120'000;
constexpr int32_t kPagesMax = 200;

struct Answer {
  std::string body;
  std::string link;
};

bool is_commit(const std::string& revision) {
  return make_checksum(Checksum::Kind::kGitBlobSha1, revision).ok();
}

class Client {
 public:
  Client(const Hub& hub, const std::atomic<bool>& stop)
      : hub_(hub), stopped_([&stop] { return stop.load(); }), fetcher_(hub.fetch, stopped_) {}

  // Asks until an answer comes, or no use is left in asking.
  Result<Answer> ask(const std::string& url, const std::string& asked) {
    Backoff backoff(hub_.retry);
    for (;;) {
      Answer answer;
      const FetchRequest request{.url = url,
                                 .bearer_token = hub_.token,
                                 .total_ms_max = kAnswerMsMax,
                                 .body_bytes_max = kAnswerBytesMax};
      const FetchReply reply = fetcher_.get(
          request, [](const FetchHead&) { return true; },
          [&answer](std::span<const std::byte> bytes) {
            answer.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            return true;
          });
      if (reply.end == FetchEnd::kDone && reply.head.status == 200) {
        answer.link = reply.head.link;
        return answer;
      }
      unreachable_ = reply.end == FetchEnd::kUnreachable;
      const TokenUse token = hub_.token.empty() ? TokenUse::kNone : TokenUse::kGiven;
      const Error failure = describe_failure(reply, asked, token);
      if (!is_worth_retrying(reply) || !backoff.may_retry()) return failure;
      if (unreachable_ && backoff.failures() >= hub_.retry.unreachable_max) return failure;
      if (!wait_before_retry(&backoff, reply, failure, hub_.note, stopped_)) {
        return Error{ErrorCode::kCancelled, "interrupted", ""};
      }
    }
  }

  bool unreachable() const { return unreachable_; }

 private:
  const Hub& hub_;
  const std::function<bool()> stopped_;
  Fetcher fetcher_;
  bool unreachable_ = false;
};

// A page's address is taken from the hub's answer only as far as path and query go: the place stays ours.
Result<std::string> page_url(const Hub& hub, const std::string& url) {
  const Error bad{ErrorCode::kInvalid, "the hub's list of files goes on at no valid address", ""};
  const size_t host = url.find("://");
  const size_t path = host == std::string::npos ? std::string::npos : url.find('/', host + 3);
  if (path == std::string::npos || !url.substr(path).starts_with("/api/")) return bad;
  return hub.url + url.substr(path);
}

Result<RepositoryListing> list_hugging_face(const Hub& hub, Client* client, const std::string& repository,
                                            const std::string& revision, const std::string& asked) {
  const std::string api = hub.url + "/api/models/" + escape_url(repository, Slash::kKeep);
  RepositoryListing listing{revision, {}};
  if (!is_commit(revision)) {
    ASSIGN_OR_RETURN(const Answer about,
                     client->ask(api + "/revision/" + escape_url(revision, Slash::kEscape), asked));
    ASSIGN_OR_RETURN(listing.revision, read_commit(about.body));
  }
  std::string url = api + "/tree/" + listing.revision + "?recursive=true";
  for (int32_t page = 0; !url.empty(); ++page) {
    if (page == kPagesMax) return Error{ErrorCode::kInvalid, asked + ": the list of files does not end", ""};
    ASSIGN_OR_RETURN(const Answer answer, client->ask(url, asked));
    RETURN_IF_ERROR(read_listing(hub.kind, answer.body, &listing.files));
    url = next_page_url(answer.link);
    if (url.empty()) break;
    ASSIGN_OR_RETURN(url, page_url(hub, url));
  }
  return listing;
}

Result<RepositoryListing> list_model_scope(const Hub& hub, Client* client, const std::string& repository,
                                           const std::string& revision, const std::string& asked) {
  RepositoryListing listing{revision, {}};
  ASSIGN_OR_RETURN(
      const Answer answer,
      client->ask(hub.url + "/api/v1/models/" + escape_url(repository, Slash::kKeep) +
                      "/repo/files?Revision=" + escape_url(revision, Slash::kEscape) + "&Recursive=true",
                  asked));
  RETURN_IF_ERROR(read_listing(hub.kind, answer.body, &listing.files));
  return listing;
}

}  // namespace

std::string default_hub_url(HubKind kind) {
  return kind == HubKind::kHuggingFace ? "https://huggingface.co" : "https://www.modelscope.cn";
}

std::string default_revision(HubKind kind) { return kind == HubKind::kHuggingFace ? "main" : "master"; }

Result<RepositoryListing> list_repository(const Hub& hub, const std::string& repository,
                                          const std::string& revision, const std::atomic<bool>& stop,
                                          bool* unreachable) {
  Client client(hub, stop);
  const std::string asked = repository + " at " + hub.url;
  auto listing = hub.kind == HubKind::kHuggingFace
                     ? list_hugging_face(hub, &client, repository, revision, asked)
                     : list_model_scope(hub, &client, repository, revision, asked);
  *unreachable = !listing.ok() && client.unreachable();
  return listing;
}

std::string file_url(const Hub& hub, const std::string& repository, const std::string& revision,
                     const std::string& path) {
  const std::string place = escape_url(repository, Slash::kKeep);
  if (hub.kind == HubKind::kHuggingFace) {
    return hub.url + "/" + place + "/resolve/" + escape_url(revision, Slash::kEscape) + "/" +
           escape_url(path, Slash::kKeep);
  }
  return hub.url + "/api/v1/models/" + place + "/repo?Revision=" + escape_url(revision, Slash::kEscape) +
         "&FilePath=" + escape_url(path, Slash::kEscape);
}

}  // namespace hussar
