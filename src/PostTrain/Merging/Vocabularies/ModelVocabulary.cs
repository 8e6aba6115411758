using PostTrain.Text;

namespace PostTrain.Merging;

/// <summary>Tokens of a model's directory by id.</summary>
internal abstract class ModelVocabulary
{
    private readonly Dictionary<string, int> ids;

    private protected ModelVocabulary(IReadOnlyList<string> tokens)
    {
        Tokens = tokens;
        ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < tokens.Count; id++)
            ids.TryAdd(tokens[id], id);
    }

    /// <summary>Tokens by id.</summary>
    internal IReadOnlyList<string> Tokens { get; }

    internal int? IdOf(string token) => ids.TryGetValue(token, out var id) ? id : null;

    /// <summary>The vocabulary of a directory, or null where it has no tokenizer.</summary>
    internal static ModelVocabulary? Read(string directory)
    {
        try
        {
            return TokenizerFiles.Load(directory) switch
            {
                TokenizerJson tokenizer => new JsonVocabulary(directory, tokenizer),
                CharacterTokenizer tokenizer => new CharacterVocabulary(tokenizer),
                var other => new FixedVocabulary(
                    other.GetType().Name,
                    [.. Enumerable.Range(0, other.VocabularySize).Select(id => $"{id}:{Text(other, id)}")]
                ),
            };
        }
        catch (FileNotFoundException)
        {
            return null;
        }

        static string Text(ITokenizer tokenizer, int id) =>
            tokenizer is SentencePieceTokenizer pieces ? pieces.Decode([id], skipSpecialTokens: false) : tokenizer.Decode([id]);
    }

    /// <summary>Describes the difference from another vocabulary; null if there is none.</summary>
    internal virtual string? DifferenceFrom(ModelVocabulary other)
    {
        if (other.GetType() != GetType())
            return $"the one is a {other.Kind}, the other a {Kind}";
        for (var id = 0; id < Math.Min(Tokens.Count, other.Tokens.Count); id++)
        {
            if (Tokens[id] != other.Tokens[id])
                return $"the id {id} is '{other.Tokens[id]}' there and '{Tokens[id]}' here";
        }

        return Tokens.Count == other.Tokens.Count ? null : $"it has {other.Tokens.Count} tokens, the other {Tokens.Count}";
    }

    /// <summary>Reason for which the two vocabularies have no union; null if they have one.</summary>
    internal virtual string? WhyNotUnited(ModelVocabulary other) =>
        other.GetType() == GetType() ? null : $"the one is a {Kind}, the other a {other.Kind}";

    /// <summary>All tokens in the order of the union's ids: own ones first.</summary>
    internal virtual IReadOnlyList<string> Ordered(IReadOnlyList<string> all) => all;

    /// <summary>Writes the tokenizer of the union.</summary>
    internal abstract void WriteUnion(string directory, IReadOnlyList<string> tokens, IReadOnlyList<ModelVocabulary> all);

    internal abstract string Kind { get; }
}

/// <summary>Tokens that can be compared, and not united.</summary>
internal sealed class FixedVocabulary(string kind, IReadOnlyList<string> tokens) : ModelVocabulary(tokens)
{
    internal override string Kind => kind;

    internal override string WhyNotUnited(ModelVocabulary other) =>
        $"only tokenizer.json with byte-pair encoding and character tokenizers are united, not a {Kind}";

    internal override void WriteUnion(string directory, IReadOnlyList<string> tokens, IReadOnlyList<ModelVocabulary> all) =>
        throw new NotSupportedException($"a {Kind} is not united");
}

/// <summary>A <see cref="CharacterTokenizer"/>'s tokens.</summary>
internal sealed class CharacterVocabulary(CharacterTokenizer tokenizer)
    : ModelVocabulary([.. tokenizer.SpecialTokens, .. tokenizer.Alphabet.EnumerateRunes().Select(rune => rune.ToString())])
{
    internal override string Kind => "character tokenizer";

    private int Specials => tokenizer.SpecialTokens.Count;

    // The file puts named tokens before characters.
    internal override IReadOnlyList<string> Ordered(IReadOnlyList<string> all) => [.. all.OrderBy(token => IsCharacter(token) ? 1 : 0)];

    internal override void WriteUnion(string directory, IReadOnlyList<string> tokens, IReadOnlyList<ModelVocabulary> all)
    {
        var named = tokens.Where(token => !IsCharacter(token)).ToList();
        new CharacterTokenizer(
            string.Concat(tokens.Where(IsCharacter)),
            named,
            tokenizer.SpecialTokens[tokenizer.PaddingId],
            tokenizer.EndOfSequenceId is { } end ? tokenizer.SpecialTokens[end] : null
        ).Save(directory);
    }

    private static bool IsCharacter(string token) => token.EnumerateRunes().Count() == 1;

    internal override string? WhyNotUnited(ModelVocabulary other)
    {
        foreach (var vocabulary in new[] { this, other }.OfType<CharacterVocabulary>())
        {
            if (vocabulary.Tokens.Take(vocabulary.Specials).FirstOrDefault(IsCharacter) is { } single)
                return $"the named token '{single}' is a single character";
        }

        return base.WhyNotUnited(other);
    }
}
