using System.Globalization;

namespace PostTrain.Training.Diagnostics;

/// <summary>What a <see cref="DiagnosticRule"/> says of a run, in words.</summary>
/// <param name="Name">The rule's name, such as <c>entropy-collapse</c>; each has a section in docs/diagnostics.md.</param>
/// <param name="Step">The step at which it was raised.</param>
/// <param name="Value">The number that raised it.</param>
/// <param name="Message">What was seen, with its numbers.</param>
/// <param name="Advice">What it means and what to do.</param>
public sealed record Warning(string Name, long Step, double Value, string Message, string Advice)
{
    /// <summary>Whether something is wrong, or only looks so.</summary>
    /// <value>The default is <see cref="DiagnosticLevel.Warning"/>.</value>
    public DiagnosticLevel Level { get; init; } = DiagnosticLevel.Warning;

    /// <summary>One line of text: <c>warning entropy-collapse at step 40: what was seen. What to do.</c></summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{(Level == DiagnosticLevel.Note ? "note" : "warning")} {Name} at step {Step}: {Message} {Advice}"
        );
}
