using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Matches a literal text. An empty literal matches before every character.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    internal override void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int from = 0;
        while (literal.Length > 0 && text[from..].IndexOf(literal, StringComparison.Ordinal) is var found and >= 0)
        {
            if (found > 0)
                matches.Add(new Match(from, from + found, false));
            matches.Add(new Match(from + found, from + found + literal.Length, true));
            from += found + literal.Length;
        }

        if (literal.Length > 0 && from < text.Length)
            matches.Add(new Match(from, text.Length, false));
        for (int at = 0; literal.Length == 0 && at < text.Length; )
        {
            Rune.DecodeFromUtf16(text[at..], out _, out int width);
            matches.Add(new Match(at, at, true));
            matches.Add(new Match(at, at + width, false));
            at += width;
        }
    }
}
