using System.Text;

namespace PostTrain.Rewards.Answers;

/// <summary>An answer without what only sets its type: one pass over the text for each kind of noise.</summary>
internal static class AnswerText
{
    private static readonly (string From, string To)[] Spellings =
    [
        ("\\\\", "¶"), ("\u2212", "-"), ("\u2013", "-"), ("\u00d7", "*"), ("\u00b7", "*"), ("\u22c5", "*"), ("\u00f7", "/"), ("\u221e", "\\infty "), ("\u03c0", "\\pi "), ("\u00b1", "\\pm "),
        ("\u222a", "\\cup "), ("\u2208", "\\in "), ("\u2205", "\\emptyset "), ("\u00a0", " "), ("\u221a", "\\sqrt "), ("\u00bd", "\\frac{1}{2}"), ("\u00bc", "\\frac{1}{4}"), ("\u00be", "\\frac{3}{4}"),
        ("\\left.", ""), ("\\right.", ""), ("\\leftarrow", "\u2190"), ("\\rightarrow", "\u2192"), ("\\left", ""), ("\\right", ""),
        ("\\bigl", ""), ("\\bigr", ""), ("\\Bigl", ""), ("\\Bigr", ""), ("\\displaystyle", ""),
        ("\\!", ""), ("\\,", "\u2009"), ("\\;", " "), ("\\:", " "), ("\\ ", " "), ("\\(", ""), ("\\)", ""), ("\\[", ""), ("\\]", ""), ("\\$", ""), ("$", ""),
        ("\\qquad", " "), ("\\quad", " "), ("~", " "), ("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\cfrac", "\\frac"), ("\\%", "%"), ("\\&", "&"), ("\\#", "#"),
        ("^{\\circ}", "°"), ("^\\circ", "°"), ("^{°}", "°"), ("^°", "°"), ("\\degree", "°"), ("\\circ", "°"),
        ("\\lbrace", "\\{"), ("\\rbrace", "\\}"), ("\\varnothing", "\\emptyset"), ("\\ldots", "..."), ("\\dots", "..."), ("**", "\u2217\u2217"),
    ];

    private static readonly string[] Wrappers = ["\\textbf", "\\textit", "\\textrm", "\\text", "\\mathrm", "\\mathbf", "\\mathit", "\\mbox", "\\operatorname", "\\boxed", "\\fbox"];

    /// <summary>The text in the one spelling that is compared and parsed; the end of a matrix' row is ¶ in it.</summary>
    internal static string Normalize(string text)
    {
        text = text.Trim();
        foreach (var (from, to) in Spellings) text = text.Replace(from, to, StringComparison.Ordinal);
        text = Joined(Unwrapped(text)).Trim().TrimEnd('\\', ' ');
        return text.Length > 1 && text[^1] == '.' && text[^2] != '.' ? text[..^1].TrimEnd() : text;
    }

    /// <summary>What is compared where texts are no mathematics: white space only between words, and words without regard to case.</summary>
    internal static string Canonical(string normalized)
    {
        var text = new StringBuilder(normalized.Length);
        var isSpace = false;
        var letters = 0;
        var onlyLetters = true;
        foreach (var character in normalized)
        {
            if (char.IsWhiteSpace(character))
            {
                isSpace = true;
                continue;
            }

            if (isSpace && text.Length > 0 && char.IsLetterOrDigit(text[^1]) && char.IsLetterOrDigit(character)) text.Append(' ');
            isSpace = false;
            text.Append(character);
            letters += char.IsLetter(character) ? 1 : 0;
            onlyLetters &= char.IsLetter(character) || character is '\'' or '-';
        }

        var canonical = text.ToString();
        // Single letters are names of variables or choices, whose case matters.
        return onlyLetters && letters > 1 ? canonical.ToLowerInvariant() : canonical;
    }

    // \text{cm} becomes " cm ": the braces of a wrapper go with it.
    private static string Unwrapped(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal)) return text;
        var result = new StringBuilder(text.Length);
        var isWrapper = new Stack<bool>();
        for (var i = 0; i < text.Length; i++)
        {
            var wrapper = text[i] == '\\' ? Wrapper(text, i) : 0;
            if (wrapper > 0)
            {
                i += wrapper - 1;
                isWrapper.Push(true);
                result.Append(' ');
            }
            else if (text[i] == '\\' && i + 1 < text.Length)
            {
                result.Append(text[i]).Append(text[++i]);
            }
            else if (text[i] == '}' && isWrapper.TryPop(out var wraps) && wraps)
            {
                result.Append(' ');
            }
            else
            {
                if (text[i] == '{') isWrapper.Push(false);
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }

    // The length of "\text {" at this place, or 0.
    private static int Wrapper(string text, int start)
    {
        foreach (var name in Wrappers)
        {
            if (!text.AsSpan(start).StartsWith(name, StringComparison.Ordinal)) continue;
            var end = start + name.Length;
            while (end < text.Length && text[end] == ' ') end++;
            if (end < text.Length && text[end] == '{') return end + 1 - start;
        }

        return 0;
    }

    // Digits on both sides of {,} or of a thin space are one number; other thin spaces are spaces. 1,\!000 has lost its \! before.
    private static string Joined(string text)
    {
        text = text.Replace("{,}", "\u2009", StringComparison.Ordinal).Replace(",\u2009", ", ", StringComparison.Ordinal);
        if (!text.Contains('\u2009', StringComparison.Ordinal)) return text;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\u2009') result.Append(text[i]);
            else if (!(i > 0 && i + 1 < text.Length && char.IsAsciiDigit(text[i - 1]) && char.IsAsciiDigit(text[i + 1]))) result.Append(' ');
        }

        return result.ToString();
    }
}
