namespace PostTrain.Rewards.Answers;

/// <summary>Reads an answer by recursive descent. Total: every text gives an answer or null, with bounded depth, size and work.</summary>
/// <remarks>
/// answer = item {(, | ; | or | and | \cup) item}; item = [variable (= | \in)] (bracketed | expression [% | unit]);
/// expression = [sign] term {(+ | - | \pm) term}; term = power {(* | / | \cdot | \times | \div | nothing) power};
/// power = atom {!} [^ exponent]; atom = number | mixed number | ( expression ) | \frac | \sqrt | variable | function atom.
/// </remarks>
internal sealed partial class AnswerParser
{
    private const int MaximumLength = 4096;
    private const int MaximumDepth = 24;
    private const int MaximumItems = 64;
    private readonly string text;
    private readonly AnswerAlgebra algebra = new();
    private int position;
    private int depth;
    private int brackets;
    private int work = 20_000;
    private bool isDecimal;
    private bool hasInfinity;

    // What \pm stands for in this reading, and whether one was met.
    private int plusMinus = 1;
    private bool hasPlusMinus;

    private AnswerParser(string text) => this.text = text;

    /// <summary>Whether the text computes with plain numbers what it could have written down: 48+24 for 72, 6/3, 2^10, \sqrt{16}.</summary>
    internal bool IsUnevaluated { get; private set; }

    /// <summary>The answer that a normalised text is, or null.</summary>
    /// <param name="normalized">From <see cref="AnswerText.Normalize"/>.</param>
    /// <param name="isUnevaluated">See <see cref="IsUnevaluated"/>.</param>
    internal static AnswerItem? Parse(string normalized, out bool isUnevaluated)
    {
        isUnevaluated = false;
        if (normalized.Length is 0 or > MaximumLength) return null;
        var parser = new AnswerParser(normalized);
        var answer = parser.Answer();
        isUnevaluated = answer is not null && parser.IsUnevaluated;
        return answer;
    }

    private AnswerItem? Answer()
    {
        var items = new List<AnswerItem>();
        do
        {
            if (items.Count >= MaximumItems || Items() is not { } read) return null;
            items.AddRange(read);
        }
        while (Separator());
        if (!AtEnd) return null;
        return items.Count == 1 ? items[0] : new AnswerList('{', '}', [.. items]);
    }

    // One item, or the two of a \pm.
    private AnswerItem[]? Items()
    {
        var start = position;
        (plusMinus, hasPlusMinus) = (1, false);
        if (Item() is not { } first) return null;
        if (!hasPlusMinus) return [first];
        (position, plusMinus) = (start, -1);
        var second = Item();
        plusMinus = 1;
        return second is null ? null : [first, second];
    }

    private AnswerItem? Item()
    {
        if (!Afford() || ++depth > MaximumDepth) return null;
        SkipSpaces();
        var variable = Assignment();
        var start = position;
        var item = Quantity() ?? Bracketed(start);
        depth--;
        return item is null ? null : variable is null ? item : item with { Variable = variable };
    }

    // "x =" or "x \in"; anything else is left unread.
    private string? Assignment()
    {
        var start = position;
        string? name = null;
        if (position < text.Length && char.IsAsciiLetter(text[position])) name = text[position++].ToString();
        if (name is not null && Accept("(") && position < text.Length && char.IsAsciiLetter(text[position]))
        {
            position++;
            if (!Accept(")")) name = null;      // f(x) =
        }

        SkipSpaces();
        if (name is not null && (AcceptCommand("\\in") || (Accept("=") && !At('=')))) return name;
        position = start;
        return null;
    }

    // An expression with what may follow it.
    private AnswerExpression? Quantity()
    {
        var (start, before) = (position, (depth, brackets, IsUnevaluated));
        // Units first: 5 cm is no product of variables.
        var end = ItemEnd(start);
        var tries = 0;
        for (var cut = start + 1; cut < end && tries < 8; cut++)
        {
            var previous = text[cut - 1];
            var begins = text[cut] == '%' || ((char.IsLetter(text[cut]) || text[cut] is '°' or '¢') && previous != '\\' && !char.IsLetter(previous));
            if (!begins) continue;
            tries++;
            if (Suffixed(start, cut, end) is { } quantity) return quantity;
        }

        if (start < end && text[start] is '€' or '£' or '¥' or '₹') return Suffixed(start + 1, end, end, AnswerUnit.Parse(text.AsSpan(start, 1), true));
        (isDecimal, hasInfinity) = (false, false);
        if (Expression() is { } sum && Ending() && IsFiniteOrInfinity(sum)) return new AnswerExpression(sum, isDecimal, null);
        (position, (depth, brackets, IsUnevaluated)) = (start, before);
        return null;
    }

