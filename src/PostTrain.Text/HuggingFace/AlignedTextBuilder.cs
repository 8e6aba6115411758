using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Builds a changed text together with the source of each unit.</summary>
internal sealed class AlignedTextBuilder(int capacity)
{
    private char[] text = new char[Math.Max(capacity, 16)];
    private (int, int)[] sources = new (int, int)[Math.Max(capacity, 16)];

    internal int Length { get; private set; }

    internal void Append(char unit, (int Start, int End) source)
    {
        if (Length == text.Length)
            Grow(1);
        text[Length] = unit;
        sources[Length++] = source;
    }

    internal void Append(ReadOnlySpan<char> units, (int Start, int End) source)
    {
        Room(units.Length);
        units.CopyTo(text.AsSpan(Length));
        sources.AsSpan(Length, units.Length).Fill(source);
        Length += units.Length;
    }

    internal void Append(Rune rune, (int Start, int End) source)
    {
        Span<char> units = stackalloc char[2];
        Append(units[..rune.EncodeToUtf16(units)], source);
    }

    /// <summary>Copies a part of another text with its sources.</summary>
    internal void Append(AlignedText from, int start, int length)
    {
        Room(length);
        from.Text.AsSpan(start, length).CopyTo(text.AsSpan(Length));
        if (from.Sources is { } known)
            known.AsSpan(start, length).CopyTo(sources.AsSpan(Length));
        else
            for (int i = 0; i < length; i++)
                sources[Length + i] = (from.Origin + start + i, from.Origin + start + i + 1);
        Length += length;
    }

    internal AlignedText Build() =>
        new(new string(text, 0, Length), sources.Length == Length ? sources : sources.AsSpan(0, Length).ToArray());

    private void Room(int more)
    {
        if (Length + more > text.Length)
            Grow(more);
    }

    private void Grow(int more)
    {
        int size = Math.Max(text.Length * 2, Length + more);
        Array.Resize(ref text, size);
        Array.Resize(ref sources, size);
    }
}
