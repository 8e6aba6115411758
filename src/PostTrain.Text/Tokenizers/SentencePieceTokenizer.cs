using System.Globalization;
using System.Text;
using PostTrain.Text.Files;

namespace PostTrain.Text;

/// <summary>SentencePiece byte-pair encoding with byte fallback, read from llama2.c's <c>tok*.bin</c>.</summary>
/// <remarks>Ids 0, 1, 2 are the control pieces unknown, beginning and end. Encoding prepends a space to the text, takes each character as a
/// piece (or its UTF-8 bytes as <c>&lt;0x..&gt;</c> if there is none), then repeatedly merges the neighbours whose joined piece has the
/// highest score, the leftmost on a tie (Sennrich et al. 2016, arXiv:1508.07909; Kudo and Richardson 2018, arXiv:1808.06226).
/// <c>Decode(Encode(text)) == text</c> for every text without unpaired surrogates if the vocabulary has all 256 byte pieces. The models of
/// llama2.c end a story with the beginning piece, which is therefore <see cref="EndOfSequenceId"/>.</remarks>
public sealed class SentencePieceTokenizer : ITokenizer
{
    /// <summary>The id at the beginning of a sequence: 1.</summary>
    public const int BeginningOfSequenceId = 1;

    private const int UnknownId = 0;
    private const int EndId = 2;

    private readonly byte[][] pieces;
    private readonly SentencePieceMerger merger;

    private SentencePieceTokenizer(SentencePieceFile file, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        Files = files;
        pieces = file.Pieces;
        var byteIds = Enumerable.Repeat(UnknownId, 256).ToArray();

        // Bytes are stored as Latin-1 text, one character per byte, so that slices can be looked up without copying.
        // Control and byte pieces are excluded from merges: the text "<0x0A>" is not a line end.
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = EndId + 1; id < pieces.Length; id++)
        {
            if (ByteOf(pieces[id]) is { } value)
            {
                pieces[id] = [value];
                byteIds[value] = id;
            }
            else
            {
                ids.TryAdd(Encoding.Latin1.GetString(pieces[id]), id);
            }
        }

        merger = new SentencePieceMerger(ids, file.Scores, byteIds);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <inheritdoc/>
    public int VocabularySize => pieces.Length;

    /// <summary>1: models of this format are trained on concatenated texts that each begin with this id, so it also ends a text.</summary>
    public int? EndOfSequenceId => BeginningOfSequenceId;

    /// <summary>The beginning piece, which separates stories, and the end piece.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; } = [BeginningOfSequenceId, EndId];

    /// <summary>2, the end piece, which these models never emit.</summary>
    public int PaddingId => EndId;

    /// <summary>Reads a vocabulary.</summary>
    /// <param name="path">The file, for instance <c>tok512.bin</c>.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is truncated, has a length or score out of range, or is larger than 64
    /// MiB.</exception>
    public static SentencePieceTokenizer Load(string path)
    {
        var bytes = BoundedFile.ReadBytes(path, SentencePieceFile.MaximumBytes, SentencePieceFile.Expected);
        return new(SentencePieceFile.Parse(bytes, path), TokenizerFolder.Read(path, bytes));
    }

    /// <summary>Encodes a text after the beginning id: <c>Encode(text, beginningOfSequence: true)</c>.</summary>
    public int[] Encode(string text) => Encode(text, beginningOfSequence: true);

    /// <summary>Encodes a text: plain text after the beginning id, rendered text without it.</summary>
    /// <remarks>Control pieces have no spelling: in a rendered text their names are ordinary characters.</remarks>
    public int[] Encode(MarkedText text) => Encode(text.Text, beginningOfSequence: !text.IsRendered);

    /// <summary>Encodes a text.</summary>
    /// <param name="text">The text; an unpaired surrogate is read as U+FFFD.</param>
    /// <param name="beginningOfSequence">True to prepend id 1.</param>
    /// <param name="leadingSpace">True to prepend a space to a nonempty text, as these models expect at the beginning of a text; false for
    /// a text that continues another.</param>
    public int[] Encode(string text, bool beginningOfSequence, bool leadingSpace = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>();
        if (beginningOfSequence)
            ids.Add(BeginningOfSequenceId);
        if (text.Length > 0)
            merger.Encode(Encoding.UTF8.GetBytes(leadingSpace ? ' ' + text : text), ids);
        return [.. ids];
    }

    /// <summary>Decodes ids. The space after a beginning id is removed; beginning and end ids are left out; invalid UTF-8 becomes
    /// U+FFFD.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>Decodes ids, with the beginning and end left out or spelled as in the vocabulary.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var bytes = new List<byte>(ids.Length * 4);
        var atBeginning = false;
        for (var i = 0; i < ids.Length; i++)
        {
            var id = TokenIds.Checked(ids, i, VocabularySize);
            if (id is BeginningOfSequenceId or EndId)
            {
                atBeginning = id == BeginningOfSequenceId;
                if (!skipSpecialTokens)
                    bytes.AddRange(pieces[id]);
                continue;
            }

            var piece = pieces[id].AsSpan();
            bytes.AddRange(atBeginning && piece[0] == ' ' ? piece[1..] : piece);
            atBeginning = false;
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    // "<0x0A>" is the byte 10.
    private static byte? ByteOf(byte[] piece) =>
        piece is [(byte)'<', (byte)'0', (byte)'x', _, _, (byte)'>']
        && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
