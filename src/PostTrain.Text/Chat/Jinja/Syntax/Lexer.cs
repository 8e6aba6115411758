namespace PostTrain.Text.Chat.Jinja;

/// <summary>Splits a template into data and tags, with Jinja's whitespace rules under <c>trim_blocks</c> and <c>lstrip_blocks</c>: a line
/// end after a block or comment and the blanks before one at the start of a line are removed; <c>-</c> strips all white space, <c>+</c>
/// keeps all.</summary>
internal sealed class Lexer
{
    private readonly SourceText source;
    private readonly string text;
    private readonly List<Token> tokens = [];
    private int at;

    private Lexer(SourceText source)
    {
        this.source = source;
        text = source.Text;
    }

    internal static List<Token> Read(SourceText source)
    {
        var lexer = new Lexer(source);
        lexer.Read();
        return lexer.tokens;
    }

    private void Read()
    {
        while (NextTag(at) is var tag and >= 0)
        {
            var (begin, kind) = (at, text[tag + 1]);
            at = tag + 2;
            var sign = at < text.Length && text[at] is '-' or '+' ? text[at++] : ' ';
            AddData(begin, tag, kind, sign);
            switch (kind)
            {
                case '#':
                    SkipComment(tag);
                    break;
                case '%' when RawEnd() is { } content:
                    at = content;
                    ReadRaw(tag);
                    break;
                case '%':
                    ReadTag(tag, TokenKind.BlockBegin, TokenKind.BlockEnd, "%}");
                    break;
                default:
                    ReadTag(tag, TokenKind.VariableBegin, TokenKind.VariableEnd, "}}");
                    break;
            }
        }

        AddData(at, text.Length, '{', '+');
        tokens.Add(new Token(TokenKind.End, "", text.Length));
    }

    private int NextTag(int from)
    {
        for (var tag = from; tag < text.Length - 1; tag++)
        {
            tag = text.IndexOf('{', tag);
            if (tag < 0 || tag == text.Length - 1)
                return -1;
            if (text[tag + 1] is '%' or '{' or '#')
                return tag;
        }

        return -1;
    }

    private void ReadTag(int tag, TokenKind beginning, TokenKind ending, string close)
    {
        tokens.Add(new Token(beginning, "", tag));
        var inside = new TagLexer(source, at, close);
        inside.Read(tokens);
        tokens.Add(new Token(ending, "", inside.Position));
        at = inside.Position;
        SkipEnd(close);
    }

    private void SkipComment(int tag)
    {
        var end = text.IndexOf("#}", at, StringComparison.Ordinal);
        if (end < 0)
            throw source.Error(tag, "the comment has no end, expected '#}'");
        at = end > at && text[end - 1] is '-' or '+' ? end - 1 : end;
        SkipEnd("#}");
    }

    // Called after "{%" and a sign. Returns the start of the content of a raw block, or null for another tag.
    private int? RawEnd()
    {
        var place = SkipSpaces(at);
        if (!Follows(place, "raw"))
            return null;
        place = SkipSpaces(place + 3);
        return Follows(place, "%}") ? place + 2
            : Follows(place, "-%}") ? SkipSpaces(place + 3)
            : null;
    }

    private void ReadRaw(int tag)
    {
        var begin = at;
        for (
            var end = text.IndexOf("{%", begin, StringComparison.Ordinal);
            end >= 0;
            end = text.IndexOf("{%", end + 2, StringComparison.Ordinal)
        )
        {
            var place = end + 2;
            var sign = place < text.Length && text[place] is '-' or '+' ? text[place++] : ' ';
            place = SkipSpaces(place);
            if (!Follows(place, "endraw"))
                continue;
            place = SkipSpaces(place + 6);
            if (!Follows(place, "%}") && !Follows(place, "-%}") && !Follows(place, "+%}"))
                continue;
            AddData(begin, end, '%', sign);
            at = place;
            SkipEnd("%}");
            return;
        }

        throw source.Error(tag, "the raw block has no end, expected '{% endraw %}'");
    }

    // Called at the sign or the two closing characters of a tag.
    private void SkipEnd(string close)
    {
        var sign = text[at] is '-' or '+' && !Follows(at, close) ? text[at++] : ' ';
        at += close.Length;
        if (sign == '-')
            at = SkipSpaces(at);
        else if (sign == ' ' && close != "}}" && at < text.Length && text[at] == '\n')
            at++;
    }

    private void AddData(int begin, int end, char kind, char sign)
    {
        if (sign == '-')
        {
            while (end > begin && PythonText.IsSpace(text[end - 1]))
                end--;
        }
        else if (sign != '+' && kind != '{')
        {
            var line = begin == end ? begin : text.LastIndexOf('\n', end - 1, end - begin) + 1;
            line = Math.Max(line, begin);
            var startsLine = line == 0 || text[line - 1] == '\n';
            if (startsLine && SkipSpaces(line) >= end)
                end = line;
        }

        if (end > begin)
            tokens.Add(new Token(TokenKind.Data, text[begin..end], begin));
    }

    private int SkipSpaces(int from)
    {
        while (from < text.Length && PythonText.IsSpace(text[from]))
            from++;
        return from;
    }

    private bool Follows(int place, string what) => string.CompareOrdinal(text, place, what, 0, what.Length) == 0;
}
