using System.Text;
using System.Text.RegularExpressions;

namespace PostTrain.Refinement.Instructions;

/// <summary>Reads the instructions out of a completion that continues a numbered list, as models really write them.</summary>
internal static class InstructionList
{
    private const int MaxCharacters = 1 << 16;
    private const RegexOptions Options =
        RegexOptions.Multiline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;

    // "9.", "9 .", "9)", "(9)", "[9]", "9:", "Task 9:", with or without Markdown's marks around.
    private static readonly Regex Numbers = new(
        @"^[ \t]*[#>*_-]*[ \t]*((task|instruction)[ \t]*#?[0-9]{1,5}[ \t]*[.:)]|[(\[]?[0-9]{1,5}[ \t]?[.):\]])[*_]*",
        Options
    );
    private static readonly Regex Bullets = new(@"^[ \t]*[-*•–][ \t]+", Options);
    private static readonly Regex EmptyLine = new(@"\n[ \t\r]*\n", Options);

    /// <summary>The instructions in their order, each in one line.</summary>
    /// <remarks>What stands before the first mark is an instruction, the one that the prompt's number asked for, unless it ends with a
    /// colon. An empty line ends an instruction. What was cut off is left out.</remarks>
    /// <param name="text">The completion.</param>
    /// <param name="finished">Whether it was written to its end.</param>
    /// <param name="most">The most instructions.</param>
    internal static IReadOnlyList<string> Parse(string text, bool finished, int most)
    {
        if (text.Length > MaxCharacters)
            (text, finished) = (text[..MaxCharacters], false);
        var marks = Marks(text);
        int head = marks.Count == 0 ? text.Length : marks[0].Start;
        var items = new List<string>();
        Add(text[..head], isHead: true);
        for (int i = 0; i < marks.Count; i++)
        {
            int end = i + 1 < marks.Count ? marks[i + 1].Start : text.Length;
            Add(text[marks[i].End..end], isHead: false);
        }
        // The last text belongs to the last mark, whether or not it became an item.
        if (!finished && items.Count > 0 && LastText(text, marks) == items[^1])
            items.RemoveAt(items.Count - 1);
        return items.Count > most ? items[..most] : items;

        void Add(string part, bool isHead)
        {
            string item = Clean(part);
            if (item.Length > 0 && !(isHead && item.EndsWith(':')))
                items.Add(item);
        }
    }

    private static string LastText(string text, List<(int Start, int End)> marks) => Clean(marks.Count == 0 ? text : text[marks[^1].End..]);

    private static List<(int Start, int End)> Marks(string text)
    {
        var marks = new List<(int, int)>();
        // "1.5 litres" at the beginning of a line is no mark.
        foreach (Match match in Numbers.Matches(text))
            if (match.Index + match.Length is var end && (end == text.Length || !char.IsDigit(text[end])))
                marks.Add((match.Index, end));
        if (marks.Count == 0)
            foreach (Match match in Bullets.Matches(text))
                marks.Add((match.Index, match.Index + match.Length));
        return marks;
    }

    // The first paragraph in one line, without marks of emphasis and quotation around it; half a surrogate pair becomes U+FFFD.
    private static string Clean(string part)
    {
        part = part.TrimStart();
        var empty = EmptyLine.Match(part);
        if (empty.Success)
            part = part[..empty.Index];
        var line = new StringBuilder(part.Length);
        foreach (var rune in part.EnumerateRunes())
        {
            bool space = Rune.IsWhiteSpace(rune) || Rune.IsControl(rune);
            if (!space)
                line.Append(rune.ToString());
            else if (line.Length > 0 && line[^1] != ' ')
                line.Append(' ');
        }
        string text = line.ToString().Trim();
        foreach (string mark in (string[])["**", "__", "`", "\"", "“”"])
        {
            string open = mark.Length == 2 && mark[0] != mark[1] ? mark[..1] : mark,
                close = open == mark ? mark : mark[1..];
            if (
                text.Length > open.Length + close.Length
                && text.StartsWith(open, StringComparison.Ordinal)
                && text.EndsWith(close, StringComparison.Ordinal)
            )
                text = text[open.Length..^close.Length].Trim();
        }
        return text;
    }
}
