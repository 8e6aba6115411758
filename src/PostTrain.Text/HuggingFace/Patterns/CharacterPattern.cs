using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Matches each character of a class.</summary>
internal sealed class CharacterPattern(Func<Rune, bool> isMember) : TextPattern
{
    internal override void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int from = 0;
        for (int at = 0; at < text.Length; )
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out int width);
            if (isMember(rune))
            {
                if (at > from)
                    matches.Add(new Match(from, at, false));
                matches.Add(new Match(at, at + width, true));
                from = at + width;
            }

            at += width;
        }

        if (from < text.Length)
            matches.Add(new Match(from, text.Length, false));
    }
}
