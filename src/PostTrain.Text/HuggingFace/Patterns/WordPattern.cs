using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Matches runs of word characters and runs of characters that are neither word characters nor spaces.</summary>
internal sealed class WordPattern : TextPattern
{
    private const int Space = 2;

    internal override void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        int from = 0,
            current = -1;
        for (int at = 0; at < text.Length; )
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out int width);
            int kind =
                Characters.IsWord(rune) ? 0
                : Rune.IsWhiteSpace(rune) ? Space
                : 1;
            if (kind != current && at > from)
            {
                matches.Add(new Match(from, at, current != Space));
                from = at;
            }

            current = kind;
            at += width;
        }

        if (from < text.Length)
            matches.Add(new Match(from, text.Length, current != Space));
    }
}
