using System.Globalization;

namespace PostTrain.Training.Diagnostics;

/// <summary>A finding of a <see cref="DiagnosticRule"/> in words, with advice.</summary>
/// <param name="Name">The rule's name, such as <c>entropy-collapse</c>. Each has a section in docs/diagnostics.md.</param>
/// <param name="Step">The step at which it was raised.</param>
/// <param name="Value">The number that raised it.</param>
/// <param name="Message">The observation, with its numbers.</param>
/// <param name="Advice">Its meaning and what to do.</param>
public sealed record Warning(string Name, long Step, double Value, string Message, string Advice)
{
    /// <summary>The severity: a problem or a harmless oddity.</summary>
    /// <value>The default is <see cref="DiagnosticLevel.Warning"/>.</value>
    public DiagnosticLevel Level { get; init; } = DiagnosticLevel.Warning;

    /// <summary>One line of text: <c>warning entropy-collapse at step 40: message advice</c>.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{(Level == DiagnosticLevel.Note ? "note" : "warning")} {Name} at step {Step}: {Message} {Advice}"
        );
}
