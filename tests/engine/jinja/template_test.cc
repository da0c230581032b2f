// What templates render to: Python's and jinja2's behaviour by area, limits, and the goldens of
// real models' templates.
#include "engine/jinja/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/testing/fixtures.h"

namespace skerry::engine::jinja {
namespace {

using ::testing::HasSubstr;

// The text, "raise: MESSAGE" or "error: MESSAGE".
std::string Show(std::string_view source, std::string_view context = "{}",
                 const RenderOptions& options = {}) {
  const auto parsed = Template::Parse(source);
  if (!parsed) return "error: " + parsed.error().message();
  const auto rendered = parsed->Render(ParseContext(context).value(), options);
  if (!rendered) return "error: " + rendered.error().message();
  if (rendered->refusal) return "raise: " + *rendered->refusal;
  return rendered->text();
}

struct Case {
  const char* source;
  const char* wanted;
};

void ExpectAll(std::initializer_list<Case> cases, std::string_view context = "{}") {
  for (const Case& c : cases) EXPECT_EQ(Show(c.source, context), c.wanted) << c.source;
}

TEST(Template, WhiteSpaceAroundTags) {
  ExpectAll({{"a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"},
             {"a {%- if true -%} b {%- endif -%} c", "abc"},
             {"  {%+ if true %}x{% endif %}", "  x"},
             {"a\n  {# note #}\nb", "a\nb"},
             {"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
             {"x{{- ' y ' -}} z", "x y z"},
             {"{% if true +%}\nb{% endif %}", "\nb"}});
}

TEST(Template, LiteralsAndOperators) {
  ExpectAll(
      {{"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }}", "3 -4 2 3.5 1024"},
       {"{{ 1_000 }} {{ 0x1f }} {{ 1.5e3 }} {{ 1e20 }}", "1000 31 1500.0 1e+20"},
       {"{{ 'a' ~ 1 ~ none ~ true }}", "a1NoneTrue"},
       {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }}", "True False"},
       {"{{ [1, 'a', 2.0, none] }} {{ (1,) }} {{ {'k': 'v'} }}",
        "[1, 'a', 2.0, None] (1,) {'k': 'v'}"},
       {"{{ 'abc'[::-1] }} {{ 'abcdef'[1:-1:2] }} {{ [1,2,3][-1] }}", "cba bd 3"},
       {"{{ 'x' if false }}|{{ 'x' if false else 'y' }}", "|y"},
       {"{{ 'b' in 'abc' }} {{ 1 not in [1] }} {{ 'k' in {'k': 1} }}", "True False True"},
       {"{{ '\\x41\\u00e9\\n' }}", "A\xc3\xa9\n"},
       {"{{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ [1] == (1,) }}",
        "True True False False"}});
}

// Found by comparing with jinja2.
TEST(Template, WhiteSpaceSplitKeepsTheFarEndOfTheRest) {
  ExpectAll({{"{{ ' a b  c '.split(none, 1) }}", "['a', 'b  c ']"},
             {"{{ ' a  b c '.rsplit(none, 1) }}", "[' a  b', 'c']"},
             {"{{ ' a '.split(none, 3) }} {{ ' a '.rsplit(none, 0) }}", "['a'] [' a']"}});
}

TEST(Template, CharactersOfMarkupAreStrings) {
  ExpectAll({{"{{ ('a<'|e)|list }} {{ ('ab'|safe)|sort(reverse=true) }} {{ ('ab'|safe)[:1]|list }}",
              "['a', '&', 'l', 't', ';'] ['b', 'a'] ['a']"}});
}

TEST(Template, NumbersAsTheyWereWritten) {
  constexpr std::string_view kNumbers =
      R"({"x":[1.50,1e3,-0.0,2,7.0,123456789012345678901234,18446744073709551615]})";
  const auto show = [&](std::string_view source, Numbers numbers) {
    const auto context = ParseContext(kNumbers, numbers);
    return Template::Parse(source).value().Render(*context, {})->text();
  };
  for (const char* source : {"{{ x }}", "{{ x|tojson }}"}) {
    EXPECT_EQ(show(source, Numbers::kAsWritten),
              "[1.50, 1e3, -0.0, 2, 7.0, 123456789012345678901234, 18446744073709551615]");
  }
  EXPECT_EQ(show("{{ x[0] }} {{ x[0] + 1 }} {{ x[0] == 1.5 }} {{ x[:2]|sum }} {{ -x[0] }}",
                 Numbers::kAsWritten),
            "1.50 2.5 True 1001.5 -1.5");
  EXPECT_EQ(show("{{ x[:1] }}", Numbers::kAsWritten), "[1.50]");
  EXPECT_EQ(Show("{{ x }}", "{\"x\":[1.50,1e3,-0.0]}"), "[1.5, 1000.0, -0.0]");
}

TEST(Template, UndefinedAndNone) {
  ExpectAll(
      {{"[{{ x }}] {{ x is defined }} {{ none is defined }}", "[] False True"},
       {"{{ x.y }}", "error: line 1, column 5: 'x' is undefined"},
       {"{{ {}.y is undefined }}", "True"},
       {"{{ {}.y.z }}", "error: line 1, column 8: 'dict object' has no attribute 'y'"},
       {"{{ x == y }} {{ x == none }}", "True False"},
       {"{% for a in x %}{% else %}empty{% endfor %}", "empty"},
       {"{{ [].append(1) }}",
        "error: line 1, column 13: access to attribute 'append' of 'list object' is unsafe"}});
}

TEST(Template, LoopsAndScopes) {
  ExpectAll(
      {{"{% for a in [1,2,3] %}{{ loop.index }}{{ loop.last }} {% endfor %}",
        "1False 2False 3True "},
       {"{% for a in [1,2,3,4] if a is even %}{{ a }}/{{ loop.length }} {% endfor %}", "2/2 4/2 "},
       {"{% set x = 1 %}{% for a in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "1"},
       {"{% set n = namespace(x=1) %}{% for a in [1] %}{% set n.x = 2 %}{% endfor %}{{ n.x }}",
        "2"},
       {"{% for a in [1,2,3] %}{% if a == 2 %}{% continue %}{% endif %}{{ a }}{% endfor %}", "13"},
       {"{% for a in [1,2,3] %}{% if a == 2 %}{% break %}{% endif %}{{ a }}{% endfor %}", "1"},
       {"{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %}", "a=1"},
       {"{% for a in [[1, [2]]] recursive %}{% for b in a %}{{ b if b is number else loop is "
        "defined }}{% endfor %}{% endfor %}",
        "1True"},
       {"{% for a in [1,[2,[3]]] recursive %}{{ a if a is number else '<' ~ loop(a) ~ '>' }}{% "
        "endfor %}",
        "1<2<3>>"},
       {"{% for a in 'ab' %}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}", "b;a;"},
       {"{% set g = [1,2]|select %}{{ g|list }}{{ g|list }}", "[1, 2][]"}});
}

TEST(Template, MacrosAndBlocks) {
  ExpectAll(
      {{"{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 3, 4, "
        "c=5) }}",
        "13(4,){'c': 5}"},
       {"{% macro m() %}<{{ caller('x') }}>{% endmacro %}{% call(v) m() %}{{ v }}!{% endcall %}",
        "<x!>"},
       {"{% set t %}a{% endset %}{% filter upper %}{{ t }}b{% endfilter %}", "AB"},
       {"{% set t | trim | upper %} a {% endset %}[{{ t }}]", "[A]"},
       {"{% generation %}x{% endgeneration %}", "x"},
       {"{% with a=1, b=2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "3False"}});
  EXPECT_THAT(Show("{% include 'x' %}"), HasSubstr("line 1, column 4: 'include' is not supported"));
  EXPECT_THAT(Show("a\n{{ 1 | nope }}"), HasSubstr("line 2, column 8: no filter is named 'nope'"));
}

TEST(Template, FiltersAndMethods) {
  ExpectAll(
      {{"{{ {'b': [1, 'é', none, true], 'a': 1.0}|tojson }}",
        "{\"b\": [1, \"é\", null, true], \"a\": 1.0}"},
       {"{{ {'b': 1, 'a': []}|tojson(indent=2, sort_keys=true) }}",
        "{\n  \"a\": [],\n  \"b\": 1\n}"},
       {"{{ '<é>'|tojson(ensure_ascii=true) }}", "\"<\\u00e9>\""},
       {"{{ [1]|tojson(separators=(',', ':')) }}", "[1]"},
       {"{{ ' a b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a.b'.rsplit('.') }}",
        "['a', 'b'] ['a', 'b,c'] ['a', 'b']"},
       {"{{ 'hello world'|title }} {{ 'hELLO'|capitalize }} {{ 'ß'|upper }}",
        "Hello World Hello SS"},
       {"{{ 'xxaxx'.strip('x') }} {{ 'a'.center(5, '*') }}", "a **a**"},
       {"{{ [3,1,2]|sort|join('-') }} {{ [{'a':2},{'a':1}]|map(attribute='a')|list }}",
        "1-2-3 [2, 1]"},
       {"{{ 'a\nb'|indent(2) }}", "a\n  b"},
       {"{{ '%s-%05.1f-%d' % ('x', 2.25, 3) }} {{ '{:>4}|{}'.format('a', 1) }}",
        "x-002.2-3    a|1"},
       {"{{ '42'|int + 1 }} {{ 'x'|int(7) }} {{ '1.5'|float }} {{ 2.5|round }}", "43 7 1.5 2.0"},
       {"{{ x|default('d') }} {{ ''|default('d', true) }}", "d d"},
       {"{{ [1,2,3]|select('>', 1)|list }} {{ ['a','A']|unique|list }}", "[2, 3] ['a']"},
       {"{{ {'b':1,'a':2}|dictsort }} {{ [1,2]|sum }} {{ [1,5]|max }}", "[('a', 2), ('b', 1)] 3 5"},
       {"{{ ('<'|safe) + '<' }} {{ '<'|e }}", "<&lt; &lt;"},
       {"{{ 'ΑΣ'.lower() }} {{ '日本'|length }}", "ας 2"}});
}

TEST(Template, RefusalAndClock) {
  EXPECT_EQ(Show("{{ raise_exception('no system') }}"), "raise: no system");
  RenderOptions options;
  options.now_micros = 1'763'726'400'000'000;
  EXPECT_EQ(Show("{{ strftime_now('%Y-%m-%d %-d %b %H:%M:%S.%f') }}", "{}", options),
            "2025-11-21 21 Nov 12:00:00.000000");
}

TEST(Template, EndlessTemplatesEndSoonWithAnError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the limits are made for optimised code; with sanitizers this takes minutes";
#endif
  const auto begin = std::chrono::steady_clock::now();
  for (const char* source :
       {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10**9 }}", "{{ [1] * 10**9 }}", "{{ 'x'|center(10**9) }}",
        "{{ '%999999999d' % 1 }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set n = namespace(x='ab') %}{% for a in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor "
        "%}{{ n.x }}",
        "{% set n = namespace(x=[1]) %}{% for a in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor "
        "%}{{ n.x }}",
        "{% set n = namespace() %}{% set n.x = n %}{{ n }}", "{{ range(10**9) }}", "{{ 10**9**9 }}",
        "{% set n = namespace(x='a') %}{% for a in range(99999) %}{% set n.x = n.x|replace('a', "
        "'aa') %}{% endfor %}"}) {
    EXPECT_THAT(Show(source), ::testing::StartsWith("error: line 1, column ")) << source;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(2));
  for (const char* open : {"(", "[", "{% if x %}", "-", "not ", "{'a':", "x if "}) {
    std::string source = open[0] == '{' && open[1] == '%' ? "" : "{{ ";
    for (int i = 0; i < 50'000; ++i) source += open;
    EXPECT_THAT(Show(source), ::testing::StartsWith("error: line 1, column ")) << open;
  }
}

TEST(Template, ManyThreadsRenderOneTemplate) {
  const Template parsed =
      Template::Parse("{% for a in range(1000) %}{{ loop.index ~ x }}{% endfor %}").value();
  const OrderedJson context = ParseContext("{\"x\": \"é\"}").value();
  const std::string wanted = parsed.Render(context, {})->text();
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (size_t t = 0; t < same.size(); ++t) {
    threads.emplace_back([&, t] { same[t] = parsed.Render(context, {})->text() == wanted; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(same, ::testing::Each(1));
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every golden case: the same text, or an error where jinja2 raises.
TEST(Template, GoldensOfRealTemplates) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::string folder = fixtures + "/templates/";
  const std::string goldens = ReadWhole(folder + "goldens.json");
  const OrderedJson document = ParseContext(goldens).value();
  RenderOptions options;
  options.now_micros = 1'795'262'400'000'000;
  ASSERT_EQ(document["now"], "2026-11-21T12:00:00");
  for (const OrderedJson& golden : document["cases"]) {
    const std::string name = golden["template"].get<std::string>();
    const auto parsed = Template::Parse(ReadWhole(folder + name));
    ASSERT_TRUE(parsed) << name << ": " << parsed.error().message();
    const auto context = document["contexts"].find(golden["context"].get<std::string>());
    const auto rendered = parsed->Render(*context, options);
    const std::string got = !rendered           ? "error: " + rendered.error().message()
                            : rendered->refusal ? "error: " + *rendered->refusal
                                                : rendered->text();
    if (golden.contains("text")) {
      EXPECT_EQ(got, golden["text"].get<std::string>()) << name << " " << golden["context"];
    } else {
      EXPECT_TRUE(!rendered || rendered->refusal)
          << name << " " << golden["context"] << ": " << got;
    }
  }
}

}  // namespace
}  // namespace skerry::engine::jinja
