using System.Buffers;

namespace PostTrain.Rewards.Answers;

/// <summary>Reads an answer by recursive descent. Total: every text gives an answer or null; depth, size and work are bounded.</summary>
/// <remarks>
/// answer = item {(, | ; | or | and | \cup) item}; item = side {(= | ≈ | ∈ | ≠ | &lt; | ≤ | &gt; | ≥) side};
/// side = bracketed | expression [% | unit] {: expression} | name; expression = [sign] term {(+ | - | \pm) term};
/// term = power {(* | / | \cdot | \times | \div | nothing) power}; power = atom {!} [^ exponent];
/// atom = number | mixed number | ( expression ) | |expression| | \frac | \sqrt | variable | function atom.
/// </remarks>
internal sealed partial class AnswerParser
{
    private const int MaximumLength = 4096;
    private const int MaximumDepth = 24;
    private const int MaximumItems = 64;
    private static readonly SearchValues<char> Relations = SearchValues.Create("=≈∈≠<≤>≥");
    private readonly string text;
    private readonly AnswerAlgebra algebra = new();
    private int position;
    private int depth;
    private int brackets;
    private int bars;
    private int work = 20_000;
    private bool isDecimal;
    private bool hasInfinity;
    private bool hasInequality;

    // True if the current side has digits or signs: xy alone is a word.
    private bool isAlgebra;

    // The sign that \pm has in this reading, and whether one was read.
    private int plusMinus = 1;
    private bool hasPlusMinus;

    private AnswerParser(string text) => this.text = text;

    /// <summary>True if the text computes with plain numbers instead of giving the result: 48+24 for 72, 6/3, 2^10, \sqrt{16}.</summary>
    internal bool IsUnevaluated { get; private set; }

    /// <summary>Parses a normalised text; null if it is not an answer.</summary>
    /// <param name="normalized">From <see cref="AnswerText.Normalize"/>.</param>
    /// <param name="isUnevaluated">See <see cref="IsUnevaluated"/>.</param>
    internal static AnswerItem? Parse(string normalized, out bool isUnevaluated)
    {
        isUnevaluated = false;
        if (normalized.Length is 0 or > MaximumLength)
            return null;
        var parser = new AnswerParser(normalized);
        var answer = parser.Answer();
        isUnevaluated = answer is not null && parser.IsUnevaluated;
        return answer;
    }

    /// <summary>Returns true if a text that is not normalised yet is an answer.</summary>
    internal static bool CanParse(string text) => text.Length <= MaximumLength && Parse(AnswerText.Normalize(text), out _) is not null;

    private AnswerItem? Answer()
    {
        List<List<AnswerItem>> groups =
        [
            [],
        ];
        var count = 0;
        var hasAnd = false;
        for (var separator = Separation.Comma; separator != Separation.None; )
        {
            if (count >= MaximumItems || Items() is not { } read)
                return null;
            groups[^1].AddRange(read);
            count += read.Length;
            separator = Separator();
            hasAnd |= separator == Separation.And;
            if (separator == Separation.Semicolon)
                groups.Add([]);
        }

        // "x > 1 and x < 2" is not a list.
        if (!AtEnd || (hasAnd && hasInequality))
            return null;
        // p = 5, q = 2; p = 7, q = 2
        var first = groups[0].Count;
        AnswerItem[] items =
            groups.Count > 1 && first > 1 && groups.TrueForAll(group => group.Count == first)
                ? [.. groups.Select(group => new AnswerList('(', ')', [.. group]))]
                : [.. groups.SelectMany(group => group)];
        return items.Length == 1 ? items[0] : new AnswerList('{', '}', items);
    }

    // One item, or the two of a \pm.
    private AnswerItem[]? Items()
    {
        var start = position;
        (plusMinus, hasPlusMinus) = (1, false);
        if (Item() is not { } first)
            return null;
        if (!hasPlusMinus)
            return [first];
        (position, plusMinus) = (start, -1);
        var second = Item();
        plusMinus = 1;
        return second is null ? null : [first, second];
    }

    private enum Separation
    {
        None,
        Comma,
        Semicolon,
        And,
        Or,
    }

    private Separation Separator()
    {
        SkipSpaces();
        if (Accept(",") || Accept(";"))
        {
            var mark = text[position - 1];
            return Word("and") ? Separation.And
                : Word("or") ? Separation.Or
                : mark == ';' ? Separation.Semicolon
                : Separation.Comma;
        }

        if (Word("or") || (brackets == 0 && AcceptCommand("\\cup")))
            return Separation.Or;
        return Word("and") ? Separation.And
            : brackets == 0 && Accept("¶") ? Separation.Comma
            : Separation.None;
    }

    // A place where a side may end; reads only spaces.
    private bool Ending()
    {
        SkipSpaces();
        if (AtEnd || text[position] is ',' or ';' or ')' or ']' or '}' or '&' or '¶' or ':' || Relations.Contains(text[position]))
            return true;
        var start = position;
        var ends = Accept("\\}") || Accept("\\end{") || Separator() != Separation.None;
        position = start;
        return ends;
    }

    // Returns the end of the side that starts here, where no bracket is open.
    private int SideEnd(int start)
    {
        var nested = 0;
        var end = start;
        while (end < text.Length)
        {
            position = end;
            var character = text[end];
            if (character is '{' or '(' or '[')
                nested++;
            else if (character is '}' or ')' or ']')
                nested--;
            if (nested < 0 || (nested == 0 && IsSideEnd(end)))
                break;
            end++;
        }

        position = start;
        return end;
    }

    private bool IsSideEnd(int end) =>
        text[end] switch
        {
            ';' or '&' or '¶' => true,
            ',' => !IsThousands(end),
            '\\' => Ending(),
            var character => Relations.Contains(character) || (AnswerText.IsSpace(character) && Ending()),
        };

    private bool AtEnd => position >= text.Length;

    private bool Afford() => --work >= 0;

    private bool At(char character) => position < text.Length && text[position] == character;

    private bool Accept(string expected)
    {
        if (!text.AsSpan(position).StartsWith(expected, StringComparison.Ordinal))
            return false;
        position += expected.Length;
        return true;
    }

    // A command ends where its letters end: \in is not the beginning of \infty.
    private bool AcceptCommand(string command)
    {
        var end = position + command.Length;
        return !(end < text.Length && char.IsAsciiLetter(text[end])) && Accept(command);
    }

    private bool Word(string word)
    {
        var start = position;
        SkipSpaces();
        if (AcceptCommand(word))
            return true;
        position = start;
        return false;
    }

    private void SkipSpaces()
    {
        while (position < text.Length && AnswerText.IsSpace(text[position]))
            position++;
    }
}
