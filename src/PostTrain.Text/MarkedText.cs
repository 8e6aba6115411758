using System.Text.Json.Serialization;
using PostTrain.Text.Chat;

namespace PostTrain.Text;

/// <summary>Text for a model, with a mark that says whether it contains its special tokens.</summary>
/// <remarks>
/// Text rendered by a chat template contains its special tokens (the beginning of the sequence, the ends of turns), so none are added when
/// it is encoded; plain text gets those of the tokenizer. A string converts to plain text, and a marked text converts to a string. Appended
/// text does not change the mark, so a rendered prompt with a completion stays rendered. Texts are equal if their characters, their marks
/// and their learnt spans are.
/// </remarks>
/// <param name="Text">The text.</param>
/// <param name="IsRendered">True if the text contains its special tokens.</param>
[JsonConverter(typeof(MarkedTextConverter))]
public readonly record struct MarkedText(string Text, bool IsRendered = false)
{
    private readonly string? text = Text;

    /// <summary>The text.</summary>
    public string Text
    {
        get => text ?? "";
        init => text = value;
    }

    /// <summary>Spans of a completion that are learnt, such as the assistant's turns of a conversation, in order and without overlaps; an
    /// empty list: nothing is.</summary>
    /// <value>Null by default: the whole text.</value>
    public IReadOnlyList<TextSpan>? Learnt { get; init; }

    /// <summary>Number of UTF-16 characters.</summary>
    public int Length => Text.Length;

    /// <summary>Creates a text that contains its special tokens, as rendered by a template.</summary>
    public static MarkedText Rendered(string text) => new(text, IsRendered: true);

    /// <summary>Converts a string to plain text.</summary>
    public static implicit operator MarkedText(string text) => new(text);

    /// <summary>Converts to a string.</summary>
    public static implicit operator string(MarkedText text) => text.Text;

    /// <summary>Concatenates two texts; the result has the mark of the first, and no learnt spans.</summary>
    public static MarkedText operator +(MarkedText left, MarkedText right) => new(left.Text + right.Text, left.IsRendered);

    /// <summary>The UTF-16 character at an index.</summary>
    public char this[int index] => Text[index];

    /// <summary>Returns a part of the text, with its mark and the learnt spans in it.</summary>
    public MarkedText Slice(int start, int length) =>
        this with
        {
            Text = Text.Substring(start, length),
            Learnt = Learnt
                ?.Select(span => new TextSpan(Math.Max(span.Start - start, 0), Math.Min(span.End - start, length)))
                .Where(span => span.Length > 0)
                .ToArray(),
        };

    /// <inheritdoc cref="string.Contains(string, StringComparison)"/>
    public bool Contains(string value, StringComparison comparison) => Text.Contains(value, comparison);

    /// <inheritdoc cref="string.StartsWith(string, StringComparison)"/>
    public bool StartsWith(string value, StringComparison comparison) => Text.StartsWith(value, comparison);

    /// <inheritdoc cref="string.EndsWith(string, StringComparison)"/>
    public bool EndsWith(string value, StringComparison comparison) => Text.EndsWith(value, comparison);

    /// <inheritdoc/>
    public bool Equals(MarkedText other) =>
        Text == other.Text
        && IsRendered == other.IsRendered
        && (Learnt is null ? other.Learnt is null : other.Learnt is not null && Learnt.SequenceEqual(other.Learnt));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Text, IsRendered, Learnt?.Count);

    /// <summary>Returns the text.</summary>
    public override string ToString() => Text;

    /// <summary>Returns the text with other text before it, which is not learnt unless all of this text is.</summary>
    internal MarkedText After(string text) =>
        this with
        {
            Text = text + Text,
            Learnt = Learnt?.Select(span => new TextSpan(span.Start + text.Length, span.End + text.Length)).ToArray(),
        };
}
