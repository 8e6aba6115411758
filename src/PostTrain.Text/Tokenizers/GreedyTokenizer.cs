using System.Text;
using PostTrain.Text.Files;

namespace PostTrain.Text;

/// <summary>Greedy longest match over a list of tokens, the tokenizer of CraftGPT. Its file <c>tokens.txt</c> has one token per line; the
/// line number (from 0) is the id and <c>_</c> stands for a space.</summary>
/// <remarks>Text is converted to lower case, and a space is added in front unless it begins with one. The longest token wins at each
/// position. The tokens <c>_[inst]</c> and <c>_[/inst]</c> mark the turns: a prompt is <c>[inst] how are you? [/inst]</c>, and a reply ends
/// with the next <c>[inst]</c>, which is therefore <see cref="EndOfSequenceId"/>. Decoding leaves out both and removes one leading
/// space.</remarks>
public sealed class GreedyTokenizer : ITokenizer
{
    /// <summary>Name of the file in a model's directory: <c>tokens.txt</c>.</summary>
    public const string FileName = "tokens.txt";

    private const int MaximumFileBytes = 64 << 20;
    private const int MaximumTokenLength = 256;
    private const string InstructionBegin = " [inst]";
    private const string InstructionEnd = " [/inst]";

    private readonly string[] tokens;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> idOf;
    private readonly int longest;
    private readonly int? instructionEnd;

    private GreedyTokenizer(string[] tokens, Dictionary<string, int> ids, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        Files = files;
        this.tokens = tokens;
        idOf = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        longest = tokens.Max(token => token.Length);
        EndOfSequenceId = ids.TryGetValue(InstructionBegin, out var begin) ? begin : null;
        instructionEnd = ids.TryGetValue(InstructionEnd, out var end) ? end : null;
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <inheritdoc/>
    public int VocabularySize => tokens.Length;

    /// <summary>The id of <c>[inst]</c>, which ends a reply; null if the file has no such token.</summary>
    public int? EndOfSequenceId { get; }

    /// <summary>The id of <c>[inst]</c> (the vocabulary has no padding token), or 0.</summary>
    public int PaddingId => EndOfSequenceId ?? 0;

    /// <summary>Reads a file of tokens.</summary>
    /// <param name="path">The file, or a directory with a <c>tokens.txt</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not UTF-8, has no tokens, an empty line, a duplicate token or one over 256
    /// characters, or is larger than 64 MiB; the message names the line.</exception>
    public static GreedyTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            path = Path.Combine(path, FileName);
        const string expected = "a list of tokens, one a line";
        var text = BoundedFile.ReadText(path, MaximumFileBytes, expected);
        var tokens = new List<string>();
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var range in text.AsSpan().Split('\n'))
        {
            // Text after the last line end is not a line.
            if (range.Start.Value == text.Length)
                break;
            var line = text.AsSpan(range).TrimEnd('\r');
            if (line.Length is 0 or > MaximumTokenLength)
                throw new InvalidDataException(
                    $"{path}, line {tokens.Count + 1}: the token has {line.Length} characters, expected 1 to {MaximumTokenLength}"
                );
            var token = line.ToString().Replace('_', ' ');
            if (!ids.TryAdd(token, tokens.Count))
                throw new InvalidDataException(
                    $"{path}, line {tokens.Count + 1}: the token '{line}' is also on line {ids[token] + 1}, expected each once"
                );
            tokens.Add(token);
        }

        return tokens.Count > 0
            ? new GreedyTokenizer([.. tokens], ids, TokenizerFolder.Read(path, BoundedFile.ReadBytes(path, MaximumFileBytes, expected)))
            : throw new InvalidDataException($"{path} is empty, expected {expected}");
    }

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return [];
        // Lower case in the invariant culture keeps the length, so positions in both texts agree up to the added space.
        var added = text[0] == ' ' ? 0 : 1;
        var lowered = added == 0 ? text.ToLowerInvariant() : ' ' + text.ToLowerInvariant();
        var ids = new List<int>(lowered.Length);
        for (var position = 0; position < lowered.Length; )
        {
            var id = Match(lowered.AsSpan(position));
            if (id < 0)
                throw TokenIds.Unknown(text, Math.Max(0, position - added), $"what the {VocabularySize} tokens can spell");
            ids.Add(id);
            position += tokens[id].Length;
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>Returns the text of ids, with the marks of an instruction left out or spelled.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var text = new StringBuilder(ids.Length * 4);
        for (var i = 0; i < ids.Length; i++)
        {
            var id = TokenIds.Checked(ids, i, VocabularySize);
            if (!skipSpecialTokens || (id != EndOfSequenceId && id != instructionEnd))
                text.Append(tokens[id]);
        }

        return text.Length > 0 && text[0] == ' ' ? text.ToString(1, text.Length - 1) : text.ToString();
    }

    private int Match(ReadOnlySpan<char> rest)
    {
        for (var length = Math.Min(longest, rest.Length); length > 0; length--)
        {
            if (idOf.TryGetValue(rest[..length], out var id))
                return id;
        }

        return -1;
    }
}
