#include "bench/prove_rehearsal.h"

#include "bench/mock_server.h"

namespace hussar {

namespace {

Result<std::shared_ptr<const std::string>> make_wire(Target& target, const ProveRequest& request,
                                                     const std::string& id) {
  RequestSpec spec;
  spec.prompt = "轻骑兵 rides with request " + id;
  spec.output_tokens_max = request.tokens;
  spec.force_length = true;
  spec.stream = request.streamed;
  spec.extra = request.extra;
  if (request.api == Api::kArticle) spec.extra.emplace_back("ignore_eos", true);
  std::vector<HttpHeader> headers = {{"Content-Type", "application/json"}, {"X-Request-Id", id}};
  if (request.fault != MockFault::kNone) {
    headers.push_back({"X-Mock-Fault", std::string(mock_fault_name(request.fault))});
  }
  const char* path = request.api == Api::kChat ? "/v1/chat/completions" : "/v1/completions";
  ASSIGN_OR_RETURN(std::string wire,
                   target.client().make_request("POST", path, headers, target.body(request.api, spec)));
  return std::make_shared<const std::string>(std::move(wire));
}

}  // namespace

Result<Rehearsal> rehearse(const RehearsalPlan& plan, const std::atomic<bool>& stop) {
  Rehearsal rehearsal;
  ASSIGN_OR_RETURN(const auto mock, MockServer::start(plan.mock, [&](const MockTruth& truth) {
                     if (!truth.request_id.empty()) rehearsal.truths.emplace(truth.request_id, truth);
                   }));
  TargetOptions target_options;
  target_options.url = mock->url();
  target_options.keep_alive = plan.keep_alive;
  ASSIGN_OR_RETURN(const auto target, Target::open(target_options));
  std::vector<PlannedRequest> requests;
  for (size_t i = 0; i < plan.requests.size(); ++i) {
    const ProveRequest& request = plan.requests[i];
    PlannedRequest planned;
    planned.label = "r" + std::to_string(i);
    ASSIGN_OR_RETURN(planned.wire, make_wire(*target, request, planned.label));
    planned.at_ns = request.at_ns;
    planned.cancel_after_ns = request.cancel_after_ns;
    planned.output_tokens_max = request.tokens;
    planned.streamed = request.streamed;
    requests.push_back(std::move(planned));
  }
  ListSource source(std::move(requests));
  LoadOptions options;
  options.timeouts = plan.timeouts;
  options.keep_text = plan.keep_text;
  if (plan.mock_goes) mock->stop();
  rehearsal.log = run_load(*target, source, plan.shape, options, stop);
  mock->stop();  // from here on the truths belong to this thread
  const MockServer::Span frozen = mock->frozen();
  rehearsal.freeze_begin_ns = (frozen.begin - rehearsal.log.started).count();
  rehearsal.freeze_end_ns = (frozen.end - rehearsal.log.started).count();
  return rehearsal;
}

}  // namespace hussar
