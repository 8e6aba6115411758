using System.Text;
using PostTrain.Text.Files;

namespace PostTrain.Text;

/// <summary>A tokenizer with one id per character of an alphabet and one per named special token such as <c>&lt;think&gt;</c>.</summary>
/// <remarks>Ids: the special tokens in the given order, then the characters, then those of <see cref="WithTokens"/>. The longest special
/// token at a position wins, and special
/// tokens win over characters. Decoding leaves out the padding and end tokens and spells every other token, so <c>Decode(Encode(text)) ==
/// text</c> for every text over the alphabet that contains neither of these two.</remarks>
public sealed class CharacterTokenizer : ITokenizer
{
    /// <summary>Name of the file in a model's directory: <c>tokenizer.posttrain.json</c>.</summary>
    public const string FileName = "tokenizer.posttrain.json";

    private readonly List<string> tokens = [];
    private IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? files;
    private readonly Dictionary<Rune, int> characters = [];
    private readonly Dictionary<char, List<int>> specialsByFirst = [];

    /// <summary>Creates a tokenizer.</summary>
    /// <param name="alphabet">The characters (Unicode scalar values), all different.</param>
    /// <param name="specialTokens">Named tokens, all different, none empty; null for padding and end only.</param>
    /// <param name="padding">Name of the padding token; added first if it is not among the special tokens. Default
    /// <c>&lt;pad&gt;</c>.</param>
    /// <param name="endOfSequence">Name of the end token, added likewise; null for none. Default <c>&lt;eos&gt;</c>.</param>
    /// <exception cref="ArgumentException">A character or a token is given twice, is empty, or is half a surrogate pair.</exception>
    public CharacterTokenizer(
        string alphabet,
        IReadOnlyList<string>? specialTokens = null,
        string padding = "<pad>",
        string? endOfSequence = "<eos>"
    )
    {
        ArgumentNullException.ThrowIfNull(alphabet);
        ArgumentException.ThrowIfNullOrEmpty(padding);
        var specials = new List<string>(specialTokens ?? []);
        if (endOfSequence is not null && !specials.Contains(endOfSequence))
            specials.Insert(0, endOfSequence);
        if (!specials.Contains(padding))
            specials.Insert(0, padding);

        Alphabet = alphabet;
        SpecialTokens = specials.AsReadOnly();
        AddSpecials(specials);
        AddCharacters(alphabet);
        PaddingId = specials.IndexOf(padding);
        EndOfSequenceId = endOfSequence is null ? null : specials.IndexOf(endOfSequence);
        if (EndOfSequenceId == PaddingId)
            throw new ArgumentException($"endOfSequence is '{endOfSequence}', expected another token than padding", nameof(endOfSequence));
    }

    /// <summary>The characters, in order of their ids.</summary>
    public string Alphabet { get; }

    /// <summary>The special tokens, in order of their ids.</summary>
    public IReadOnlyList<string> SpecialTokens { get; }

    /// <inheritdoc/>
    public int VocabularySize => tokens.Count;

    /// <summary>The tokens of <see cref="WithTokens"/>, in order of their ids, which follow those of the characters.</summary>
    public IReadOnlyList<string> AddedTokens { get; private init; } = [];

    /// <inheritdoc/>
    public int? EndOfSequenceId { get; }

    /// <inheritdoc/>
    public int PaddingId { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files =>
        files
        ?? new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal)
        {
            [FileName] = new CharacterTokenizerFile(
                CharacterTokenizerFile.Name,
                Alphabet,
                SpecialTokens,
                tokens[PaddingId],
                EndOfSequenceId is { } id ? tokens[id] : null
            )
            {
                AddedTokens = AddedTokens.Count > 0 ? AddedTokens : null,
            }.Bytes(),
        };

    /// <summary>Returns a tokenizer that has further tokens behind all ids of this one, which keep their meaning: for a model whose
    /// vocabulary grows (<c>Decoder.WithVocabulary</c>).</summary>
    /// <param name="added">Tokens of at least one character, all different and none of them known.</param>
    /// <exception cref="ArgumentException">A token is empty, or known already.</exception>
    public CharacterTokenizer WithTokens(params IReadOnlyList<string> added)
    {
        ArgumentNullException.ThrowIfNull(added);
        var grown = new CharacterTokenizer(Alphabet, SpecialTokens, tokens[PaddingId], EndOfSequenceId is { } id ? tokens[id] : null)
        {
            AddedTokens = [.. AddedTokens, .. added],
        };
        grown.AddSpecials(grown.AddedTokens);
        if (files is not null)
            grown.files = new Dictionary<string, ReadOnlyMemory<byte>>(files, StringComparer.Ordinal)
            {
                [FileName] = grown.Files[FileName],
            };
        return grown;
    }

