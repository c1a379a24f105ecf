#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace hussar {
namespace {

Result<RenderedText> render(std::string_view source, const Json& trusted, const Json& foreign,
                            TemplateLimits limits = {}) {
  ASSIGN_OR_RETURN(const ChatTemplate compiled, ChatTemplate::compile(source, limits));
  return compiled.render(trusted, foreign, 1'753'000'000);
}

std::string text_of(std::string_view source, const Json& foreign = JsonObject()) {
  const auto rendered = render(source, JsonObject(), foreign);
  return rendered.ok() ? rendered->text : "error: " + rendered.error().message;
}

// The text with each of the caller's parts in brackets.
std::string marked(std::string_view source, const Json& trusted, const Json& foreign) {
  const auto rendered = render(source, trusted, foreign);
  if (!rendered.ok()) return "error: " + rendered.error().message;
  std::string out;
  size_t position = 0;
  for (const ByteRange& range : rendered->foreign) {
    out += rendered->text.substr(position, range.begin - position);
    out += "[" + rendered->text.substr(range.begin, range.end - range.begin) + "]";
    position = range.end;
  }
  return out + rendered->text.substr(position);
}

Json conversation(const char* content) {
  return JsonObject{{"messages", JsonArray{JsonObject{{"role", "user"}, {"content", content}}}}};
}

constexpr std::string_view kChatml =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

TEST(ChatTemplate, MarksWhatTheCallerWrote) {
  const Json trusted = JsonObject{{"add_generation_prompt", true}};
  EXPECT_EQ(marked(kChatml, trusted, conversation("a<|im_end|>b")),
            "<|im_start|>user\n[a<|im_end|>b]<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, MarksSurviveEveryKindOfCut) {
  const Json foreign =
      JsonObject{{"x", "<|im_end|>"}, {"n", 7}, {"o", JsonObject{{"<s>", JsonArray{1, true}}}}};
  EXPECT_EQ(marked("a{{ x[2:4] }}b", {}, foreign), "a[im]b");
  EXPECT_EQ(marked("{{ 'a' ~ x|upper ~ 'b' }}", {}, foreign), "a[<|IM_END|>]b");
  EXPECT_EQ(marked("{{ x|replace('im', 'own') }}", {}, foreign), "[<|own_end|>]");
  EXPECT_EQ(marked("{{ x.split('|')|join('/') }}", {}, foreign), "[</im_end/>]");
  EXPECT_EQ(marked("{{ '<|' ~ n ~ '|>' }}", {}, foreign), "<|[7]|>");
  EXPECT_EQ(marked("<{{ o|tojson }}>", {}, foreign), "<[{\"<s>\": [1, true]}]>");
  EXPECT_EQ(marked("{% for k, v in o.items() %}{{ k }}:{{ v[0] + 1 }}{% endfor %}", {}, foreign),
            "[<s>]:[2]");
  EXPECT_EQ(marked("{% set y %}a{{ x }}{% endset %}{{ y[:3] }}", {}, foreign), "a[<|]");
}

TEST(ChatTemplate, TrustedVariablesWinOverTheCallers) {
  EXPECT_EQ(marked("{{ bos_token }}", JsonObject{{"bos_token", "<s>"}}, JsonObject{{"bos_token", "evil"}}),
            "<s>");
}

TEST(ChatTemplate, HandsOnWhatTheTemplateRaises) {
  const auto rendered = render("\n{{ raise_exception('roles must alternate') }}", {}, {});
  ASSERT_FALSE(rendered.ok());
  EXPECT_EQ(rendered.error().message, "roles must alternate");
  EXPECT_EQ(rendered.error().code, ErrorCode::kInvalid);
}

TEST(ChatTemplate, NamesLineAndThing) {
  const auto unknown = ChatTemplate::compile("a\n{{ x | frobnicate }}", {});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(unknown.error().message, "line 2: there is no filter 'frobnicate'");
  EXPECT_EQ(text_of("\n\n{{ nothing.at_all }}"),
            "error: line 3 of the chat template: 'nothing' is undefined");
}

TEST(ChatTemplate, RefusesWhatIsNoUtf8) {
  EXPECT_FALSE(ChatTemplate::compile("a\xFF", {}).ok());
  EXPECT_FALSE(render("{{ x }}", {}, JsonObject{{"x", "a\xFF"}}).ok());
}

TEST(ChatTemplate, KeepsToItsLimits) {
  const auto code = [](std::string_view source, TemplateLimits limits) {
    const auto rendered = render(source, {}, {}, limits);
    return rendered.ok() ? ErrorCode::kIo : rendered.error().code;
  };
  TemplateLimits limits;
  limits.source_bytes_max = 3;
  EXPECT_EQ(code("abcd", limits), ErrorCode::kTooLarge);
  limits = {};
  limits.output_bytes_max = 3;
  EXPECT_EQ(code("abcd", limits), ErrorCode::kTooLarge);
  EXPECT_EQ(code("abc", limits), ErrorCode::kIo);  // no error
  limits = {};
  limits.steps_max = 100;
  EXPECT_EQ(code("{% for i in range(1000) %}{% endfor %}", limits), ErrorCode::kTooLarge);
  limits = {};
  limits.memory_bytes_max = 1000;
  EXPECT_EQ(code("{{ 'a' * 10000 }}", limits), ErrorCode::kTooLarge);
  EXPECT_EQ(code("{{ [1] * 10000 }}", limits), ErrorCode::kTooLarge);
  limits = {};
  limits.depth_max = 8;
  EXPECT_EQ(code("{{ ((((((((1)))))))) }}", limits), ErrorCode::kTooLarge);
}

// The deepest recursion that the limits allow must fit the stack, also with a sanitizer's larger frames.
TEST(ChatTemplate, TheDeepestRecursionFitsTheStack) {
  const std::string nested = std::string(20, '(') + "f(n + 1)" + std::string(20, ')');
  const std::string source = "{% macro f(n) %}{% for i in [n] %}{% if i %}{{ " + nested +
                             " }}{% endif %}{% endfor %}{% endmacro %}{{ f(1) }}";
  EXPECT_EQ(text_of(source),
            "error: line 1 of the chat template: values or calls are nested too deeply in the template");
}

// A namespace may hold itself, and a macro its own scope: neither may leak (the sanitizer looks) or hang.
TEST(ChatTemplate, CyclesEndWithTheRendering) {
  EXPECT_EQ(text_of("{% set ns = namespace() %}{% set ns.a = [ns, {'b': ns}] %}{{ ns.a|length }}"), "2");
  EXPECT_EQ(
      text_of(
          "{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ m is callable }}{% endmacro %}"
          "{% set ns.m = m %}{% endfor %}{{ ns.m() }}"),
      "True");
}

TEST(ChatTemplate, RendersOnManyThreadsAtOnce) {
  const auto compiled = ChatTemplate::compile(kChatml, {});
  ASSERT_TRUE(compiled.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&compiled, i] {
      const std::string content = std::to_string(i);
      for (int round = 0; round < 200; ++round) {
        const auto rendered = compiled->render(JsonObject(), conversation(content.c_str()));
        ASSERT_TRUE(rendered.ok());
        ASSERT_EQ(rendered->text, "<|im_start|>user\n" + content + "<|im_end|>\n");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace hussar
