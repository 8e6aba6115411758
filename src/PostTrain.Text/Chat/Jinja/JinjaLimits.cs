namespace PostTrain.Text.Chat.Jinja;

/// <summary>What a template may use before it is stopped with a <see cref="TemplateException"/>. The defaults are far above what a
/// chat template of a thousand messages needs.</summary>
public sealed record JinjaLimits
{
    /// <summary>How many steps: evaluated nodes, items made, and one for every 16 characters made or searched. At least 1; default
    /// 5,000,000. Bounds the time and all memory.</summary>
    public long MaximumSteps { get; init; } = 5_000_000;

    /// <summary>The longest text, output or intermediate, in UTF-16 characters. At least 1; default 2²⁴.</summary>
    public int MaximumCharacters { get; init; } = 1 << 24;

    /// <summary>How deep expressions, statements, macro calls and printed values may nest. At least 1; default 500.</summary>
    public int MaximumDepth { get; init; } = 500;

    /// <summary>The longest <c>range</c>. At least 0; default 100,000, as in Jinja's sandbox.</summary>
    public int MaximumRange { get; init; } = 100_000;
}
