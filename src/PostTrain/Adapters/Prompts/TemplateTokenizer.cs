using System.Globalization;
using System.Text;
using PostTrain.Text;

namespace PostTrain.Adapters.Prompts;

/// <summary>A tokenizer that also knows the marks of virtual tokens: mark i becomes the id V + i, which <see cref="TemplatePromptLm"/> maps
/// to row i of its prompt.</summary>
/// <remarks>A mark is the number between two characters of Unicode's private use area, U+F0000 and U+F0001. The text between marks is
/// encoded in pieces; a token that the inner tokenizer adds at the start of every text (beginning of sequence) occurs once, in front. A
/// mark without a row is ordinary text.</remarks>
public sealed class TemplateTokenizer : ITokenizer
{
    // Surrogate pairs of U+F0000 and U+F0001.
    private const string Open = "\U000F0000";
    private const string Close = "\U000F0001";

    private readonly ITokenizer inner;
    private readonly int firstId;
    private readonly int length;

    /// <param name="inner">Encodes the text between marks.</param>
    /// <param name="firstId">V, the model's number of ids without virtual tokens (may exceed the tokenizer's).</param>
    /// <param name="length">n, the number of virtual tokens.</param>
    /// <exception cref="ArgumentOutOfRangeException">The model has fewer ids than the tokenizer, or the length is negative.</exception>
    public TemplateTokenizer(ITokenizer inner, int firstId, int length)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentOutOfRangeException.ThrowIfLessThan(firstId, inner.VocabularySize);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, int.MaxValue - firstId);
        (this.inner, this.firstId, this.length) = (inner, firstId, length);
    }

    /// <summary>Creates the tokenizer for a model.</summary>
    public TemplateTokenizer(ITokenizer inner, TemplatePromptLm model)
        : this(inner, model?.VocabularySize ?? throw new ArgumentNullException(nameof(model)), model.Encoder.Length) { }

    /// <summary>V + n.</summary>
    public int VocabularySize => firstId + length;

    /// <inheritdoc/>
    public int? EndOfSequenceId => inner.EndOfSequenceId;

    /// <inheritdoc/>
    public int PaddingId => inner.PaddingId;

    /// <summary>Returns the text of a virtual token.</summary>
    public static string Mark(int index) => string.Create(CultureInfo.InvariantCulture, $"{Open}{index}{Close}");

    /// <inheritdoc/>
    public IReadOnlyList<int> EndOfSequenceIds => inner.EndOfSequenceIds;

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode((MarkedText)text);
    }

    /// <inheritdoc/>
    public int[] Encode(MarkedText text) => Encode(text.Text, piece => inner.Encode(text with { Text = piece }));

    private int[] Encode(string text, Func<string, int[]> encode)
    {
        var beginning = encode(string.Empty);
        var ids = new List<int>(beginning);
        var start = 0;
        for (var i = text.IndexOf(Open, StringComparison.Ordinal); i >= 0; i = text.IndexOf(Open, i, StringComparison.Ordinal))
        {
            if (ReadMark(text, i) is not { } mark)
            {
                i += Open.Length;
                continue;
            }

            AddPiece(start, i);
            ids.Add(firstId + mark.Index);
            i = start = mark.End;
        }

        AddPiece(start, text.Length);
        return [.. ids];

        void AddPiece(int from, int to)
        {
            if (from == to)
                return;
            var piece = encode(text[from..to]).AsSpan();
            ids.AddRange(piece.StartsWith(beginning) ? piece[beginning.Length..] : piece);
        }
    }

    /// <summary>Decodes ids, with the marks of the virtual ones.</summary>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>Decodes ids, with the marks of the virtual ones, and with the inner tokenizer's special tokens left out or
    /// spelled.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var text = new StringBuilder();
        for (var i = 0; i < ids.Length; )
        {
            if (ids[i] >= firstId && ids[i] - firstId < length)
            {
                text.Append(Mark(ids[i++] - firstId));
                continue;
            }

            var end = i + 1;
            while (end < ids.Length && (ids[end] < firstId || ids[end] - firstId >= length))
                end++;
            text.Append(inner.Decode(ids[i..end], skipSpecialTokens));
            i = end;
        }

        return text.ToString();
    }

    // Digits without sign or leading zero that name a row of the prompt, and the closing character.
    private (int Index, int End)? ReadMark(string text, int at)
    {
        var from = at + Open.Length;
        var end = from;
        while (end < text.Length && end - from < 10 && char.IsAsciiDigit(text[end]))
            end++;
        var isClosed = string.CompareOrdinal(text, end, Close, 0, Close.Length) == 0;
        return
            isClosed
            && int.TryParse(text.AsSpan(from, end - from), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            && index < length
            && (text[from] != '0' || end - from == 1)
            ? (index, end + Close.Length)
            : null;
    }
}
