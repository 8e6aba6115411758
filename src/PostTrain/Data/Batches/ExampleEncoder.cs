using PostTrain.Text;

namespace PostTrain.Data.Batches;

/// <summary>Encoder of a trainer's examples: token ids, truncation, the model's limit, and notes about what would be lost in
/// silence.</summary>
/// <param name="Tokenizer">Turns texts into the model's token ids.</param>
/// <param name="ContextLength">The model's context in tokens.</param>
public sealed record ExampleEncoder(ITokenizer Tokenizer, int ContextLength)
{
    private const int Shown = 40;

    // Beginnings of answers, where a problem has none of its own.
    private static readonly string[] Words = ["the", "A", "I"];

    /// <summary>True to append the tokenizer's end of sequence, if it has one, to a completion without one.</summary>
    /// <value>The default is true.</value>
    public bool AppendEnd { get; init; } = true;

    /// <summary>Truncation of longer sequences.</summary>
    /// <value>The default is null: a sequence that does not fit the model is refused.</value>
    public SequenceTruncation? Truncation { get; init; }

    /// <summary>Takes findings about the examples.</summary>
    /// <value>The default is null: nobody is told.</value>
    public DataNotes? Notes { get; init; }

    /// <summary>Encodes a prompt with its completion.</summary>
    /// <param name="prompt">The text that is given.</param>
    /// <param name="completion">The text that is learnt, or its learnt spans.</param>
    /// <param name="name">Name of the example for messages, such as <c>data[3]</c>.</param>
    /// <returns>The example; <see cref="TokenExample.HasLearnt"/> is false if nothing of it is learnt.</returns>
    /// <exception cref="ArgumentException">The sequence is too long for the model, and there is no truncation.</exception>
    public TokenExample Encode(MarkedText prompt, MarkedText completion, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var example = TokenExample.Of(prompt, completion, Tokenizer, AppendEnd);
        if (example.JoinsBorder)
            Notes?.Add(DataFinding.JoinedBorder, $"{name}, '{End(prompt)}' before '{Beginning(completion)}'");
        if (!example.HasLearnt)
        {
            Notes?.Add(DataFinding.NothingLearnt, $"{name}, '{Beginning(prompt + completion)}'");
            return example;
        }
        if (completion.IsRendered && !LearnsEnd(example))
            Notes?.Add(DataFinding.EndNotLearnt, $"{name}, '{End(completion)}'");
        return Cut(example, name);
    }

    // Any special token ends a turn; a vocabulary without an end has none to learn.
    private bool LearnsEnd(TokenExample example)
    {
        if (Notes is null || Tokenizer.EndOfSequenceIds.Count == 0)
            return true;
        for (int i = example.Ids.Length - 1; i >= 1; i--)
            if (
                example.Learns(i)
                && (Tokenizer.EndOfSequenceIds.Contains(example.Ids[i]) || CompletionTokens.IsMark(example.Ids[i], Tokenizer))
            )
                return true;
        return false;
    }

    /// <summary>Encodes a text that is judged as a whole, such as by a reward model: nothing has to be learnt of it.</summary>
    /// <returns>The example; <see cref="TokenExample.HasLearnt"/> is false if nothing of the completion is left after a cut.</returns>
    internal TokenExample EncodeJudged(MarkedText prompt, MarkedText completion, string name)
    {
        var example = TokenExample.Of(prompt, completion with { Learnt = null }, Tokenizer, AppendEnd);
        if (example.JoinsBorder)
            Notes?.Add(DataFinding.JoinedBorder, $"{name}, '{End(prompt)}' before '{Beginning(completion)}'");
        return Truncation is null ? example : Cut(example, name);
    }

    /// <summary>Encodes a prompt that a model samples from.</summary>
    /// <exception cref="ArgumentException">The prompt leaves no room for a token in the model's context, or is empty.</exception>
    internal int[] EncodePrompt(Problem problem, string name)
    {
        int[] ids = Tokenizer.Encode(problem.Prompt);
        CheckPrompt(problem, ids, name);
        int most = ContextLength - 1;
        if (Truncation is { } truncation && ids.Length > truncation.Limit(most))
        {
            Notes?.Add(DataFinding.Truncated(truncation.Limit(most), truncation.Side), $"{name} with {ids.Length} tokens");
            most = truncation.Limit(most);
            ids = truncation.Side == TruncationSide.Left ? ids[^most..] : ids[..most];
        }
        if (ids.Length == 0 || ids.Length > most)
            throw new ArgumentException(
                $"{name} has a prompt of {ids.Length} tokens, expected 1 to {most}, one less than the model's context",
                name.Split('[')[0]
            );
        return ids;
    }

    /// <summary>Notes a prompt that ends with white space of the next word.</summary>
    internal void CheckPrompt(Problem problem, int[] ids, string name)
    {
        if (IsOpen(problem, ids))
            Notes?.Add(DataFinding.OpenPrompt, $"{name}, '{End(problem.Prompt)}'");
    }

    // Only white space is a sign: letters and digits at the end may well be continued as they are.
    private bool IsOpen(Problem problem, int[] ids)
    {
        if (Notes is null || problem.Prompt.Length == 0 || !char.IsWhiteSpace(problem.Prompt[^1]))
            return false;
        try
        {
            string[] next = problem.Answer is { Length: > 0 } answer ? [answer] : Words;
            return next.Any(word => !Tokenizer.Encode(problem.Prompt + word).AsSpan().StartsWith(ids));
        }
        catch (ArgumentException)
        {
            // The vocabulary has no such letter.
            return false;
        }
    }

    // The last token is only predicted, so that one more than the context fits.
    private TokenExample Cut(TokenExample example, string name) =>
        Truncation is { } truncation
            ? Cut(example, name, truncation, truncation.Limit(ContextLength + 1))
            : example.Fitting(ContextLength, name);

    /// <summary>Cuts an example to a number of tokens.</summary>
    internal TokenExample Cut(TokenExample example, string name, SequenceTruncation truncation, int limit)
    {
        if (example.Ids.Length <= limit)
            return example;
        var cut = example.Truncated(limit, truncation.Side);
        Notes?.Add(
            cut.HasLearnt ? DataFinding.Truncated(limit, truncation.Side) : DataFinding.TruncatedAway(limit, truncation.Side),
            $"{name} with {example.Ids.Length} tokens"
        );
        return cut;
    }

    private static string Beginning(string text) => Line(text.Length <= Shown ? text : text[..Shown] + "…");

    private static string End(string text) => Line(text.Length <= Shown ? text : "…" + text[^Shown..]);

    private static string Line(string text) =>
        text.Replace("\r", "\\r", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
