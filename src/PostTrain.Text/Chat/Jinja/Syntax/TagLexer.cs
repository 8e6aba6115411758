using System.Globalization;
using System.Text.RegularExpressions;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Splits the text between <c>{%</c> and <c>%}</c>, or <c>{{</c> and <c>}}</c>, into names, literals and operators.</summary>
internal sealed partial class TagLexer(SourceText source, int position, string close)
{
    private static readonly string[] Operators =
    [
        "//",
        "**",
        "==",
        "!=",
        ">=",
        "<=",
        "+",
        "-",
        "/",
        "*",
        "%",
        "~",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ">",
        "<",
        "=",
        ".",
        ":",
        "|",
        ",",
        ";",
    ];

    private readonly string text = source.Text;
    private readonly Stack<char> open = [];

    /// <summary>After <see cref="Read"/>: the start of the tag's end, including its sign.</summary>
    internal int Position { get; private set; } = position;

    internal void Read(List<Token> tokens)
    {
        var begin = Position;
        while (true)
        {
            while (Position < text.Length && PythonText.IsSpace(text[Position]))
                Position++;
            if (Position == text.Length)
                throw source.Error(begin, $"the tag has no end, expected '{close}'");
            if (open.Count == 0 && AtEnd())
                return;
            tokens.Add(Next());
        }
    }

    private bool AtEnd()
    {
        // "+" is allowed at the end of a block only: "{{ a +}}" is an error in Jinja too.
        var signed = text[Position] == '-' || (text[Position] == '+' && close == "%}") ? 1 : 0;
        return Follows(Position + signed, close) || Follows(Position, close);
    }

    private Token Next()
    {
        var begin = Position;
        var first = text[begin];
        if (first is '\'' or '"')
            return ReadText(begin, first);
        if (char.IsAsciiDigit(first))
            return ReadNumber(begin);
        if (first == '_' || char.IsLetter(first))
        {
            while (Position < text.Length && (text[Position] == '_' || char.IsLetterOrDigit(text[Position])))
                Position++;
            return new Token(TokenKind.Name, text[begin..Position], begin);
        }

        foreach (var symbol in Operators)
        {
            if (!Follows(begin, symbol))
                continue;
            Balance(symbol[0], begin);
            Position += symbol.Length;
            return new Token(TokenKind.Operator, symbol, begin);
        }

        throw source.Error(begin, $"unexpected character {PythonRepresentation.Of(first.ToString())}");
    }

    private void Balance(char symbol, int begin)
    {
        if (symbol is '(' or '[' or '{')
        {
            open.Push(symbol);
        }
        else if (symbol is ')' or ']' or '}')
        {
            var expected = open.TryPop(out var opened)
                ? opened switch
                {
                    '(' => ')',
                    '[' => ']',
                    _ => '}',
                }
                : '\0';
            if (expected != symbol)
                throw source.Error(begin, expected == '\0' ? $"unexpected '{symbol}'" : $"unexpected '{symbol}', expected '{expected}'");
        }
    }

    private Token ReadText(int begin, char quote)
    {
        var end = begin + 1;
        while (end < text.Length && text[end] != quote)
            end += text[end] == '\\' ? 2 : 1;
        if (end >= text.Length)
            throw source.Error(begin, "the string has no end");
        Position = end + 1;
        return new Token(TokenKind.Text, StringEscapes.Decode(source, begin + 1, end), begin);
    }

    private Token ReadNumber(int begin)
    {
        var real = Real().Match(text, begin);
        if (real.Success)
        {
            Position += real.Length;
            var value = double.Parse(
                real.Value.Replace("_", "", StringComparison.Ordinal),
                NumberStyles.Float,
                CultureInfo.InvariantCulture
            );
            return new Token(TokenKind.Number, real.Value, begin, value);
        }

        var whole = Whole().Match(text, begin);
        Position += whole.Length;
        return new Token(TokenKind.Number, whole.Value, begin, Parse(whole.Value.Replace("_", "", StringComparison.Ordinal), begin));
    }

    private object Parse(string digits, int begin)
    {
        var radix =
            digits.Length > 1
                ? char.ToLowerInvariant(digits[1]) switch
                {
                    'b' => 2,
                    'o' => 8,
                    'x' => 16,
                    _ => 10,
                }
                : 10;
        try
        {
            return radix == 10
                ? long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture)
                : checked((long)Convert.ToUInt64(digits[2..], radix));
        }
        catch (OverflowException)
        {
            throw source.Error(begin, $"the number {digits} is out of range, expected at most {long.MaxValue}");
        }
    }

    private bool Follows(int place, string what) => string.CompareOrdinal(text, place, what, 0, what.Length) == 0;

    [GeneratedRegex(@"\G[0-9]+(?:_[0-9]+)*(?:(?:\.[0-9]+(?:_[0-9]+)*)?[eE][+-]?[0-9]+(?:_[0-9]+)*|\.[0-9]+(?:_[0-9]+)*)")]
    private static partial Regex Real();

    [GeneratedRegex(@"\G(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*)")]
    private static partial Regex Whole();
}
