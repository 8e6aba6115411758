using System.Buffers;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Splits texts at separators, white space and line ends.</summary>
internal static class Splitting
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029");

    internal static ListValue Split(Run run, string text, Bound given, bool fromRight)
    {
        var separator = given.OptionalText(0);
        var most = given.Integer(1, -1);
        if (separator?.Length == 0)
            throw run.Error("the separator of split is empty");
        run.ChargeSearch(text, separator ?? "");
        var parts = (separator, fromRight) switch
        {
            (null, false) => OfWords(text, most),
            (null, true) => OfWordsFromRight(text, most),
            (_, false) => text.Split(separator, Pieces(most)),
            (_, true) => FromRight(text, separator, most),
        };
        run.Charge(parts.Length);
        return new ListValue(parts);
    }

    internal static TupleValue Partition(Run run, string text, string separator, bool last)
    {
        if (separator.Length == 0)
            throw run.Error("the separator of partition is empty");
        run.ChargeSearch(text, separator);
        var place = last ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        return place >= 0
            ? new TupleValue([text[..place], separator, text[(place + separator.Length)..]])
            : new TupleValue(last ? ["", "", text] : [text, "", ""]);
    }

    internal static List<string> Lines(Run run, string text, bool keepEnds = false)
    {
        List<string> lines = [];
        for (var begin = 0; begin < text.Length; )
        {
            var length = text.AsSpan(begin).IndexOfAny(LineEnds);
            if (length < 0)
            {
                lines.Add(text[begin..]);
                break;
            }

            var end =
                begin
                + length
                + (text[begin + length] == '\r' && begin + length + 1 < text.Length && text[begin + length + 1] == '\n' ? 2 : 1);
            lines.Add(text[begin..(keepEnds ? end : begin + length)]);
            begin = end;
        }

        run.Charge(lines.Count);
        return lines;
    }

    private static int Pieces(long most) => most < 0 || most >= int.MaxValue ? int.MaxValue : (int)most + 1;

    private static string[] OfWords(string text, long most)
    {
        List<string> words = [];
        var at = 0;
        while (true)
        {
            while (at < text.Length && PythonText.IsSpace(text[at]))
                at++;
            if (at == text.Length)
                return [.. words];
            if (words.Count == most)
                return [.. words, text[at..]];
            var begin = at;
            while (at < text.Length && !PythonText.IsSpace(text[at]))
                at++;
            words.Add(text[begin..at]);
        }
    }

    private static string[] OfWordsFromRight(string text, long most)
    {
        List<string> words = [];
        var at = text.Length;
        while (true)
        {
            while (at > 0 && PythonText.IsSpace(text[at - 1]))
                at--;
            if (at == 0 || words.Count == most)
                break;
            var end = at;
            while (at > 0 && !PythonText.IsSpace(text[at - 1]))
                at--;
            words.Add(text[at..end]);
        }

        if (at > 0)
            words.Add(text[..at]);
        words.Reverse();
        return [.. words];
    }

    private static string[] FromRight(string text, string separator, long most)
    {
        List<string> parts = [];
        var end = text.Length;
        while (
            parts.Count != most
            && end >= separator.Length
            && text.LastIndexOf(separator, end - 1, StringComparison.Ordinal) is var place and >= 0
        )
        {
            parts.Add(text[(place + separator.Length)..end]);
            end = place;
        }

        parts.Add(text[..end]);
        parts.Reverse();
        return [.. parts];
    }
}
