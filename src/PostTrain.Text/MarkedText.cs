using System.Text.Json.Serialization;

namespace PostTrain.Text;

/// <summary>Text for a model, and whether its special tokens are written in it already.</summary>
/// <remarks>
/// Text that a chat template rendered spells its special tokens (the beginning of the sequence, the ends of turns), so it is encoded
/// without adding any; plain text gets those of the tokenizer. A string converts to plain text, and either converts to a string. Text that
/// is appended leaves the mark of the text before it, so a rendered prompt with a completion stays rendered.
/// </remarks>
/// <param name="Text">The characters.</param>
/// <param name="IsRendered">True where the special tokens are written in the text.</param>
[JsonConverter(typeof(MarkedTextConverter))]
public readonly record struct MarkedText(string Text, bool IsRendered = false)
{
    private readonly string? text = Text;

    /// <summary>The characters.</summary>
    public string Text
    {
        get => text ?? "";
        init => text = value;
    }

    /// <summary>Number of characters.</summary>
    public int Length => Text.Length;

    /// <summary>Text in which a template wrote the special tokens.</summary>
    public static MarkedText Rendered(string text) => new(text, IsRendered: true);

    /// <summary>Plain text.</summary>
    public static implicit operator MarkedText(string text) => new(text);

    /// <summary>The characters alone.</summary>
    public static implicit operator string(MarkedText text) => text.Text;

    /// <summary>Both texts as one, with the mark of the first.</summary>
    public static MarkedText operator +(MarkedText left, MarkedText right) => left with { Text = left.Text + right.Text };

    /// <summary>A character, as UTF-16 has it.</summary>
    public char this[int index] => Text[index];

    /// <summary>A part of the text, with its mark.</summary>
    public MarkedText Slice(int start, int length) => this with { Text = Text.Substring(start, length) };

    /// <inheritdoc cref="string.Contains(string, StringComparison)"/>
    public bool Contains(string value, StringComparison comparison) => Text.Contains(value, comparison);

    /// <inheritdoc cref="string.StartsWith(string, StringComparison)"/>
    public bool StartsWith(string value, StringComparison comparison) => Text.StartsWith(value, comparison);

    /// <inheritdoc cref="string.EndsWith(string, StringComparison)"/>
    public bool EndsWith(string value, StringComparison comparison) => Text.EndsWith(value, comparison);

    /// <summary>The characters.</summary>
    public override string ToString() => Text;
}
