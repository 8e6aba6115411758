using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PostTrain.Adapters.Prompts;
using PostTrain.Text;

namespace PostTrain.Vision;

/// <summary>A tokenizer that also knows the marks of pictures: the mark of picture i becomes the ids of its feature vectors, which
/// <see cref="VisionLm"/> reads.</summary>
/// <remarks>A mark is the picture's number between two characters of Unicode's private use area, U+F0002 and U+F0003. The mark of a picture
/// that there is not is ordinary text.</remarks>
public sealed partial class PictureTokenizer : ITokenizer
{
    private const string Open = "\U000F0002",
        Close = "\U000F0003";

    private readonly TemplateTokenizer inner;
    private readonly ITokenizer plain;
    private readonly int pictures;
    private readonly int features;

    /// <summary>Creates the tokenizer for the pictures that a model can read now.</summary>
    /// <param name="plain">The language model's tokenizer.</param>
    /// <param name="model">The model.</param>
    public PictureTokenizer(ITokenizer plain, VisionLm model)
    {
        ArgumentNullException.ThrowIfNull(plain);
        ArgumentNullException.ThrowIfNull(model);
        (this.plain, pictures, features) = (plain, model.PictureCount, model.FeatureCount);
        inner = new TemplateTokenizer(plain, model.VocabularySize, checked(pictures * features));
    }

    /// <summary>The language model's ids and those of the pictures.</summary>
    public int VocabularySize => inner.VocabularySize;

    /// <inheritdoc/>
    public int? EndOfSequenceId => plain.EndOfSequenceId;

    /// <inheritdoc/>
    public IReadOnlyList<int> EndOfSequenceIds => plain.EndOfSequenceIds;

    /// <inheritdoc/>
    public int PaddingId => plain.PaddingId;

    /// <summary>Returns the text of a picture, to be written into a prompt.</summary>
    /// <param name="picture">Its number, from 0.</param>
    public static string Mark(int picture)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(picture);
        return string.Create(CultureInfo.InvariantCulture, $"{Open}{picture}{Close}");
    }

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return inner.Encode(Expanded(text));
    }

    /// <inheritdoc/>
    public int[] Encode(MarkedText text) => inner.Encode(text with { Text = Expanded(text.Text) });

    /// <summary>Decodes ids; the ids of a whole picture become its mark.</summary>
    public string Decode(ReadOnlySpan<int> ids) => Decode(ids, skipSpecialTokens: true);

    /// <summary>Decodes ids; the ids of a whole picture become its mark, and the inner tokenizer's special tokens are left out or
    /// spelled.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var text = new StringBuilder();
        int start = 0;
        for (int i = 0; i < ids.Length; )
        {
            if (PictureAt(ids[i..]) is not { } picture)
            {
                i++;
                continue;
            }
            text.Append(inner.Decode(ids[start..i], skipSpecialTokens)).Append(Mark(picture));
            start = i += features;
        }
        return text.Append(inner.Decode(ids[start..], skipSpecialTokens)).ToString();
    }

    // The picture that ids begin with.
    private int? PictureAt(ReadOnlySpan<int> ids)
    {
        int first = ids[0] - (inner.VocabularySize - pictures * features);
        if (first < 0 || first % features != 0 || ids.Length < features)
            return null;
        for (int i = 1; i < features; i++)
            if (ids[i] != ids[0] + i)
                return null;
        return first / features;
    }

    private string Expanded(string text) =>
        PictureMark()
            .Replace(
                text,
                match =>
                    int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int picture)
                    && picture < pictures
                        ? Features(picture)
                        : match.Value
            );

    private string Features(int picture) => string.Concat(Enumerable.Range(picture * features, features).Select(TemplateTokenizer.Mark));

    [GeneratedRegex("\U000F0002(0|[1-9][0-9]{0,8})\U000F0003", RegexOptions.CultureInvariant)]
    private static partial Regex PictureMark();
}