    private AnswerExpression? Suffixed(int start, int cut, int end, AnswerUnit? prefix = null)
    {
        var isPercent = prefix is null && (text[cut] == '%' || text.AsSpan(cut, end - cut).Trim() is "percent");
        var unit = prefix ?? (isPercent ? null : AnswerUnit.Parse(text.AsSpan(cut, end - cut).Trim(), char.IsWhiteSpace(text[cut - 1])));
        if ((isPercent && text[cut] == '%' && !text.AsSpan(cut + 1, end - cut - 1).IsWhiteSpace()) || (!isPercent && unit is null)) return null;
        var inner = new AnswerParser(text[start..cut]) { brackets = brackets, work = work, plusMinus = plusMinus };
        var sum = inner.Expression();
        inner.SkipSpaces();
        work = inner.work;
        if (sum is null || !inner.AtEnd || inner.hasInfinity || sum.ToDouble() is null) return null;
        hasPlusMinus |= inner.hasPlusMinus;
        IsUnevaluated |= inner.IsUnevaluated;
        if (isPercent) sum = algebra.Multiply(sum, AnswerSum.Of(Rational.Of(1, 100)!.Value));
        position = end;
        return sum is null ? null : new AnswerExpression(sum, inner.isDecimal, unit);
    }

    // ( , ) [ , ] \{ \} and matrices.
    private AnswerItem? Bracketed(int start)
    {
        position = start;
        AnswerItem? item;
        if (AcceptCommand("\\emptyset")) item = new AnswerList('{', '}', []);
        else if (Accept("\\begin{")) item = Matrix();
        else if (Accept("\\{") || Accept("{")) item = List('{');
        else if (Accept("(")) item = List('(');
        else if (Accept("[")) item = List('[');
        else return null;
        return item is not null && Ending() ? item : null;
    }

    private AnswerList? List(char opening)
    {
        brackets++;
        var items = new List<AnswerItem>();
        var closing = Closing(opening);
        while (closing is null)
        {
            if (items.Count > 0 && !Separator()) return null;
            if (items.Count >= MaximumItems || Items() is not { } read) return null;
            items.AddRange(read);
            closing = Closing(opening);
        }

        brackets--;
        return items.Count == 0 && opening != '{' ? null : new AnswerList(opening, closing.Value, [.. items]);
    }

    private char? Closing(char opening)
    {
        SkipSpaces();
        if (opening == '{') return Accept("\\}") || Accept("}") ? '}' : null;
        return Accept(")") ? ')' : Accept("]") ? ']' : null;
    }

    private AnswerList? Matrix()
    {
        var end = text.IndexOf('}', position);
        if (end < 0) return null;
        var kind = text[position..end];
        if (kind is not ("pmatrix" or "bmatrix" or "vmatrix" or "matrix")) return null;
        position = end + 1;
        brackets++;
        List<AnswerItem> rows = [], row = [];
        while (true)
        {
            if (rows.Count + row.Count >= MaximumItems || Items() is not { } read) return null;
            row.AddRange(read);
            SkipSpaces();
            if (Accept("&")) continue;
            rows.Add(new AnswerList('[', ']', [.. row]));
            row.Clear();
            var isNext = Accept("¶");
            SkipSpaces();
            if (Accept("\\end{" + kind + "}")) break;
            if (!isNext) return null;
        }

        brackets--;
        return new AnswerList(kind == "vmatrix" ? '|' : '[', ']', [.. rows]);
    }

    private bool Separator()
    {
        SkipSpaces();
        if (Accept(",") || Accept(";"))
        {
            if (!Word("and")) Word("or");
            return true;
        }

        return Word("or") || Word("and") || (brackets == 0 && AcceptCommand("\\cup"));
    }

    // Where an item may end; reads nothing but spaces.
    private bool Ending()
    {
        SkipSpaces();
        if (AtEnd || text[position] is ',' or ';' or ')' or ']' or '}' or '&' or '¶') return true;
        var start = position;
        var ends = Accept("\\}") || Accept("\\end{") || Separator();
        position = start;
        return ends;
    }

    private int ItemEnd(int start)
    {
        var nested = 0;
        var end = start;
        while (end < text.Length)
        {
            position = end;
            var character = text[end];
            if (character is '{' or '(' or '[') nested++;
            else if (character is '}' or ')' or ']') nested--;
            if (nested < 0 || (nested == 0 && (character is ';' or '&' or '¶' || (character == ',' && !IsThousands(end)) || ((character is ' ' or '\\') && Ending())))) break;
            end++;
        }

        position = start;
        while (end > start && (char.IsWhiteSpace(text[end - 1]) || (text[end - 1] == '\\' && end < text.Length))) end--;
        return end;
    }

    private bool IsFiniteOrInfinity(AnswerSum sum) =>
        !hasInfinity || (sum.Terms is [{ Powers: [var only] } term] && only.Symbol.Name == AnswerSymbol.Infinity.Name && only.Power == 1
            && term.Radicand.IsOne && term.Coefficient.IsInteger && term.Coefficient.Numerator is { IsOne: true } or { Sign: -1 });

    private bool AtEnd => position >= text.Length;

    private bool Afford() => --work >= 0;

    private bool At(char character) => position < text.Length && text[position] == character;

    private bool Accept(string expected)
    {
        if (!text.AsSpan(position).StartsWith(expected, StringComparison.Ordinal)) return false;
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
        if (AcceptCommand(word) && (AtEnd || char.IsWhiteSpace(text[position]))) return true;
        position = start;
        return false;
    }

    private void SkipSpaces()
    {
        while (position < text.Length && char.IsWhiteSpace(text[position])) position++;
    }
}
