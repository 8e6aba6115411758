using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Unicode's normalisation forms (Unicode Standard Annex 15).</summary>
/// <remarks>The source of a composed character is its first character; the source of each part of a decomposed character is the
/// character.</remarks>
internal sealed class UnicodeNormalizer(bool compatibility, bool compose) : Normalizer
{
    internal override AlignedText Apply(AlignedText text)
    {
        if (!text.Text.AsSpan().ContainsAnyExceptInRange('\0', '\u007F'))
            return text;
        var parts = Decompose(text.Text);
        Order(parts);
        if (compose)
            parts = Compose(parts);
        return Align(text, parts);
    }

    private List<Part> Decompose(string text)
    {
        var parts = new List<Part>(text.Length);
        var codes = new List<int>();
        foreach (var rune in text.EnumerateRunes())
        {
            codes.Clear();
            UnicodeTables.Decompose(rune.Value, compatibility, codes);
            for (int i = 0; i < codes.Count; i++)
                parts.Add(new Part(codes[i], UnicodeTables.CombiningClass(codes[i]), i == 0 ? 0 : 1));
        }

        return parts;
    }

    // Adjacent marks are sorted by class; equal classes keep their order.
    private static void Order(List<Part> parts)
    {
        for (int start = 0; start < parts.Count; start++)
        {
            if (parts[start].Class == 0)
                continue;
            int end = start + 1;
            bool ordered = true;
            for (; end < parts.Count && parts[end].Class != 0; end++)
                ordered &= parts[end].Class >= parts[end - 1].Class;
            if (!ordered)
            {
                var marks = parts.GetRange(start, end - start).OrderBy(part => part.Class).ToArray();
                for (int i = 0; i < marks.Length; i++)
                    parts[start + i] = marks[i];
            }

            start = end;
        }
    }

    private static List<Part> Compose(List<Part> parts)
    {
        var output = new List<Part>(parts.Count);
        int starter = -1,
            lastClass = 0;
        foreach (var part in parts)
        {
            // A mark is blocked from the starter by a mark of its own or a higher class, and by another starter.
            bool reachable = starter >= 0 && (starter == output.Count - 1 || (lastClass != 0 && lastClass < part.Class));
            int whole = reachable ? UnicodeTables.Compose(output[starter].Code, part.Code) : -1;
            if (whole >= 0)
            {
                output[starter] = new Part(whole, 0, output[starter].Change + part.Change - 1);
                continue;
            }

            output.Add(part);
            lastClass = part.Class;
            if (part.Class == 0)
                starter = output.Count - 1;
        }

        return output;
    }

    // Change: 1 for an added character, 0 for a replacement, −n for a replacement that also consumes the n characters after it.
    private static AlignedText Align(AlignedText text, List<Part> parts)
    {
        var output = new AlignedTextBuilder(text.Text.Length);
        int at = 0;
        var source = text.Source(0, 0);
        foreach (var part in parts)
        {
            if (part.Change <= 0 && at < text.Text.Length)
            {
                int width = Width(text.Text, at);
                source = text.Source(at, at + width);
                at += width;
                for (int i = part.Change; i < 0 && at < text.Text.Length; i++)
                    at += Width(text.Text, at);
            }

            output.Append(new Rune(part.Code), source);
        }

        return output.Build();
    }

    private static int Width(string text, int at) => char.IsHighSurrogate(text[at]) ? 2 : 1;

    private readonly record struct Part(int Code, int Class, int Change);
}
