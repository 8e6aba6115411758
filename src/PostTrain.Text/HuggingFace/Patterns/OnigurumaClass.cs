using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Translates a class in brackets. Each literal becomes its code, so that it has no special meaning in .NET.</summary>
internal sealed class OnigurumaClass(string pattern, List<(char, char)> literals, bool ignoreCase)
{
    private const int MaximumDepth = 16;

    internal string Translate(ref int at)
    {
        bool negated = at + 1 < pattern.Length && pattern[at + 1] == '^';
        bool longS = false;
        var content = new StringBuilder();
        Content(ref at, content, ref longS, 0);
        if (content.Length == 0)
            throw new ArgumentException("an empty class is not supported");
        if (longS)
            content.Append(@"s\u017F");
        var text = $"[{(negated ? "^" : "")}{content}]";
        return ignoreCase ? $"(?i:{text})" : text;
    }

    // Appends the content of the brackets at the position and moves past them.
    private void Content(ref int at, StringBuilder content, ref bool longS, int depth)
    {
        if (depth > MaximumDepth)
            throw new ArgumentException("classes nested so deeply are not supported");
        int open = at++;
        if (at < pattern.Length && pattern[at] == '^')
        {
            if (depth > 0)
                throw new ArgumentException("a negated class inside a class is not supported");
            at++;
        }

        for (bool first = true; ; first = false)
        {
            if (at >= pattern.Length)
                throw new ArgumentException($"the class at position {open} has no end");
            if (pattern[at] == ']' && !first)
            {
                at++;
                return;
            }

            if (pattern[at] == '[')
            {
                if (at + 1 < pattern.Length && pattern[at + 1] == ':')
                    throw new ArgumentException("POSIX brackets [: :] are not supported");
                Content(ref at, content, ref longS, depth + 1);
                continue;
            }

            if (pattern[at] == '&' && at + 1 < pattern.Length && pattern[at + 1] == '&')
                throw new ArgumentException("class intersections && are not supported");
            var (text, from) = Item(ref at);
            if (from is not { } begin)
            {
                if (text.Contains("-[", StringComparison.Ordinal))
                    throw new ArgumentException(@"\W inside a class is not supported");
                content.Append(text);
                continue;
            }

            char end = begin;
            if (at + 1 < pattern.Length && pattern[at] == '-' && pattern[at + 1] != ']')
            {
                int after = at + 1;
                if (pattern[after] == '[')
                    throw new ArgumentException("a range that ends in a class is not supported");
                var (_, to) = Item(ref after);
                end = to ?? throw new ArgumentException("a range that ends in a class is not supported");
                if (end < begin)
                    throw new ArgumentException("a range from a higher to a lower character is not supported");
                at = after;
            }

            literals.Add((begin, end));
            longS |= ignoreCase && (OnigurumaEscape.Covers(begin, end, 's') || OnigurumaEscape.Covers(begin, end, '\u017F'));
            content.Append(OnigurumaEscape.Hex(begin));
            if (end > begin)
                content.Append('-').Append(OnigurumaEscape.Hex(end));
        }
    }

    private (string Class, char? Literal) Item(ref int at)
    {
        if (pattern[at] != '\\')
        {
            char literal = pattern[at++];
            return char.IsSurrogate(literal) ? throw new ArgumentException("a character beyond U+FFFF is not supported") : ("", literal);
        }

        if (at + 1 < pattern.Length && pattern[at + 1] == 'b')
        {
            at += 2;
            return ("", '\b');
        }

        return OnigurumaEscape.Read(pattern, ref at);
    }
}
