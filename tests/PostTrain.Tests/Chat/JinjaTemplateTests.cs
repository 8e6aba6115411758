using System.Text.Json;
using PostTrain.Text.Chat;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Tests.Chat;

public sealed class JinjaTemplateTests
{
    private static string Render(string template, object? variables = null, DateTime? now = null) =>
        JinjaTemplate
            .Parse(template)
            .Render(
                JsonSerializer
                    .SerializeToElement(variables ?? new { })
                    .EnumerateObject()
                    .ToDictionary(field => field.Name, field => (object?)field.Value),
                now
            );

    [Theory]
    [InlineData("{{ 7 // -2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** 3 ** 2 }}", "-4 2 3.5 1024 64")]
    [InlineData(
        "{{ 1e16 }} {{ 0.00001 }} {{ 1e15 }} {{ 0.1 + 0.2 }} {{ -0.0 }}",
        "1e+16 1e-05 1000000000000000.0 0.30000000000000004 -0.0"
    )]
    [InlineData("{{ ['it\\'s', 'a\"b', 'n\\n', '\\x01', 'é'] }}", "[\"it's\", 'a\"b', 'n\\n', '\\x01', 'é']")]
    [InlineData("{{ '🙂x'|length }} {{ '🙂x'[1] }} {{ 'a🙂'[::-1] }} {{ 'a🙂b'.find('b') }}", "2 x 🙂a 2")]
    [InlineData("{{ {1: 'a'}[1.0] }}{{ {true: 'b'}[1] }}{{ 1 == true }}", "abTrue")]
    [InlineData("{{ none|default('x') }}|{{ missing|default('x') }}|{{ missing }}|{{ missing is defined }}", "None|x||False")]
    [InlineData("{{ [3, 1]|sort }}{{ ['b', 'A']|sort }}{{ (1, [2])|tojson }}", "[1, 3]['A', 'b'][1, [2]]")]
    [InlineData("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{{ {'a': 1}.items() }}", "a1dict_items([('a', 1)])")]
    [InlineData("{{ 'a b '.split(none, 1) }}{{ 'a,b,c'.rsplit(',', 1) }}", "['a', 'b ']['a,b', 'c']")]
    [InlineData("{{ 2.5|round }} {{ 2.675|round(2) }} {{ 0.125|round(2) }} {{ 7|round }}", "2.0 2.67 0.12 7")]
    public void Values_AreWrittenAsPythonDoes(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc")]
    [InlineData("a\n  {%+ if true %}\nb{% endif %}", "a\n  b")]
    [InlineData("a {%- if true -%} b {%- endif -%} c", "abc")]
    [InlineData("{# x #}\na {#- y -#} b", "ab")]
    [InlineData("{{ 1 }}\n{{- 2 }}\r\n{{ 3 -}}\r{{ 4 }}", "12\n34")]
    [InlineData("{% raw %}{{ x }}{% endraw %}\ny", "{{ x }}y")]
    public void WhiteSpace_FollowsTrimAndLstripBlocks(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}", "13")]
    [InlineData("{% set n = namespace(x=0) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}", "3")]
    [InlineData("{% macro m(a, b=a, c='z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}", "11z113")]
    [InlineData("{% macro m() %}<{{ caller(5) }}>{% endmacro %}{% call(x) m() %}{{ x + 1 }}{% endcall %}", "<6>")]
    [InlineData("{% macro down(n) %}{{ n }}{% if n %}{{ down(n - 1) }}{% endif %}{% endmacro %}{{ down(3) }}", "3210")]
    [InlineData(
        "{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}/{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% "
            + "else %}none{% endfor %}",
        "1/23;2/21;"
    )]
    [InlineData("{% for x in [] %}{% else %}none{% endfor %}{% with a = 2 %}{{ a }}{% endwith %}{{ a is defined }}", "none2False")]
    [InlineData("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}", "023")]
    [InlineData("{% set x | upper %}ab{% endset %}{{ x }}{% filter replace('a', 'o') %}ab{% endfilter %}", "ABob")]
    public void Statements_ScopeAsInJinja(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("a\n{{ x.y }}", 2, 5, "'x' is undefined")]
    [InlineData("{{ 1 + 'a' }}", 1, 6, "+ does not take int and str")]
    [InlineData("{% if true %}", 1, 14, "expected {% elif %} or {% else %} or {% endif %}")]
    [InlineData("\n\n  {% nonsense %}", 3, 6, "unknown statement 'nonsense'")]
    [InlineData("{{ 'a }}", 1, 4, "the string has no end")]
    [InlineData("{{ (1] }}", 1, 6, "unexpected ']', expected ')'")]
    [InlineData("{{ 1|nothing }}", 1, 6, "there is no filter 'nothing'")]
    [InlineData("{{ 1 is nothing }}", 1, 9, "there is no test 'nothing'")]
    [InlineData("{% include 'x' %}", 1, 4, "'include' is not supported")]
    [InlineData("{% for x in y recursive %}{% endfor %}", 1, 15, "recursive loops are not supported")]
    [InlineData("{{ raise_exception('no ' ~ 1) }}", 1, 19, "no 1")]
    [InlineData("{{ [1].append(2) }}", 1, 14, "has no element append")]
    [InlineData("{{ 1 // 0 }}", 1, 6, "division by zero")]
    [InlineData("{{ strftime_now('%Y') }}", 1, 16, "the rendering was given no time")]
    [InlineData("{{ 9223372036854775807 + 1 }}", 1, 24, "out of range")]
    public void Errors_NameLineColumnAndReason(string template, int line, int column, string reason)
    {
        var exception = Assert.Throws<TemplateException>(() => Render(template));
        Assert.Contains(reason, exception.Reason, StringComparison.Ordinal);
        Assert.Equal((line, column), (exception.Line, exception.Column));
        Assert.Contains($"line {line}, column {column}", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>Each would take more time, memory or stack than there is.</summary>
    [Theory]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")]
    [InlineData("{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}")]
    [InlineData("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}")]
    [InlineData("{% set n = namespace(x=1) %}{% for i in range(64) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}")]
    [InlineData(
        "{% set n = namespace(x=1) %}{% for i in range(64) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x == [n.x[0], "
            + "n.x[1]] }}{{ n.x|tojson }}"
    )]
    [InlineData("{% set n = namespace(x=1) %}{% for i in range(20000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{{ 'a' * 999999999999 }}")]
    [InlineData("{{ [0] * 999999999 }}")]
    [InlineData("{{ ''.ljust(99999999999) }}")]
    [InlineData("{{ [[1]]|tojson(indent=2000000000) }}")]
    [InlineData("{{ 'x\ny'|indent(2000000000) }}")]
    [InlineData("{{ range(10 ** 18) }}")]
    [InlineData("{{ 9 ** 9 ** 9 ** 9 }}")]
    [InlineData("{{ range(99999)|batch(1)|list|batch(2000000000, 1)|list }}")]
    [InlineData("{{ (range(99999)|join * 99).replace('1', range(99999)|join) }}")]
    [InlineData("{% set a = 'a' * 8000000 %}{% for i in range(9999) %}{{ a.count('a' * 4000000 ~ 'b') }}{% endfor %}")]
    public void HostileTemplates_AreStopped(string template) => Assert.Throws<TemplateException>(() => Render(template));

    [Theory]
    [InlineData('(', ')')]
    [InlineData('[', ']')]
    [InlineData('-', ' ')]
    public void DeepNesting_IsRefused(char open, char close) =>
        Assert.Throws<TemplateException>(() => Render($"{{{{ {new string(open, 100_000)}1{new string(close, 100_000)} }}}}"));

    [Theory]
    [InlineData("{% if a %}")]
    [InlineData("{{ a")]
    [InlineData(" + 1")]
    [InlineData("{{ a|upper")]
    public void LongRows_AreRefusedOrRead(string part)
    {
        var template = string.Concat(Enumerable.Repeat(part, 20_000));
        Assert.Throws<TemplateException>(() => Render("{{ 1" + template + " }}"));
    }

    [Fact]
    public void Limits_CanBeSet()
    {
        var template = JinjaTemplate.Parse("{% for i in range(100) %}x{% endfor %}");
        var variables = new Dictionary<string, object?>();
        Assert.Equal(new string('x', 100), template.Render(variables));
        Assert.Throws<TemplateException>(() => template.Render(variables, limits: new JinjaLimits { MaximumSteps = 50 }));
        Assert.Throws<TemplateException>(() => template.Render(variables, limits: new JinjaLimits { MaximumCharacters = 99 }));
        Assert.Throws<TemplateException>(() => template.Render(variables, limits: new JinjaLimits { MaximumRange = 99 }));
        Assert.Throws<TemplateException>(() => template.Render(variables, limits: new JinjaLimits { MaximumDepth = 1 }));
    }

    [Fact]
    public void Time_IsAnArgument() =>
        Assert.Equal(
            "05 Mar 2024 5 17:04 Tuesday 065",
            Render("{{ strftime_now('%d %b %Y %-d %H:%M %A %j') }}", now: new DateTime(2024, 3, 5, 17, 4, 9, DateTimeKind.Utc))
        );

    [Fact]
    public void Variables_OfUnknownTypesAreRefused()
    {
        var exception = Assert.Throws<ArgumentException>(() =>
            JinjaTemplate.Parse("").Render(new Dictionary<string, object?> { ["x"] = new[] { new object() } })
        );
        Assert.Contains("System.Object", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Variables_OfNetTypesAreTaken() =>
        Assert.Equal(
            "{'a': [1, 2.5, None, True]}",
            JinjaTemplate
                .Parse("{{ x }}")
                .Render(
                    new Dictionary<string, object?>
                    {
                        ["x"] = new Dictionary<string, object?> { ["a"] = new object?[] { 1, 2.5f, null, true } },
                    }
                )
        );
}
