using System.Text;

namespace PostTrain.Rewards.Answers;

/// <summary>Finds the boxes of a text, \boxed{…}, \fbox{…} and \boxed 7: the last box, or the last ones if they form a list.</summary>
internal static class AnswerBoxes
{
    private const int LongestGap = 60;
    private static readonly string[] Commands = ["\\boxed", "\\fbox"];

    // Words between two boxes that make the second a consequence of the first.
    private static readonly string[] Consequences =
    [
        "so",
        "then",
        "thus",
        "hence",
        "therefore",
        "gives",
        "which",
        "because",
        "since",
        "not",
        "instead",
        "wait",
    ];

    private readonly record struct Box(int Start, int End, string Content);

    /// <summary>Returns the content of the last box. Adjacent boxes, joined by commas or "and", give the list of their contents.</summary>
    internal static string? Last(string text)
    {
        var boxes = Find(text);
        if (boxes.Count == 0)
            return null;
        var first = boxes.Count - 1;
        while (first > 0 && IsList(text.AsSpan(boxes[first - 1].End, boxes[first].Start - boxes[first - 1].End)))
            first--;
        var contents = boxes.Skip(first).Select(box => box.Content).Distinct().ToArray();
        return string.Join(", ", contents);
    }

    // One pass with a stack of open braces. An enclosing box closes after the inner one and replaces it.
    private static List<Box> Find(string text)
    {
        var open = new Stack<(int Start, int Content)>();
        var boxes = new List<Box>();
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\' when Opening(text, i) is var content and > 0:
                    if (text[content - 1] == '{')
                    {
                        open.Push((i, content));
                        i = content - 1;
                    }
                    else
                    {
                        var end = Unbraced(text, content);
                        Add(boxes, text, i, content, end, end);
                        i = Math.Max(content, end) - 1;
                    }

                    break;
                case '\\' when i + 1 < text.Length && Opening(text, i + 1) > 0:
                    break; // \\boxed, escaped twice
                case '\\':
                    i++; // \{ and \} are characters, not groups
                    break;
                case '{':
                    open.Push((-1, -1));
                    break;
                case '}' when open.TryPop(out var start) && start.Start >= 0:
                    Add(boxes, text, start.Start, start.Content, i, i + 1);
                    break;
            }
        }

        return boxes;
    }

    private static void Add(List<Box> boxes, string text, int start, int content, int end, int after)
    {
        while (boxes.Count > 0 && boxes[^1].Start >= start)
            boxes.RemoveAt(boxes.Count - 1);
        var answer = text.AsSpan(content, end - content).Trim();
        if (answer.Length > 0)
            boxes.Add(new Box(start, after, answer.ToString()));
    }

    // Returns the start of the content of the box that opens here, or 0.
    private static int Opening(string text, int start)
    {
        foreach (var command in Commands)
        {
            if (!text.AsSpan(start).StartsWith(command, StringComparison.Ordinal))
                continue;
            var end = start + command.Length;
            if (end < text.Length && char.IsAsciiLetter(text[end]))
                continue;
            while (end < text.Length && text[end] == ' ')
                end++;
            return end >= text.Length ? 0
                : text[end] == '{' ? end + 1
                : end;
        }

        return 0;
    }

    // \boxed 7 and \boxed\frac12: up to the next space, dollar sign or closing bracket of the formula, without punctuation.
    private static int Unbraced(string text, int start)
    {
        var end = start;
        var nested = 0;
        for (; end < text.Length; end++)
        {
            if (text[end] is '{' or '(')
                nested++;
            else if (text[end] is '}' or ')' && --nested < 0)
                break;
            var isDelimiter = text[end] == '\\' && end + 1 < text.Length && text[end + 1] is ')' or ']';
            if (text[end] == '$' || (nested == 0 && (isDelimiter || char.IsWhiteSpace(text[end]))))
                break;
        }

        while (end > start && text[end - 1] is '.' or ',' or ';' or ':')
            end--;
        return end;
    }

    // Boxes separated by ",", "and" or nothing form a list; other words separate them.
    private static bool IsList(ReadOnlySpan<char> gap)
    {
        if (gap.Length > LongestGap || gap.Contains("\n\n", StringComparison.Ordinal) || gap.Contains(". ", StringComparison.Ordinal))
            return false;
        var words = new StringBuilder();
        foreach (var character in gap)
            words.Append(char.IsLetter(character) || character is ',' or ';' or '+' or '-' or '=' or '*' ? character : ' ');
        var between = words
            .ToString()
            .Replace(",", " , ", StringComparison.Ordinal)
            .Replace(";", " , ", StringComparison.Ordinal)
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Where(word => word is not ("text" or "quad" or "qquad" or "mathrm" or "textrm"))
            .ToArray();
        var isJoined = between.Length == 0 || Array.Exists(between, word => word is "," or "and" or "or");
        return isJoined && !Array.Exists(between, Consequences.Contains);
    }
}
