using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Search;

/// <summary>Budget forcing: a least and a most number of thinking tokens (s1, Muennighoff et al. 2025, arXiv:2501.19393).</summary>
/// <remarks>An end of thinking that is drawn before the least is replaced by "Wait"; behind the most the thinking is closed. It is a
/// <see cref="DecodingRule"/>, so every processor and truncation acts before it. Thinking tokens are those before the end; "Wait" counts
/// among them. Deviation: the end is one token (a special token, a line end, the end of the text), as a drawn token cannot be taken
/// back.</remarks>
/// <example><code>
/// var forcing = BudgetForcing.Of(tokenizer, "&lt;/think&gt;", "Wait") with { Least = 200, Most = 1000 };
/// var options = new SamplingOptions { MaxNewTokens = 1200, Rules = [forcing.Rule()] };
/// </code></example>
public sealed record BudgetForcing
{
    /// <summary>The least thinking tokens, at least 0. Default 0.</summary>
    public int Least { get; init; }

    /// <summary>The most thinking tokens, at least <see cref="Least"/>. Default: no limit.</summary>
    public int Most { get; init; } = int.MaxValue;

    /// <summary>Tokens that end the thinking, at least one; also those that would end the text.</summary>
    public required IReadOnlyList<int> EndTokens { get; init; }

    /// <summary>The replacement of an early end, at least one token and none of the ends. It is truncated at the maximum.</summary>
    public required IReadOnlyList<int> Wait { get; init; }

    /// <summary>The tokens that close the thinking after the maximum; begins with one of <see cref="EndTokens"/>. Empty, the default: the
    /// first of them.</summary>
    public IReadOnlyList<int> Closing { get; init; } = [];

    /// <summary>The token behind which thinking begins; null, the default: the beginning of the completion.</summary>
    public int? OpeningToken { get; init; }

    /// <summary>Budget forcing with texts.</summary>
    /// <param name="tokenizer">Encodes them, without adding special tokens.</param>
    /// <param name="end">The end of thinking, one token.</param>
    /// <param name="wait">The replacement of an early end, at least one token.</param>
    /// <exception cref="ArgumentException">The end is not one token, or there is nothing to wait with.</exception>
    public static BudgetForcing Of(ITokenizer tokenizer, string end, string wait)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var ends = tokenizer.Encode(MarkedText.Rendered(end));
        if (ends.Length != 1)
            throw new ArgumentException($"end '{end}' is {ends.Length} tokens, expected one", nameof(end));
        return new BudgetForcing { EndTokens = ends, Wait = tokenizer.Encode(MarkedText.Rendered(wait)) }.Validated();
    }

    /// <summary>The rule, for <see cref="SamplingOptions.Rules"/>.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public DecodingRule Rule()
    {
        Validated();
        IReadOnlyList<int> closing = Closing.Count > 0 ? Closing : [EndTokens[0]];
        int[] ends = [.. EndTokens];
        return (completion, drawn) =>
        {
            var start = OpeningToken is { } opening ? completion.IndexOf(opening) + 1 : 0;
            if ((OpeningToken is not null && start == 0) || completion[start..].IndexOfAny(ends) >= 0)
                return null;
            var thought = completion.Length - start;
            var isEnd = ends.AsSpan().Contains(drawn);
            if (thought >= Most)
                return isEnd && Closing.Count == 0 ? null : closing;
            return isEnd && thought < Least ? [.. Wait.Take(Most - thought)] : null;
        };
    }

    private BudgetForcing Validated()
    {
        Guard.AtLeast(Least, 0, nameof(Least));
        Guard.AtLeast(Most, Least, nameof(Most));
        if (EndTokens is null || EndTokens.Count == 0)
            throw new ArgumentException("EndTokens is empty, expected at least one token that ends the thinking", nameof(EndTokens));
        if (Wait is null || Wait.Count == 0 || Wait.Any(EndTokens.Contains))
            throw new ArgumentException(
                $"Wait is [{string.Join(", ", Wait ?? [])}], expected at least one token and none of EndTokens",
                nameof(Wait)
            );
        if (Closing is null || (Closing.Count > 0 && !EndTokens.Contains(Closing[0])))
            throw new ArgumentException(
                $"Closing is [{string.Join(", ", Closing ?? [])}], expected a sequence that begins with one of EndTokens",
                nameof(Closing)
            );
        return this;
    }
}
