using PostTrain.Data;
using PostTrain.Supervised;
using PostTrain.Text;

namespace PostTrain.Preference;

/// <summary>A preference pair as token ids.</summary>
internal readonly record struct TokenPair(TokenExample Chosen, TokenExample Rejected)
{
    internal static TokenPair Of(
        PreferencePair pair,
        ITokenizer tokenizer,
        bool appendEnd,
        int contextLength,
        string what,
        string parameter
    ) =>
        new(
            TokenExample.Of(pair.Prompt, pair.Chosen, tokenizer, appendEnd, contextLength, $"{what}.{nameof(pair.Chosen)}", parameter),
            TokenExample.Of(pair.Prompt, pair.Rejected, tokenizer, appendEnd, contextLength, $"{what}.{nameof(pair.Rejected)}", parameter)
        );
}
