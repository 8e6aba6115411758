using PostTrain.Text;

namespace PostTrain.RewardModeling;

/// <summary>A stepwise example in tokens.</summary>
/// <param name="Tokens">Prompt, then each step and its separator.</param>
/// <param name="Ends">The positions in <paramref name="Tokens"/> that carry a label: the last token of each step's separator,
/// ascending.</param>
/// <param name="Labels">The label of each of them.</param>
public sealed record StepEncoding(int[] Tokens, int[] Ends, int[] Labels)
{
    /// <summary>Encodes an example: [beginning] prompt step_1 separator step_2 separator ..., labels at the ends of the
    /// separators.</summary>
    /// <remarks>Each step and the separator are encoded by themselves, as TRL does, so that the label always stands on a separator's token;
    /// the tokenizer's special tokens come with the prompt only.</remarks>
    /// <param name="example">As many labels as steps.</param>
    /// <param name="tokenizer">Encodes prompt, steps and separator.</param>
    /// <param name="options">The layout; defaults when null.</param>
    /// <exception cref="ArgumentException">Labels and steps differ in number, or the separator has no token.</exception>
    public static StepEncoding Of(StepwiseExample example, ITokenizer tokenizer, StepEncodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options ??= new StepEncodingOptions();
        options.Check();
        if (example.Labels.Count != example.Steps.Count)
            throw new ArgumentException(
                $"example has {example.Labels.Count} labels, expected one for each of its {example.Steps.Count} steps",
                nameof(example)
            );
        int[] separator = tokenizer.Encode(MarkedText.Rendered(options.Separator));
        if (separator.Length == 0)
            throw new ArgumentException("the separator has no token, expected at least one to carry the label", nameof(options));

        List<int> tokens = [.. tokenizer.Encode(example.Prompt)];
        if (options.BeginningOfSequenceId is { } first && (tokens.Count == 0 || tokens[0] != first))
            tokens.Insert(0, first);
        int length = Math.Min(
            options.MaximumLength ?? int.MaxValue,
            (int)Math.Min(int.MaxValue, tokens.Count + (long)(options.MaximumCompletionLength ?? int.MaxValue))
        );
        List<int> ends = [],
            labels = [];
        for (int step = 0; step < example.Steps.Count; step++)
        {
            tokens.AddRange(tokenizer.Encode(MarkedText.Rendered(example.Steps[step])));
            tokens.AddRange(separator);
            if (tokens.Count > length || (options.LastStepOnly && step < example.Steps.Count - 1))
                continue;
            ends.Add(tokens.Count - 1);
            labels.Add(example.Labels[step]);
        }
        return new StepEncoding([.. tokens.Take(length)], [.. ends], [.. labels]);
    }
}
