using System.Text;
using System.Text.RegularExpressions;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Filters of texts that have no string method.</summary>
internal static partial class TextFilters
{
    internal static string Title(string text) =>
        string.Concat(
            WordBeginnings()
                .Split(text)
                .Select(word => word.StartsWith('ß') ? "SS" + PythonText.Lower(word[1..]) : PythonText.Capitalize(word))
        );

    internal static string Escape(Run run, string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            _ = character switch
            {
                '&' => result.Append("&amp;"),
                '<' => result.Append("&lt;"),
                '>' => result.Append("&gt;"),
                '\'' => result.Append("&#39;"),
                '"' => result.Append("&#34;"),
                _ => result.Append(character),
            };
        }

        run.ChargeText(result.Length);
        return result.ToString();
    }

    internal static string Indent(Run run, string text, Bound given)
    {
        if (given.Value(0, null) is not string margin)
        {
            var width = given.Integer(0, 4);
            run.ChargeText(Math.Max(0, width));
            margin = new string(' ', (int)Math.Max(0, width));
        }

        var (first, blank) = (given.Flag(1, false), given.Flag(2, false));
        var lines = Splitting.Lines(run, text + "\n");
        run.ChargeText(text.Length + ((long)lines.Count * margin.Length));
        for (var place = 0; place < lines.Count; place++)
        {
            if (place == 0 ? first : blank || lines[place].Length > 0)
                lines[place] = margin + lines[place];
        }

        return string.Join('\n', lines);
    }

    internal static string Truncate(Run run, string text, Bound given)
    {
        var (length, end) = (given.Integer(0, 255), given.Text(2, "..."));
        if (length < end.Length)
            throw run.Error($"truncate needs a length of at least {end.Length}, was given {length}");
        if (PythonText.Length(text) <= length + given.Integer(3, 5))
            return text;
        var kept = string.Concat(PythonText.Characters(run, text).Take((int)(length - end.Length)));
        return given.Flag(1, false) || kept.LastIndexOf(' ') < 0 ? kept + end : kept[..kept.LastIndexOf(' ')] + end;
    }

    internal static long WordCount(string text) => Words().Count(text);

    [GeneratedRegex(@"([-\s({\[<]+)")]
    private static partial Regex WordBeginnings();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Words();
}