    /// <summary>Returns the id of a special or an added token.</summary>
    /// <exception cref="ArgumentException">There is no such token; the message lists the known ones.</exception>
    public int IdOf(string specialToken)
    {
        if (SpecialTokens.Contains(specialToken) || AddedTokens.Contains(specialToken))
            return tokens.IndexOf(specialToken);

        var known = string.Join(", ", SpecialTokens.Concat(AddedTokens));
        throw new ArgumentException($"specialToken is '{specialToken}', expected one of {known}", nameof(specialToken));
    }

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(text.Length);
        for (var position = 0; position < text.Length; )
        {
            if (SpecialAt(text, position) is { } special)
            {
                ids.Add(special);
                position += tokens[special].Length;
            }
            else if (Rune.TryGetRuneAt(text, position, out var rune) && characters.TryGetValue(rune, out var id))
            {
                ids.Add(id);
                position += rune.Utf16SequenceLength;
            }
            else
            {
                throw TokenIds.Unknown(text, position, $"special tokens and the {characters.Count} characters of the alphabet");
            }
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>Returns the text of ids, with the end and padding tokens left out or spelled.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var text = new StringBuilder(ids.Length);
        for (var i = 0; i < ids.Length; i++)
        {
            var id = TokenIds.Checked(ids, i, VocabularySize);
            if (!skipSpecialTokens || (id != PaddingId && id != EndOfSequenceId))
                text.Append(tokens[id]);
        }

        return text.ToString();
    }

    /// <summary>Writes <see cref="FileName"/> into a directory, which is created if missing. The file is written completely or not at
    /// all.</summary>
    /// <exception cref="IOException">The file could not be written. An existing file is unchanged.</exception>
    public void Save(string directory)
    {
        TokenizerFiles.Save(this, directory);
    }

    /// <summary>Reads a tokenizer that <see cref="Save"/> wrote into a directory.</summary>
    /// <exception cref="FileNotFoundException">The directory has no <see cref="FileName"/>.</exception>
    /// <exception cref="InvalidDataException">The file is not such a tokenizer; the message gives the reason.</exception>
    public static CharacterTokenizer Load(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var path = Path.Combine(directory, FileName);
        var tokenizer = CharacterTokenizerFile.Read(path);
        tokenizer.files = TokenizerFolder.Read(path, tokenizer.Files[FileName]);
        return tokenizer;
    }

    private int? SpecialAt(string text, int position)
    {
        if (!specialsByFirst.TryGetValue(text[position], out var candidates))
            return null;
        foreach (var id in candidates)
        {
            if (string.CompareOrdinal(text, position, tokens[id], 0, tokens[id].Length) == 0)
                return id;
        }

        return null;
    }

    private void AddSpecials(IReadOnlyList<string> specials)
    {
        foreach (var special in specials)
        {
            if (string.IsNullOrEmpty(special))
                throw new ArgumentException($"specialTokens[{tokens.Count}] is empty, expected a name", nameof(specials));
            if (tokens.Contains(special))
                throw new ArgumentException($"specialTokens has '{special}' twice, expected different tokens", nameof(specials));
            if (!specialsByFirst.TryGetValue(special[0], out var candidates))
                specialsByFirst[special[0]] = candidates = [];
            candidates.Add(tokens.Count);
            tokens.Add(special);
        }

        foreach (var candidates in specialsByFirst.Values)
            candidates.Sort((left, right) => tokens[right].Length.CompareTo(tokens[left].Length));
    }

    private void AddCharacters(string alphabet)
    {
        for (var position = 0; position < alphabet.Length; )
        {
            if (!Rune.TryGetRuneAt(alphabet, position, out var rune))
                throw Refuse($"half a surrogate pair at position {position}, expected whole characters");
            if (!characters.TryAdd(rune, tokens.Count) || SpecialTokens.Contains(rune.ToString()))
                throw Refuse($"'{rune}' at position {position} a second time or as a special token, expected each once");
            tokens.Add(rune.ToString());
            position += rune.Utf16SequenceLength;
        }

        static ArgumentException Refuse(string what) => new($"alphabet has {what}", nameof(alphabet));
    }
}
