using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using PostTrain.Tests.Golden;
using PostTrain.Text.Chat;
using PostTrain.Text.Chat.Jinja;
using Xunit.Abstractions;

namespace PostTrain.Tests.Chat;

public sealed class JinjaMutationTests(ITestOutputHelper output)
{
    private static readonly JinjaLimits Limits = new() { MaximumSteps = 200_000, MaximumCharacters = 1 << 20 };

    private static readonly string[] Pieces =
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "-",
        "+",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'",
        "\"",
        "\\",
        "|",
        ".",
        ",",
        ":",
        "~",
        "**",
        "//",
        "%",
        "*",
        "=",
        "0",
        "-1",
        "9223372036854775807",
        "1e308",
        "loop",
        "messages",
        "namespace",
        "range(99999)",
        " in ",
        " is ",
        " not ",
        " if ",
        " else ",
        "none",
        "|tojson",
        "|list",
        "|length",
        "|sort",
        "|join",
        "|map",
        "|first",
        "{% for x in messages %}",
        "{% endfor %}",
        "{% if messages %}",
        "{% endif %}",
        "{% set x = x ~ x %}",
        "{% macro m(a) %}",
        "{% endmacro %}",
        "{{ m(m) }}",
        "\n",
        "\0",
        "\ud83d",
        "é",
        "🙂",
    ];

    /// <summary>Mutated templates are rendered or end in a <see cref="TemplateException"/>, in bounded time. POSTTRAIN_FUZZ sets how
    /// many.</summary>
    [Fact]
    public void MutatedTemplates_RenderOrAreRefused()
    {
        int count = int.TryParse(
            Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ"),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out int given
        )
            ? given
            : 1000;
        var random = new Random(20_240);
        var templates = Templates();
        var variables = Variables();
        var (rendered, refused, slowest) = (0, 0, TimeSpan.Zero);
        for (int round = 0; round < count; round++)
        {
            var template = Mutate(templates[random.Next(templates.Count)], random);
            var clock = Stopwatch.StartNew();
            try
            {
                JinjaTemplate.Parse(template).Render(variables, limits: Limits);
                rendered++;
            }
            catch (TemplateException)
            {
                refused++;
            }
            slowest = clock.Elapsed > slowest ? clock.Elapsed : slowest;
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed} for {template}");
        }
        output.WriteLine($"{rendered} rendered, {refused} refused, the slowest took {slowest.TotalMilliseconds:F0} ms");
        Assert.True(rendered > count / 50 && refused > count / 50, $"{rendered} rendered, {refused} refused");
    }

    private static List<string> Templates()
    {
        List<string> templates = [];
        var fragments = JsonDocument
            .Parse(File.ReadAllBytes(Path.Combine(GoldenFile.Directory, "jinja.json")))
            .RootElement.GetProperty("cases")[0]
            .GetProperty("expected")
            .GetProperty("rows");
        templates.AddRange(fragments.EnumerateArray().Select(row => row.GetProperty("template").GetString()!));
        foreach (
            var file in Directory
                .EnumerateFiles(Path.Combine(GoldenFile.Directory, "tokenizers"), "*.jinja", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
        )
            templates.AddRange(Enumerable.Repeat(File.ReadAllText(file), 20));
        return templates;
    }

    private static Dictionary<string, object?> Variables()
    {
        var context = JsonDocument
            .Parse(
                """
                {"a": 3, "b": -2.5, "s": " Hello World ", "l": [3, 1, 2], "d": {"x": 1, "y": [1, 2], "z": "q"}, "t": true, "n": null, "e": [], "bos_token": "<s>", "eos_token": "</s>",
                 "m": [{"role": "user", "content": "u1"}, {"role": "assistant", "content": "a1"}], "add_generation_prompt": true,
                 "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1.5]}}}]}],
                 "tools": [{"function": {"name": "f", "parameters": {"properties": {"x": {"type": "string"}}}}}]}
                """
            )
            .RootElement;
        return context.EnumerateObject().ToDictionary(field => field.Name, field => (object?)field.Value);
    }

    private static string Mutate(string template, Random random)
    {
        for (int changes = random.Next(1, 5); changes > 0; changes--)
        {
            int at = random.Next(template.Length + 1);
            int length = Math.Min(random.Next(1, 20), template.Length - at);
            template = random.Next(5) switch
            {
                0 => template.Remove(at, length),
                1 => template.Insert(at, Pieces[random.Next(Pieces.Length)]),
                2 => template.Remove(at, length).Insert(at, Pieces[random.Next(Pieces.Length)]),
                3 => template.Insert(random.Next(template.Length + 1), template.Substring(at, length)),
                _ => template.Insert(at, ((char)random.Next(0x10000)).ToString()),
            };
        }
        return template;
    }
}
