using System.Text;

namespace PostTrain.Rewards.Answers;

/// <summary>Removes typesetting from an answer, one pass over the text for each kind.</summary>
internal static class AnswerText
{
    /// <summary>The mark before every word that a wrapper such as \text{…} held: such words are not products of variables.</summary>
    internal const char Word = '\u2060';

    private const char ThinSpace = '\u2009';

    private static readonly (string From, string To)[] Sequences =
    [
        ("^{°}", "°"),
        ("^°", "°"),
        ("!=", "≠"),
        ("\\not=", "≠"),
        ("<=", "≤"),
        (">=", "≥"),
        ("**", "\u2217\u2217"),
    ];

    private static readonly string[] Wrappers =
    [
        "\\textbf",
        "\\textit",
        "\\textrm",
        "\\textnormal",
        "\\textsf",
        "\\texttt",
        "\\text",
        "\\emph",
        "\\mbox",
        "\\mathrm",
        "\\mathbf",
        "\\mathit",
        "\\mathsf",
        "\\operatorname",
        "\\boxed",
        "\\fbox",
    ];

    /// <summary>Returns the text in the normal form that is compared and parsed; the end of a matrix row is ¶.</summary>
    internal static string Normalize(string text)
    {
        text = AnswerCommands.Replace(text.Trim());
        foreach (var (from, to) in Sequences)
            text = text.Replace(from, to, StringComparison.Ordinal);
        text = Joined(Unwrapped(text)).Trim().TrimEnd('\\', ' ');
        return text.Length > 1 && text[^1] == '.' && text[^2] != '.' ? text[..^1].TrimEnd() : text;
    }

    /// <summary>Returns the form for comparison of texts that are not mathematics: white space only between words, words in lower
    /// case.</summary>
    internal static string Canonical(string normalized)
    {
        var text = new StringBuilder(normalized.Length);
        var isSpace = false;
        var letters = 0;
        var onlyLetters = true;
        foreach (var character in normalized)
        {
            if (IsSpace(character))
            {
                isSpace = true;
                continue;
            }

            if (isSpace && text.Length > 0 && char.IsLetterOrDigit(text[^1]) && char.IsLetterOrDigit(character))
                text.Append(' ');
            isSpace = false;
            text.Append(character);
            letters += char.IsLetter(character) ? 1 : 0;
            onlyLetters &= char.IsLetter(character) || character is '\'' or '-';
        }

        var canonical = text.ToString();
        // Single letters are variables or choices, whose case matters.
        return onlyLetters && letters > 1 ? canonical.ToLowerInvariant() : canonical;
    }

    /// <summary>Returns true for white space and for the mark of a word.</summary>
    internal static bool IsSpace(char character) => character == Word || char.IsWhiteSpace(character);

    // \text{cm} becomes " cm " with its words marked; the braces of the wrapper are removed.
    private static string Unwrapped(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        var result = new StringBuilder(text.Length);
        var groups = new Stack<Group>();
        var words = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var (length, hasWords) = text[i] == '\\' ? Wrapper(text, i) : default;
            if (length > 0)
            {
                i += length - 1;
                groups.Push(hasWords ? Group.Words : Group.Wrapper);
                words += hasWords ? 1 : 0;
                result.Append(' ');
            }
            else if (text[i] == '\\' && i + 1 < text.Length)
            {
                result.Append(text[i]).Append(text[++i]);
            }
            else if (text[i] == '}' && groups.TryPop(out var group) && group != Group.Braces)
            {
                words -= group == Group.Words ? 1 : 0;
                result.Append(' ');
            }
            else
            {
                if (text[i] == '{')
                    groups.Push(Group.Braces);
                if (words > 0 && char.IsLetter(text[i]) && (result.Length == 0 || result[^1] == ' '))
                    result.Append(Word);
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }

    private enum Group
    {
        Braces,
        Wrapper,
        Words,
    }

    // Returns the length of "\text {" at this place, or 0.
    private static (int Length, bool HasWords) Wrapper(string text, int start)
    {
        foreach (var name in Wrappers)
        {
            if (!text.AsSpan(start).StartsWith(name, StringComparison.Ordinal))
                continue;
            var end = start + name.Length;
            while (end < text.Length && text[end] == ' ')
                end++;
            if (end < text.Length && text[end] == '{')
                return (end + 1 - start, name is not ("\\boxed" or "\\fbox"));
        }

        return default;
    }

    // Digits on both sides of {,} or of a thin space form one number; other thin spaces are spaces. 1,\!000 has lost its \! already.
    private static string Joined(string text)
    {
        text = Commas(text).Replace(",\u2009", ", ", StringComparison.Ordinal);
        if (!text.Contains(ThinSpace, StringComparison.Ordinal))
            return text;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != ThinSpace)
                result.Append(text[i]);
            else if (!(i > 0 && i + 1 < text.Length && char.IsAsciiDigit(text[i - 1]) && char.IsAsciiDigit(text[i + 1])))
                result.Append(' ');
        }

        return result.ToString();
    }

    // {,} and { , } surrounded by spaces become thin spaces.
    private static string Commas(string text)
    {
        if (!text.Contains('{', StringComparison.Ordinal) || !text.Contains(',', StringComparison.Ordinal))
            return text;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var end = text[i] == '{' ? AfterSpaces(text, i + 1) : -1;
            var closing = end >= 0 && end < text.Length && text[end] == ',' ? AfterSpaces(text, end + 1) : text.Length;
            if (closing < text.Length && text[closing] == '}')
            {
                while (result.Length > 0 && result[^1] == ' ')
                    result.Length--;
                result.Append(ThinSpace);
                i = AfterSpaces(text, closing + 1) - 1;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }

    private static int AfterSpaces(string text, int position)
    {
        while (position < text.Length && text[position] == ' ')
            position++;
        return position;
    }
}
