using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909): starts from characters and merges the neighbours of the lowest
/// rank, the leftmost on a tie.</summary>
/// <remarks>Words are cached with their tokens, up to a number and a length. A longer piece is first split where no merge can apply:
/// between two characters that no merge joins.</remarks>
internal sealed class BpeModel : TokenModel
{
    private const int MaximumCachedWords = 1 << 16;
    private const int MaximumCachedLength = 128;
    private readonly TokenVocabulary vocabulary;
    private readonly BpeOptions options;
    private readonly BpeMerges merges;
    private readonly int[]? byteIds;
    private readonly bool cuts;
    private readonly ConcurrentDictionary<string, ModelToken[]> words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ModelToken[]>.AlternateLookup<ReadOnlySpan<char>> wordLookup;
    private int cachedWords;

    private BpeModel(TokenVocabulary vocabulary, BpeOptions options, BpeMerges merges)
    {
        this.vocabulary = vocabulary;
        this.options = options;
        this.merges = merges;
        wordLookup = words.GetAlternateLookup<ReadOnlySpan<char>>();
        byteIds = options.ByteFallback ? vocabulary.ByteIds() : null;
        int unknown = options.Unknown is null ? -1 : vocabulary.IdOf(options.Unknown);
        cuts = options.Prefix.Length == 0 && options.Suffix.Length == 0 && !merges.Uses(unknown) && !(byteIds ?? []).Any(merges.Uses);
    }

    internal override TokenVocabulary Vocabulary => vocabulary;

    internal static BpeModel From(TokenizerNode node)
    {
        if (node.Find("dropout") is { } dropout && dropout.Number() != 0)
            throw dropout.Refuse("no dropout, because encoding is deterministic");
        var options = new BpeOptions(
            node.Find("unk_token")?.Text(),
            node.Find("continuing_subword_prefix")?.Text() ?? "",
            node.Find("end_of_word_suffix")?.Text() ?? "",
            node.Flag("fuse_unk", false),
            node.Flag("byte_fallback", false),
            node.Flag("ignore_merges", false)
        );
        var vocabulary = TokenVocabulary.Read(node.Get("vocab"));
        return new BpeModel(vocabulary, options, BpeMerges.Read(node.Get("merges"), vocabulary, options.Prefix.Length));
    }

    internal override void Tokenize(ReadOnlySpan<char> piece, List<ModelToken> output)
    {
        if (options.IgnoreMerges && vocabulary.IdOf(piece) is >= 0 and var whole)
        {
            output.Add(new ModelToken(whole, 0, piece.Length));
            return;
        }

        if (piece.Length <= MaximumCachedLength || !cuts)
        {
            Word(piece, 0, output);
            return;
        }

        int start = 0;
        for (int at = 1; at < piece.Length; at++)
        {
            if (merges.Joins(piece[at - 1], piece[at]) || !Known(piece[at - 1]) || !Known(piece[at]))
                continue;
            Word(piece[start..at], start, output);
            start = at;
        }

        Word(piece[start..], start, output);
    }

    private bool Known(char unit) => !char.IsSurrogate(unit) && vocabulary.IdOf([unit]) >= 0;

    private void Word(ReadOnlySpan<char> word, int offset, List<ModelToken> output)
    {
        int first = output.Count;
        if (word.Length > MaximumCachedLength)
        {
            merges.Apply(Symbols(word), output);
        }
        else if (wordLookup.TryGetValue(word, out var known))
        {
            output.AddRange(known.AsSpan());
        }
        else
        {
            merges.Apply(Symbols(word), output);
            if (cachedWords < MaximumCachedWords && words.TryAdd(word.ToString(), [.. output.Skip(first)]))
                Interlocked.Increment(ref cachedWords);
        }

        for (int i = first; offset > 0 && i < output.Count; i++)
            output[i] = new ModelToken(output[i].Id, output[i].Start + offset, output[i].End + offset);
    }

    // Returns the characters of a word as ids; unknown ones as bytes, as the unknown token, or not at all.
    private List<ModelToken> Symbols(ReadOnlySpan<char> word)
    {
        var symbols = new List<ModelToken>(word.Length);
        ModelToken? pending = null;
        Span<byte> utf8 = stackalloc byte[4];
        for (int start = 0; start < word.Length; )
        {
            Rune.DecodeFromUtf16(word[start..], out var rune, out int width);
            int end = start + width;
            int id = Id(word, start, end);
            if (id >= 0)
            {
                if (pending is { } before)
                    symbols.Add(before);
                pending = null;
                symbols.Add(new ModelToken(id, start, end));
            }
            else if (!AddBytes(utf8[..rune.EncodeToUtf8(utf8)], start, end, symbols) && options.Unknown is { } unknown)
            {
                if (options.FuseUnknown && pending is { } run)
                    pending = run with { End = end };
                else
                {
                    if (pending is { } before)
                        symbols.Add(before);
                    pending = new ModelToken(WordLevelModel.UnknownId(vocabulary, unknown), start, end);
                }
            }

            start = end;
        }

        if (pending is { } last)
            symbols.Add(last);
        return symbols;
    }

    private int Id(ReadOnlySpan<char> word, int start, int end)
    {
        var character = word[start..end];
        var prefix = start > 0 ? options.Prefix : "";
        var suffix = end == word.Length ? options.Suffix : "";
        return prefix.Length + suffix.Length == 0 ? vocabulary.IdOf(character) : vocabulary.IdOf(string.Concat(prefix, character, suffix));
    }

    private bool AddBytes(ReadOnlySpan<byte> utf8, int start, int end, List<ModelToken> symbols)
    {
        if (byteIds is null)
            return false;
        foreach (byte value in utf8)
            if (byteIds[value] < 0)
                return false;
        foreach (byte value in utf8)
            symbols.Add(new ModelToken(byteIds[value], start, end));
        return true;
    }
}
