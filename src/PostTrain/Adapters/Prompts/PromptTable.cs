using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>A soft prompt whose rows are the parameters themselves: n·W parameters.</summary>
/// <remarks>Lester et al. 2021, arXiv:2104.08691. The initialisation matters: below ten billion parameters, a vocabulary or text
/// initialisation was far better than a random one in the paper (figure 3b).</remarks>
public sealed class PromptTable : PromptEncoder
{
    private readonly EmbeddingRows embedding;

    /// <summary>Creates a table of given rows.</summary>
    /// <param name="rows">[n,W], copied.</param>
    /// <exception cref="ArgumentException">The rows are not a floating-point matrix with at least one column.</exception>
    public PromptTable(Tensor rows)
        : base(nameof(PromptTable), Height(rows), (int)rows.size(1))
    {
        using var scope = NewDisposeScope();
        embedding = new EmbeddingRows(rows.detach().clone());
        register_module("embedding", embedding);
    }

    /// <summary>The parameter, [n,W]. Owned by the table: do not dispose it.</summary>
    public Parameter Weight => embedding.Weight;

    /// <summary>Creates random rows, uniform in (−<paramref name="bound"/>, <paramref name="bound"/>).</summary>
    /// <param name="length">n, at least 0.</param>
    /// <param name="width">W.</param>
    /// <param name="seed">Seed of the rows.</param>
    /// <param name="bound">The bound; 0.5 in the paper.</param>
    /// <param name="type">Type of the rows.</param>
    public static PromptTable Random(int length, int width, ulong seed, double bound = 0.5, ScalarType type = ScalarType.Float32)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        Guard.NotNegative(bound, nameof(bound));
        using var scope = NewDisposeScope();
        return new PromptTable(new PromptParameters(seed, type).Uniform([length, width], bound));
    }

    /// <summary>Creates rows from the embeddings of random tokens, without repetition while there are enough.</summary>
    /// <param name="model">The model whose embeddings are copied.</param>
    /// <param name="length">n.</param>
    /// <param name="seed">Seed of the choice of tokens.</param>
    /// <param name="mostCommon">Only ids below this are chosen (the paper: 5,000, with ids sorted by frequency); null for all.</param>
    public static PromptTable FromVocabulary(CausalLm model, int length, ulong seed, int? mostCommon = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var count = Math.Min(mostCommon ?? model.VocabularySize, model.VocabularySize);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, nameof(mostCommon));
        var order = new Data.ShuffledOrder(count, seed);
        return FromTokens(model, [.. Enumerable.Range(0, length).Select(i => order[i])]);
    }

    /// <summary>Creates rows from the embeddings of a text: the model then starts with its results for that text as a prompt, bit for
    /// bit.</summary>
    /// <param name="model">The model whose embeddings are copied.</param>
    /// <param name="tokens">The text's ids.</param>
    /// <param name="length">n; a shorter text is repeated, a longer one cut (as in PEFT). Null means the text's own length.</param>
    /// <exception cref="ArgumentException">There is no token and the length is above 0, or an id is outside the vocabulary.</exception>
    public static PromptTable FromTokens(CausalLm model, IReadOnlyList<int> tokens, int? length = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokens);
        var count = length ?? tokens.Count;
        ArgumentOutOfRangeException.ThrowIfNegative(count, nameof(length));
        if (tokens.Count == 0 && count > 0)
            throw new ArgumentException($"tokens is empty, expected at least one for {count} rows.", nameof(tokens));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var ids = new long[count];
        for (var i = 0; i < count; i++)
            ids[i] = tokens[i % tokens.Count];
        return new PromptTable(model.Embed(tensor(ids, [1, count], dtype: ScalarType.Int64)).squeeze(0));
    }

    /// <inheritdoc/>
    public override Tensor Rows() => embedding.Weight.alias();

    /// <summary>Does nothing: the table is registered by name.</summary>
    protected override void RegisterComponents() { }

    private static int Height(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        Guard.Rank(rows, nameof(rows), 2, "[n,W]");
        Guard.Floating(rows, nameof(rows));
        return checked((int)rows.size(0));
    }
}
