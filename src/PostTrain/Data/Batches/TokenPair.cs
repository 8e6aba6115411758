using PostTrain.Text;

namespace PostTrain.Data.Batches;

/// <summary>A preference pair as token ids.</summary>
/// <param name="Chosen">Prompt and preferred completion.</param>
/// <param name="Rejected">Prompt and other completion.</param>
public readonly record struct TokenPair(TokenExample Chosen, TokenExample Rejected)
{
    /// <summary>Encodes both completions of a pair with their prompt.</summary>
    /// <param name="pair">The texts.</param>
    /// <param name="tokenizer">Encodes.</param>
    /// <param name="appendEnd">As for <see cref="TokenExample.Of"/>.</param>
    public static TokenPair Of(PreferencePair pair, ITokenizer tokenizer, bool appendEnd = true)
    {
        ArgumentNullException.ThrowIfNull(pair);
        return new TokenPair(
            TokenExample.Of(pair.Prompt, pair.Chosen, tokenizer, appendEnd),
            TokenExample.Of(pair.Prompt, pair.Rejected, tokenizer, appendEnd)
        );
    }

    /// <summary>Encodes both completions of a pair with their prompt, cut and noted as an encoder says.</summary>
    /// <param name="pair">The texts.</param>
    /// <param name="encoder">Encodes.</param>
    /// <param name="name">Name of the pair for messages, such as <c>data[3]</c>.</param>
    /// <exception cref="ArgumentException">A side is too long for the model, and there is no truncation.</exception>
    public static TokenPair Of(PreferencePair pair, ExampleEncoder encoder, string name)
    {
        ArgumentNullException.ThrowIfNull(pair);
        ArgumentNullException.ThrowIfNull(encoder);
        return new TokenPair(
            encoder.Encode(pair.Prompt, pair.Chosen, $"{name}.{nameof(Chosen)}"),
            encoder.Encode(pair.Prompt, pair.Rejected, $"{name}.{nameof(Rejected)}")
        );
    }

    /// <summary>True if both sides have a token that is learnt.</summary>
    public bool HasLearnt => Chosen.HasLearnt && Rejected.HasLearnt;

    /// <summary>Returns the pair where both sides fit a model, and refuses it otherwise.</summary>
    /// <param name="contextLength">The model's context.</param>
    /// <param name="name">Name of the pair for messages, such as <c>data[3]</c>.</param>
    /// <exception cref="ArgumentException">A side is too long for the model, or has fewer than two tokens.</exception>
    public TokenPair Fitting(int contextLength, string name) =>
        new(Chosen.Fitting(contextLength, $"{name}.{nameof(Chosen)}"), Rejected.Fitting(contextLength, $"{name}.{nameof(Rejected)}"));
}
