using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Refinement.Restarts;

/// <summary>The three tokens with which a policy says what it does next: go on, check the last step, try another way.</summary>
/// <remarks>Shen et al. 2025 (Satori), arXiv:2502.02508, section 3: chains of actions and thoughts. The tokens are new rows of the
/// embedding and of the output projection (<see cref="AddTo"/>). Training on demonstrations that use them comes next, with all parameters
/// or with these rows only (<see cref="Rows"/>), then reinforcement learning with <see cref="RestartAndExplore"/>.</remarks>
public sealed record MetaActions
{
    /// <summary>Marks a step that goes on from the one before.</summary>
    /// <value>The default is <c>&lt;|continue|&gt;</c>.</value>
    public string Continue { get; init; } = "<|continue|>";

    /// <summary>Marks a step that checks the one before.</summary>
    /// <value>The default is <c>&lt;|reflect|&gt;</c>.</value>
    public string Reflect { get; init; } = "<|reflect|>";

    /// <summary>Marks a step that tries another way.</summary>
    /// <value>The default is <c>&lt;|explore|&gt;</c>.</value>
    public string Explore { get; init; } = "<|explore|>";

    /// <summary>The three tokens in the order of their ids.</summary>
    public IReadOnlyList<string> Tokens => [Continue, Reflect, Explore];

    /// <summary>Returns a copy of a model and its tokenizer that know the tokens. Every other parameter of the copy has the same
    /// bits.</summary>
    /// <param name="model">The model; it stays the caller's. Where its matrix is wider than the tokenizer's vocabulary, the free ids are
    /// taken first.</param>
    /// <param name="tokenizer">A <see cref="CharacterTokenizer"/> or a <see cref="TokenizerJson"/> that knows none of them.</param>
    /// <param name="seed">Seed of the new rows (<see cref="Decoder.WithVocabulary"/>).</param>
    /// <returns>The model, which the caller disposes, and the tokenizer. <see cref="Pretrained"/> saves both in transformers'
    /// files.</returns>
    /// <exception cref="NotSupportedException">Tokens cannot be added to a tokenizer of this kind.</exception>
    /// <exception cref="ArgumentException">A token is known already.</exception>
    public (Decoder Model, ITokenizer Tokenizer) AddTo(Decoder model, ITokenizer tokenizer, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ITokenizer grown = tokenizer switch
        {
            CharacterTokenizer characters => characters.WithTokens(Tokens),
            TokenizerJson json => json.WithTokens(Tokens),
            _ => throw new NotSupportedException(
                $"tokens cannot be added to a {tokenizer.GetType().Name}, "
                    + $"expected a {nameof(CharacterTokenizer)} or a {nameof(TokenizerJson)}"
            ),
        };
        return (model.WithVocabulary(Math.Max(model.VocabularySize, grown.VocabularySize), seed), grown);
    }

    /// <summary>The adapter that trains the tokens' rows and nothing else; its files are PEFT's.</summary>
    /// <param name="model">The model that has the rows.</param>
    /// <param name="tokenizer">Its tokenizer, which knows the tokens.</param>
    /// <exception cref="ArgumentException">The tokenizer encodes one of them as several ids.</exception>
    public TokenTuningOptions Rows(Decoder model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        int[] beginning = tokenizer.Encode("");
        var names = ModuleNames.Of(model.Config.Naming);
        return new TokenTuningOptions
        {
            Ids =
            [
                .. Tokens.Select(token =>
                    tokenizer.Encode(token)[beginning.Length..] is [var id]
                        ? id
                        : throw new ArgumentException(
                            $"the tokenizer has no token '{token}', expected one that AddTo gave",
                            nameof(tokenizer)
                        )
                ),
            ],
            Targets = model.Config.TiedEmbeddings ? null : [names.Tokens, names.Head],
        };
    }

    /// <summary>Returns true if a text checks a step or tries another way.</summary>
    public bool Reconsiders(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Contains(Reflect, StringComparison.Ordinal) || text.Contains(Explore, StringComparison.Ordinal);
    }
}
