using PostTrain.Numerics;
using PostTrain.Text;

namespace PostTrain.Data.Batches;

/// <summary>One training sequence: the token ids of a prompt and of what follows it.</summary>
/// <param name="Ids">All tokens; at least two, since the first is only read and the last only predicted.</param>
/// <param name="PromptLength">Number of tokens of the prompt, which are not learnt; 0 to the number of tokens, 0 by default.</param>
public readonly record struct TokenExample(int[] Ids, int PromptLength = 0)
{
    /// <summary>True for each learnt token, one value per token, such as the assistant's tokens of a conversation.</summary>
    /// <value>Null by default: all tokens after the prompt.</value>
    public IReadOnlyList<bool>? Learnt { get; init; }

    /// <summary>True if the tokenizer joins letters across the border of prompt and completion, or across the beginning of a learnt span:
    /// the ids are then those that sampling sees, of the text before the border alone and of the rest after it.</summary>
    /// <value>The default is false.</value>
    public bool JoinsBorder { get; init; }

    /// <summary>True if a token is learnt. The first token is never predicted, so that it is not learnt by itself.</summary>
    public bool HasLearnt
    {
        get
        {
            for (int i = Math.Max(FirstLearnt, 1); i < Ids.Length; i++)
                if (Learns(i))
                    return true;
            return false;
        }
    }

    /// <summary>Encodes a prompt with its completion.</summary>
    /// <remarks>Both are encoded together; the prompt's tokens are those that the prompt alone begins with, at least one. Where the
    /// tokenizer joins letters across the border (<see cref="JoinsBorder"/>), the completion is encoded after the prompt's own
    /// ids.</remarks>
    /// <param name="prompt">The text that is given.</param>
    /// <param name="completion">The text that is learnt: all of it, or its <see cref="MarkedText.Learnt"/> spans.</param>
    /// <param name="tokenizer">Encodes.</param>
    /// <param name="appendEnd">True to append the tokenizer's end of sequence, if it has one, to a completion without one; true by
    /// default.</param>
    public static TokenExample Of(MarkedText prompt, MarkedText completion, ITokenizer tokenizer, bool appendEnd = true)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var encoding = CompletionTokens.Of(prompt, completion, tokenizer, appendEnd);
        return new TokenExample(encoding.Ids, Math.Max(encoding.PromptLength, 1))
        {
            Learnt = encoding.Learnt,
            JoinsBorder = encoding.JoinsBorder,
        };
    }

    /// <summary>Returns the example where it fits a model, and refuses it otherwise.</summary>
    /// <param name="contextLength">The model's context. The last token is only predicted, never read, so that it may stand one place
    /// beyond it.</param>
    /// <param name="name">Name of the example for messages, such as <c>data[3]</c>.</param>
    /// <param name="parameter">Name of the argument that it came in; null: what stands before the first bracket of the name.</param>
    /// <exception cref="ArgumentException">The sequence is too long for the model, or has fewer than two tokens.</exception>
    public TokenExample Fitting(int contextLength, string name, string? parameter = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        parameter ??= name.Split('[')[0];
        if (Ids.Length > contextLength + 1)
            throw new ArgumentException(
                $"{name} has {Ids.Length} tokens ({PromptLength} of them its prompt), expected at most {contextLength + 1}, one "
                    + "more than the model's context",
                parameter
            );
        if (Ids.Length < 2)
            throw new ArgumentException($"{name} has {Ids.Length} tokens, expected at least 2", parameter);
        return this;
    }

    /// <summary>Cuts a sequence that is too long.</summary>
    /// <param name="maximum">Most tokens that stay, at least 0.</param>
    /// <param name="side">Side that is cut off: the right (the end, by default) or the left (the beginning, prompt first).</param>
    /// <exception cref="ArgumentOutOfRangeException">The maximum is negative.</exception>
    public TokenExample Truncated(int maximum, TruncationSide side = TruncationSide.Right)
    {
        Guard.AtLeast(maximum, 0, nameof(maximum));
        int surplus = Ids.Length - maximum;
        if (surplus <= 0)
            return this;
        return side == TruncationSide.Right
            ? this with
            {
                Ids = Ids[..maximum],
                PromptLength = Math.Min(PromptLength, maximum),
                Learnt = Learnt?.Take(maximum).ToArray(),
            }
            : this with
            {
                Ids = Ids[surplus..],
                PromptLength = Math.Max(PromptLength - surplus, 0),
                Learnt = Learnt?.Skip(surplus).ToArray(),
            };
    }

    /// <summary>Returns true if a token is learnt.</summary>
    internal bool Learns(int index) => Learnt?[index] ?? index >= PromptLength;

    /// <summary>Index of the first token that is learnt; the number of tokens where none is.</summary>
    internal int FirstLearnt => Learnt is null ? PromptLength : Learnt.TakeWhile(learnt => !learnt).Count();

    /// <summary>Refuses a prompt or a mask that does not belong to the ids.</summary>
    internal void Check(string name, string parameter)
    {
        if (PromptLength < 0 || PromptLength > Ids.Length)
            throw new ArgumentException($"{name} has a prompt of {PromptLength} tokens, expected 0 to {Ids.Length}", parameter);
        if (Learnt is { } learnt && learnt.Count != Ids.Length)
            throw new ArgumentException(
                $"{name} has {learnt.Count} values of {nameof(Learnt)}, expected {Ids.Length}, one a token",
                parameter
            );
    }
}
