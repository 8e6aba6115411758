namespace PostTrain.Text.Chat.Jinja;

/// <summary>Limits of a template's execution; exceeding one throws a <see cref="TemplateException"/>. The defaults are far above the needs
/// of a chat template with a thousand messages.</summary>
public sealed record JinjaLimits
{
    /// <summary>Maximum number of steps: evaluated nodes, created items, and one for every 16 characters created or searched. At least 1;
    /// default 5,000,000. Bounds time and memory.</summary>
    public long MaximumSteps { get; init; } = 5_000_000;

    /// <summary>Maximum length of any text, output or intermediate, in UTF-16 characters. At least 1; default 2²⁴.</summary>
    public int MaximumCharacters { get; init; } = 1 << 24;

    /// <summary>Maximum nesting of expressions, statements, macro calls and printed values. At least 1; default 500.</summary>
    public int MaximumDepth { get; init; } = 500;

    /// <summary>Maximum length of a <c>range</c>. At least 0; default 100,000, as in Jinja's sandbox.</summary>
    public int MaximumRange { get; init; } = 100_000;
}
