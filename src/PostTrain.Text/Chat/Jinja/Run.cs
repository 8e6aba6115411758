using System.Runtime.CompilerServices;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>The state of one rendering: used limits, position, and output.</summary>
internal sealed class Run
{
    private readonly SourceText source;
    private readonly JinjaLimits limits;
    private long steps;
    private int depth;

    internal Run(SourceText source, JinjaLimits limits)
    {
        this.source = source;
        this.limits = limits;
        Document = Output = new TextBuffer(limits.MaximumCharacters);
    }

    /// <summary>Position in the source of the node being evaluated.</summary>
    internal int Position { get; set; }

    internal JinjaLimits Limits => limits;

    /// <summary>The output, or the text that a block collects.</summary>
    internal TextBuffer Output { get; private set; }

    /// <summary>The final output, even while a block collects text.</summary>
    internal TextBuffer Document { get; }

    /// <summary>The spans that generation blocks wrote, in UTF-16 characters of the output.</summary>
    internal List<TextSpan> Generations { get; } = [];

    internal TemplateException Error(string reason) => source.Error(Position, reason);

    internal void Charge(long amount = 1)
    {
        steps += amount;
        if (steps > limits.MaximumSteps)
            throw Error($"more than {limits.MaximumSteps} steps");
    }

    /// <summary>Counts a text that is to be created or searched; throws before a text that is too long is created.</summary>
    internal void ChargeText(long length)
    {
        if (length > limits.MaximumCharacters)
            throw Error($"a text of {length} characters, expected at most {limits.MaximumCharacters}");
        Charge(1 + (length / 16));
    }

    /// <summary>Counts a search, whose worst case is the product of both lengths.</summary>
    internal void ChargeSearch(string text, string pattern) => Charge(1 + (text.Length / 16L * (1 + (pattern.Length / 64L))));

    internal void Write(string text)
    {
        Charge(1 + (text.Length / 16));
        if (!Output.TryAppend(text))
            throw Error($"the output has more than {limits.MaximumCharacters} characters");
    }

    internal void Enter()
    {
        if (++depth > limits.MaximumDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Error($"nested deeper than {Math.Min(depth, limits.MaximumDepth)} levels");
    }

    internal void Leave() => depth--;

    /// <summary>Returns the text that the action writes.</summary>
    internal string Capture(Action action)
    {
        var outer = Output;
        Output = new TextBuffer(limits.MaximumCharacters);
        action();
        var text = Output.ToString();
        Output = outer;
        return text;
    }
}
