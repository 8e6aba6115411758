using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>The tokens of several models as one vocabulary, and embeddings brought into its order.</summary>
internal sealed class VocabularyUnion
{
    private readonly Dictionary<MergeSource, ModelVocabulary> vocabularies;
    private readonly MergeSource reference;
    private readonly IReadOnlyList<string> tokens;
    private readonly bool hasBase;

    private VocabularyUnion(Dictionary<MergeSource, ModelVocabulary> vocabularies, MergeSource reference, bool hasBase)
    {
        (this.vocabularies, this.reference, this.hasBase) = (vocabularies, reference, hasBase);
        var all = new List<string>(vocabularies[reference].Tokens);
        var known = all.ToHashSet(StringComparer.Ordinal);
        foreach (var vocabulary in vocabularies.Values)
            all.AddRange(vocabulary.Tokens.Where(known.Add));
        tokens = vocabularies[reference].Ordered(all);
    }

    /// <summary>Number of tokens.</summary>
    internal int Size => tokens.Count;

    /// <summary>The union; null where all vocabularies are the same, or none is known.</summary>
    /// <exception cref="NotSupportedException">They differ, and are not to be united, or are of kinds that cannot be.</exception>
    internal static VocabularyUnion? Of(MergeConfig config, MergeSources sources, MergeSource reference)
    {
        var vocabularies = new Dictionary<MergeSource, ModelVocabulary>();
        foreach (var source in sources.All)
        {
            if (ModelVocabulary.Read(source.Directory) is { } vocabulary)
                vocabularies[source] = vocabulary;
        }

        if (!vocabularies.TryGetValue(reference, out var own))
        {
            if (vocabularies.Keys.FirstOrDefault() is { } with)
                throw new NotSupportedException(
                    $"{with.Directory} has a tokenizer and {reference.Directory} has none: whether their tokens agree cannot be "
                        + "known; put the files beside both"
                );
            return null;
        }

        foreach (var (source, vocabulary) in vocabularies)
        {
            if (own.DifferenceFrom(vocabulary) is not { } difference)
                continue;
            if (config.Vocabulary != VocabularyMerge.Union)
                throw new NotSupportedException(
                    $"The tokenizer of {source.Directory} differs from that of {reference.Directory}: {difference}. Rows of the "
                        + "embeddings mean other tokens; "
                        + $"set {nameof(MergeConfig.Vocabulary)} to {nameof(VocabularyMerge.Union)} to unite them."
                );
            if (sources.All.FirstOrDefault(item => !vocabularies.ContainsKey(item)) is { } without)
                throw new NotSupportedException(
                    $"{without.Directory} has no tokenizer, so that its tokens cannot be united with the others'"
                );
            foreach (var (other, second) in vocabularies)
            {
                if (own.WhyNotUnited(second) is { } reason)
                    throw new NotSupportedException(
                        $"The tokenizers of {reference.Directory} and {other.Directory} cannot be united: {reason}."
                    );
            }

            return new VocabularyUnion(vocabularies, reference, config.Base is not null);
        }

        return null;
    }

    /// <summary>The shape that a tensor has in the united vocabulary, or its own where it has no rows of tokens.</summary>
    internal IReadOnlyList<long> ShapeOf(string name, IReadOnlyList<long> shape, MergeSource? source = null)
    {
        if (!IsByToken(name))
            return shape;
        var least = source is null ? 0 : vocabularies[source].Tokens.Count;
        if (shape.Count == 0 || shape[0] < least)
            throw new InvalidDataException(
                $"{source!.Directory}: tensor '{name}' has the shape [{string.Join(",", shape)}], expected a row for each of {least} tokens"
            );
        return [Size, .. shape.Skip(1)];
    }

    /// <summary>The models' tensors with a row for each token of the union. A token that a model lacks has the base's row, else the mean of
    /// those that have it, in the models' order.</summary>
    internal Tensor[] Expand(string name, MergeSource[] owners, Tensor[] values)
    {
        if (!IsByToken(name))
            return values;
        using var scope = NewDisposeScope();
        Tensor[] placed = [.. owners.Zip(values, Placed)];
        Tensor[] has = [.. owners.Select(owner => Has(owner).to_type(values[0].dtype).reshape([-1, .. Ones(values[0])]))];
        var count = has.Aggregate((a, b) => a + b).clamp_min(1);
        var fill = placed.Aggregate((a, b) => a + b) / count;
        if (hasBase && Array.IndexOf(owners, reference) is >= 0 and var at)
            fill = placed[at] + fill * (1 - has[at]);
        return [.. placed.Zip(has, (rows, own) => (rows + fill * (1 - own)).MoveToOuterDisposeScope())];
    }

    /// <summary>Writes the united tokenizer over the one that was carried.</summary>
    internal void Write(string directory) => vocabularies[reference].WriteUnion(directory, tokens, [.. vocabularies.Values]);

    private static bool IsByToken(string name) =>
        name is "lm_head.weight" or "lm_head.bias"
        || name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)
        || name.EndsWith("wte.weight", StringComparison.Ordinal);

    private static IEnumerable<long> Ones(Tensor values) => Enumerable.Repeat(1L, (int)values.dim() - 1);

    private Tensor Has(MergeSource owner) => tensor(tokens.Select(token => vocabularies[owner].IdOf(token) is not null).ToArray());

    // Rows in the union's order, zeros for what the model lacks.
    private Tensor Placed(MergeSource owner, Tensor values)
    {
        var rows = zeros([Size, .. values.shape.Skip(1)], dtype: values.dtype);
        var (to, from) = (new List<long>(), new List<long>());
        for (var i = 0; i < tokens.Count; i++)
        {
            if (vocabularies[owner].IdOf(tokens[i]) is not { } id)
                continue;
            to.Add(i);
            from.Add(id);
        }

        return rows.index_copy_(0, tensor(to.ToArray()), values.index_select(0, tensor(from.ToArray())));
    }
}
