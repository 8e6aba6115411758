namespace PostTrain.Rewards.Steps;

/// <summary>A completion and its steps.</summary>
/// <param name="Completion">The completion.</param>
/// <param name="Steps">Its steps in order; none for an empty text.</param>
public sealed record SteppedCompletion(Completion Completion, IReadOnlyList<ReasoningStep> Steps)
{
    /// <summary>Splits the text at a separator; parts of white space only are not steps.</summary>
    /// <param name="completion">The completion.</param>
    /// <param name="separator">Not empty. A line end by default; two line ends split paragraphs.</param>
    public static SteppedCompletion Of(Completion completion, string separator = "\n")
    {
        ArgumentNullException.ThrowIfNull(completion);
        ArgumentException.ThrowIfNullOrEmpty(separator);
        var steps = new List<ReasoningStep>();
        for (var start = 0; start <= completion.Text.Length; )
        {
            var found = completion.Text.IndexOf(separator, start, StringComparison.Ordinal);
            var end = found < 0 ? completion.Text.Length : found;
            var text = completion.Text[start..end].Trim();
            if (text.Length > 0)
                steps.Add(new ReasoningStep(start, end, text));
            start = end + separator.Length;
        }

        return new SteppedCompletion(completion, steps);
    }

    /// <summary>Returns the text up to the end of a step.</summary>
    /// <param name="step">Index of the step.</param>
    public string Prefix(int step) => Completion.Text[..Steps[step].End];
}
