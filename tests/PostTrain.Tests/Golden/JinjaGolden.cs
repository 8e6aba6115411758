using PostTrain.Text.Chat;
using PostTrain.Text.Chat.Jinja;

namespace PostTrain.Tests.Golden;

/// <summary>jinja.json: fragments of templates and what they give.</summary>
internal static class JinjaGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind> { ["jinja"] = new(Fragments) };

    private static void Fragments(GoldenCase item)
    {
        var variables = item.Json("inputs", "context").EnumerateObject().ToDictionary(field => field.Name, field => (object?)field.Value);
        List<string> wrong = [];
        foreach (var row in item.Json("expected", "rows").EnumerateArray())
        {
            var (template, expected) = (row.GetProperty("template").GetString()!, row.GetProperty("output").GetString()!);
            var found = Rendered(template, variables);
            if (found != expected)
                wrong.Add($"{template}\n  expected {expected}\n  found    {found}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static string Rendered(string template, IReadOnlyDictionary<string, object?> variables)
    {
        try
        {
            return JinjaTemplate.Parse(template).Render(variables);
        }
        catch (TemplateException exception)
        {
            return exception.Message;
        }
    }
}
